package identity

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"
)

// A shelf is a directory whose only user says more of itself.
type shelf struct {
	directory
	user    Entry
	at      Place
	located string
}

func (s *shelf) Find(context.Context, string) (*Entry, error) { return &s.user, nil }
func (s *shelf) Locate(_ context.Context, at Place, name string) (*Entry, error) {
	s.at, s.located = at, name
	return &s.user, nil
}

func TestAdmit(t *testing.T) {
	at := func(d time.Duration) string {
		return strconv.FormatInt((time.Now().Add(d).Unix()-epoch1601)*1e7, 10)
	}
	for _, tt := range []struct {
		name, flags, expires string
		want                 Reason
	}{
		{"says nothing", "", "", ""},
		{"normal", "512", "9223372036854775807", ""},
		{"normal, never expires", "66048", "0", ""},
		{"disabled", "514", "0", AccountDisabled},
		{"disabled, of a computer's sign", "-2147483134", "0", AccountDisabled},
		{"expired", "512", at(-time.Minute), AccountExpired},
		{"expires later", "512", at(time.Hour), ""},
		{"rubbish", "0x2", "tomorrow", ""},
		{"a very long time", "512", "9223372036854775806", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &shelf{user: Entry{DN: "CN=Jane", Attributes: []Attribute{
				{Name: "USERACCOUNTCONTROL", Values: [][]byte{[]byte(tt.flags)}}, {Name: "accountExpires", Values: [][]byte{[]byte(tt.expires)}},
			}}}
			a := &Authenticator{Directory: s, Mapper: mapper{}}
			profile, err := a.Admit(t.Context(), Principal{Name: "jane"})
			var refusal *Refusal
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("%v", err)
			case tt.want != "" && (!errors.As(err, &refusal) || refusal.Reason != tt.want || refusal.Profile.IsZero()):
				t.Errorf("%v, %v; want %s with a profile", profile, err, tt.want)
			}
			if _, err := a.Resolve(t.Context(), Principal{Name: "jane"}); err != nil {
				t.Errorf("who is only looked up: %v", err)
			}
		})
	}
}

func TestLocate(t *testing.T) {
	s := &shelf{user: Entry{DN: "CN=Jane"}}
	a := &Authenticator{Directory: s, Mapper: mapper{}}
	place := Place{Filter: "(mail={0})", BaseDN: "DC=other"}
	if _, err := a.Admit(t.Context(), Principal{Name: "jane@other", Place: place}); err != nil || s.at != place || s.located != "jane@other" {
		t.Errorf("%v: located %q at %v", err, s.located, s.at)
	}
	var refusal *Refusal
	if _, err := a.Admit(t.Context(), Principal{Place: place}); !errors.As(err, &refusal) {
		t.Errorf("an empty name: %v", err)
	}
	plain := &Authenticator{Directory: &directory{}, Mapper: mapper{}}
	if _, err := plain.Admit(t.Context(), Principal{Name: "jane", Place: place}); err == nil || errors.As(err, &refusal) {
		t.Errorf("a directory that cannot locate: %v", err)
	}
}
