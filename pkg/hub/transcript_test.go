package hub

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/identity"
)

// An event is one line of a recording of the existing connector, cut to what
// was said on the websocket and the notes.
type event struct {
	Dir, Kind, Frame, Text, Hex, Base64 string
}

func recording(t testing.TB, name string) []event {
	t.Helper()
	var events []event
	lines := bufio.NewScanner(bytes.NewReader(testdata(t, name)))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	if lines.Err() != nil || len(events) == 0 {
		t.Fatalf("%s: %v, %d events", name, lines.Err(), len(events))
	}
	return events
}

// An exchange is a command of a recording and its reply, "" when there was
// none.
type exchange struct {
	note, frame, reply string
	claims             struct {
		PID                        json.RawMessage
		Username, Password, Search string
		Limit                      json.RawMessage
		Escaped                    bool
	}
}

func exchanges(t *testing.T, name string) []*exchange {
	t.Helper()
	var all []*exchange
	var note string
	for _, e := range recording(t, name) {
		switch {
		case e.Kind == "note":
			note = e.Text
		case e.Dir == "hub>agent":
			x := &exchange{note: note, frame: e.Frame}
			var f struct{ P struct{ JWT string } }
			if err := json.Unmarshal([]byte(e.Frame), &f); err != nil {
				t.Fatal(err)
			}
			content, err := base64.RawURLEncoding.DecodeString(strings.Split(f.P.JWT, ".")[1])
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(content, &x.claims); err != nil {
				t.Fatal(err)
			}
			all = append(all, x)
		default:
			for _, x := range all {
				var pid string
				if json.Unmarshal(x.claims.PID, &pid) == nil && strings.HasPrefix(e.Frame, `{"n":"`+pid+`_`) {
					x.reply = e.Frame
				}
			}
		}
	}
	return all
}

// recorded is a handler that gives back what a recording's reply was made of:
// the profiles as bytes, and the reason by its name. That the reply then comes
// out the same is this package's work.
type recorded struct {
	t *testing.T
	*exchange
}

func (h *recorded) content() (p struct {
	Err *struct {
		Name    string
		Profile identity.Profile
	}
	Profile identity.Profile
	Users   []identity.Profile
	Groups  []json.RawMessage
}) {
	f := struct{ P any }{&p}
	if err := json.Unmarshal([]byte(h.reply), &f); err != nil {
		h.t.Errorf("the recorded reply: %v", err)
	}
	return p
}

func (h *recorded) user(c identity.Credentials) (identity.Profile, error) {
	// Only the right name meets a person; a name with an escape is unescaped,
	// and one with a star is a name with a star.
	name := strings.NewReplacer(`\28`, "(", `\29`, ")", `\2a`, "*").Replace(h.claims.Username)
	if c.Username != name || string(c.Password) != h.claims.Password {
		h.t.Errorf("asked for %q with the password %q", c.Username, string(c.Password))
	}
	if h.claims.Escaped && strings.Contains(h.claims.Username, "*") {
		return identity.Profile{}, &identity.Refusal{Reason: identity.WrongUsername}
	}
	p := h.content()
	if p.Err == nil {
		return p.Profile, nil
	}
	for reason, e := range wireErrors {
		if e.name == p.Err.Name {
			return identity.Profile{}, &identity.Refusal{Reason: reason, Profile: p.Err.Profile}
		}
	}
	return identity.Profile{}, fmt.Errorf("no reason is called %q", p.Err.Name)
}

func (h *recorded) Authenticate(_ context.Context, c identity.Credentials) (identity.Profile, error) {
	return h.user(c)
}

func (h *recorded) ChangePassword(_ context.Context, c identity.Credentials) (identity.Profile, error) {
	return h.user(c)
}

func (h *recorded) Search(_ context.Context, q identity.Query) ([]identity.Profile, error) {
	if want := max(limit(h.claims.Limit), 0); q.Text != h.claims.Search || q.Limit != want {
		h.t.Errorf("searched for %+v", q)
	}
	if h.reply == "" {
		return nil, nil
	}
	return h.content().Users, nil
}

func (h *recorded) Groups(_ context.Context, limit int) ([]identity.Group, error) {
	if h.reply == "" {
		return slices.Repeat([]identity.Group{{Label: json.RawMessage(`"team-000"`)}}, limit), nil
	}
	var found []identity.Group
	for _, label := range h.content().Groups {
		found = append(found, identity.Group{Label: label})
	}
	return found, nil
}

