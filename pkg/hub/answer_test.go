package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"ad-ldap-connector/pkg/identity"
)

// A staged directory names its server, and is slow to bind one user.
type staged struct{}

func (staged) Find(ctx context.Context, name string) (*identity.Entry, error) {
	identity.Note(ctx, "ldaps://dc1", "found")
	return &identity.Entry{DN: "CN=" + name}, nil
}

func (staged) Bind(ctx context.Context, dn string, _ identity.Password) error {
	identity.Note(ctx, "ldaps://dc2", "tried")
	switch dn {
	case "CN=slow":
		<-ctx.Done()
		time.Sleep(time.Second) // the bubble's
		return ctx.Err()
	case "CN=wrong":
		return &identity.Refusal{Reason: identity.WrongPassword}
	}
	return nil
}

func (staged) Groups(context.Context, *identity.Entry) ([]identity.Group, error) {
	return nil, errors.New("no groups")
}

func (staged) Search(ctx context.Context, _ identity.Query) ([]*identity.Entry, error) {
	identity.Note(ctx, "ldaps://dc3", "searched")
	return nil, nil
}

func (staged) ListGroups(context.Context, int) ([]identity.Group, error)    { return nil, nil }
func (staged) SetPassword(context.Context, string, identity.Password) error { return nil }
func (staged) Map(_ context.Context, e *identity.Entry, _ []identity.Group, _ identity.Status) (identity.Profile, error) {
	return identity.ParseProfile(fmt.Appendf(nil, `{"dn":%q}`, e.DN))
}

// TestEachRequestHasOneLine: what came of it, by which server, how long each
// stage took, and the name that the tenant has for it.
func TestEachRequestHasOneLine(t *testing.T) {
	var mu sync.Mutex
	answers := map[string]Answer{}
	without := ""
	h := &identity.Authenticator{Directory: staged{}, Mapper: staged{}, GroupsFailed: func(ctx context.Context, _ *identity.Entry, _ error) {
		mu.Lock()
		defer mu.Unlock()
		without += identity.Request(ctx) + " "
	}}
	log := &diary{}
	const took = `[0-9.]+(ns|µs|ms|s)`
	want := map[string]string{
		"p-login":    `command=authenticate_user user=jane outcome=accepted find=T bind=T groups=T map=T server=ldaps://dc2 request=p-login took=T`,
		"p-wrong":    `command=authenticate_user user=wrong outcome=refused reason=wrong_password find=T bind=T groups=T map=T server=ldaps://dc2 request=p-wrong took=T`,
		"p-slow":     `command=authenticate_user user=slow outcome=fault reason="no answer in time" find=T groups=T unfinished=bind server=ldaps://dc1 request=p-slow took=1m0s`,
		"p-search":   `command=search_users user=smith outcome=accepted search=T server=ldaps://dc3 request=p-search took=T`,
		"p-list":     `command=list_groups user="" outcome=accepted list-groups=T request=p-list took=T`,
		`p-\nchange`: `command=change_password user=jane outcome=accepted find=T set-password=T groups=T map=T server=ldaps://dc1 request=p-\nchange took=T`,
	}
	bubble(t, h, func(o *Options) {
		o.WriteBack = true
		o.Log = slog.New(slog.NewTextHandler(log, nil))
		o.Answered = func(a Answer) { mu.Lock(); answers[a.Request] = a; mu.Unlock() }
	}, func(t *testing.T, hub *rawHub, _ *Client, _ *states, _ func()) {
		l := hub.accept(t)
		for _, one := range []struct{ command, claims string }{
			{"authenticate_user", `{"pid":"p-login","username":"jane","password":"x"}`},
			{"authenticate_user", `{"pid":"p-wrong","username":"wrong","password":"x"}`},
			{"authenticate_user", `{"pid":"p-slow","username":"slow","password":"x"}`},
			{"search_users", `{"pid":"p-search","search":"smith"}`},
			{"list_groups", `{"pid":"p-list"}`},
			{"change_password", `{"pid":"p-\nchange","username":"jane","password":"x"}`},
		} {
			l.text(t, ask(one.command, one.claims))
			reply := l.hear(t)
			var f struct{ N string }
			if err := json.Unmarshal([]byte(reply), &f); err != nil || !strings.HasPrefix(f.N, "p-") {
				t.Errorf("%s: %v", reply, err)
			}
		}
	})
	lines := map[string]int{}
	for line := range strings.Lines(log.String()) {
		_, text, ok := strings.Cut(line, `msg="command answered" `)
		if !ok {
			continue
		}
		found := false
		for id, w := range want {
			w = strings.ReplaceAll(regexp.QuoteMeta(w), "=T", "="+took)
			if regexp.MustCompile("^" + w + "\n$").MatchString(text) {
				lines[id]++
				found = true
			}
		}
		if !found {
			t.Errorf("an unknown line: %s", text)
		}
	}
	for id := range want {
		if lines[id] != 1 {
			t.Errorf("%s has %d lines", id, lines[id])
		}
	}
	if a := answers["p-wrong"]; a.Link != 1 || a.Arrived.IsZero() || len(a.Stages) != 4 || a.Stages[1].Name != "bind" || a.Stages[1].Began.IsZero() || a.Server() != "ldaps://dc2" {
		t.Errorf("%+v", a)
	}
	if !strings.Contains(without, "p-login ") {
		t.Errorf("logins without groups: %s", without)
	}
}