// deviations are the replies that differ from the recorded ones on purpose, by
// recording and pid.
var deviations = map[string]struct{ want, why string }{
	"15-login-escaped-flag.jsonl p43xgxvjceam8vn2": {
		`{"n":"p43xgxvjceam8vn2_result","p":{"err":{"message":"Wrong username","username":"user0004*","name":"WrongUsername"},"profile":{"username":"user0004*"}}}`,
		"an escaped name was pasted into the filter: user0004* logged in whomever it found first"},
	"15-login-escaped-flag.jsonl p45x3dj6gxa2mrwf": {
		`{"n":"p45x3dj6gxa2mrwf_result","p":{"err":{"message":"Wrong username","username":"*","name":"WrongUsername"},"profile":{"username":"*"}}}`,
		"the same with *: anybody"},
	"20-search-users-term.jsonl p61x9b37tzvu7z9i": {
		`{"n":"p61x9b37tzvu7z9i_search_users_result","p":{"users":[]}}`,
		"a negative limit was never answered; it means none"},
	"30-list-groups.jsonl p70x1cg1098xz93d2": {
		`{"n":"p70x1cg1098xz93d2_list_groups_result","p":{"groups":["team-000","team-000"]}}`,
		"a limit below the number of groups was never answered"},
}

// TestRecordings plays what the tenant said to the existing connector, and
// wants the same bytes back. Recordings 13 and 80 (last exchange) show the raw
// entry for an empty password: which profile a refusal carries is the
// handler's matter, so the bytes are the same here.
func TestRecordings(t *testing.T) {
	unused := maps.Clone(deviations)
	for _, name := range []string{
		"10-login-success.jsonl", "11-login-wrong-password.jsonl", "12-login-wrong-username.jsonl",
		"13-login-empty-password.jsonl", "15-login-escaped-flag.jsonl", "18-group-properties.jsonl",
		"20-search-users-term.jsonl", "30-list-groups.jsonl", "41-change-password-success.jsonl",
		"43-change-password-unknown-user.jsonl", "80-ad-mock-logins.jsonl", "83-ad-mock-change-password.jsonl",
	} {
		t.Run(name, func(t *testing.T) {
			h := &recorded{t: t}
			l, _, _ := meet(t, h, nil)
			all := exchanges(t, name)
			if len(all) == 0 {
				t.Fatal("nothing was played")
			}
			for _, x := range all {
				h.exchange = x
				want := x.reply
				var pid string
				if err := json.Unmarshal(x.claims.PID, &pid); err != nil {
					t.Fatal(err)
				}
				if d, ok := deviations[name+" "+pid]; ok {
					want = d.want
					delete(unused, name+" "+pid)
				}
				l.say(t, x.frame)
				if got := l.hear(t); got != want {
					t.Errorf("%s\n got %s\nwant %s", x.note, got, want)
				}
			}
		})
	}
	for key := range unused {
		t.Errorf("no recording shows the deviation %s", key)
	}
}

// TestRecordedTokens wants the same tokens taken as the existing connector
// took, but for those it should not have.
func TestRecordedTokens(t *testing.T) {
	deviations := map[string]bool{ // by note: whether it is taken now
		"expired 10 s ago": true, // the clocks may differ by a minute
		"expired 1 s ago":  true,
		"iat tomorrow":     false,
		"replay1, again":   false, // the same token twice
		"no pid":           false, // was answered as null_result
		"pid missing":      false, // was answered as undefined_result
	}
	v := newVerifier(signingKey, func() time.Time { return time.Unix(1795302254, 0) })
	seen := map[string]bool{}
	all := exchanges(t, "50-jwt-hs256-key.jsonl")
	for _, x := range all {
		note, taken := x.note, x.reply != ""
		switch pid := string(x.claims.PID); {
		case pid == "17":
			note, taken = "pid number", true // answered as 17_result
		case pid == "":
			note = "pid missing"
		case pid == `"cross1"`:
			taken = true // its reply of 3.8 MB was not kept
		case seen[pid]:
			note = strings.Trim(pid, `"`) + ", again"
		}
		seen[string(x.claims.PID)] = true
		if d, ok := deviations[note]; ok {
			taken = d
			delete(deviations, note)
		}
		f, err := decodeFrame([]byte(x.frame))
		if err != nil {
			t.Fatal(err)
		}
		token, err := f.token()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.check(token); (err == nil) != taken {
			t.Errorf("%s: err = %v, want taken = %v", note, err, taken)
		}
	}
	if len(deviations) > 0 || len(all) < 20 {
		t.Errorf("of %d tokens, none shows %v", len(all), slices.Collect(maps.Keys(deviations)))
	}
}
