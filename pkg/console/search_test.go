package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/agent"
)

// hostileEntry has the corpus as the value of every attribute that a user may
// set.
func hostileEntry() *Entry {
	e := &Entry{DN: "CN=" + xssCorpus[0] + ",DC=corp"}
	for _, name := range []string{"displayName", "givenName", "sn", "mail", "telephoneNumber", "description", "title", "info", "wWWHomePage", "thumbnailPhoto"} {
		a := Attribute{Name: name}
		for _, x := range xssCorpus {
			a.Values = append(a.Values, []byte(x))
		}
		e.Attributes = append(e.Attributes, a)
	}
	e.Attributes = append(e.Attributes,
		Attribute{Name: "objectGUID", Values: [][]byte{{0, 1, 2, 0xff}}},
		Attribute{Name: "many", Values: make([][]byte, mostValues+3)},
		Attribute{Name: "long", Values: [][]byte{[]byte(strings.Repeat("é", mostOctets))}},
		Attribute{Name: `<script>alert(1)</script>`, Values: [][]byte{[]byte("name")}})
	return e
}

func hostileProfile(t *testing.T) string {
	t.Helper()
	p := map[string]any{"nickname": xssCorpus[0], "displayName": xssCorpus[5], "dn": xssCorpus[2], "emails": []any{map[string]any{"value": xssCorpus[1]}}, xssCorpus[3]: xssCorpus}
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func searchOptions(t *testing.T) Options {
	stages := []StageReport{{Name: "find", Server: xssCorpus[0], Detail: xssCorpus[1], Took: time.Millisecond, Failed: true}}
	return Options{Health: func() []agent.Health { return nil }, Search: &Search{
		Users: func(_ context.Context, text string, limit int) ([]string, []StageReport, error) {
			switch text {
			case "none":
				return nil, nil, nil
			case "fault":
				return nil, stages, errors.New("search: " + xssCorpus[0])
			}
			var all []string
			for range min(limit, 3) {
				all = append(all, hostileProfile(t))
			}
			return all, stages, nil
		},
		Groups: func(context.Context, string, int) ([]Group, []StageReport, error) {
			return []Group{{Name: xssCorpus[0], DN: xssCorpus[1]}}, stages, nil
		},
		Entry: func(_ context.Context, login string) (*Entry, []StageReport, error) {
			if login == "nobody" {
				return nil, nil, nil
			}
			return hostileEntry(), stages, nil
		},
		Login: func(_ context.Context, user, password string) LoginReport {
			if password == "right-password" {
				return LoginReport{Outcome: "accepted", Stages: stages, Profile: hostileProfile(t)}
			}
			return LoginReport{Outcome: "refused", Reason: "wrong_password", Meaning: "the directory does not accept this password", Stages: stages}
		},
		Filters: func() (string, string, string) { return "(uid={0})", "(cn=<b>{0})", "(objectClass=group)" },
	}}
}

// TestSearch shows what users have written as the text it is.
func TestSearch(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, searchOptions(t))
	for path, want := range map[string]string{
		"/search-users":                                "(uid={0})",
		"/search-users?q=mary":                         "3 found",
		"/search-users?q=mary&limit=2":                 "there may be more",
		"/search-users?q=mary&limit=x":                 "3 found",
		"/search-users?q=":                             "3 found",
		"/search-users?q=none":                         "Nothing found.",
		"/search-users?q=fault":                        "search: ",
		"/search-users?q=x&what=groups":                "1 found",
		"/search-users?q=mary&what=login":              "objectGUID",
		"/search-users?q=nobody&what=login":            "User not found.",
		"/search-users?q=&what=login":                  "Type a login name.",
		"/search-users?q=%3Cscript%3Ealert(1)&what=no": "3 found",
	} {
		code, body := v.get(path)
		if code != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d, without %q", path, code, want)
		}
		checkEscaped(t, body)
		if strings.ContainsAny(body, "\u202e\x00") {
			t.Errorf("%s: what turns or ends a text is in the page", path)
		}
	}
	_, body := v.get("/search-users?q=mary&what=login")
	for _, want := range []string{"000102ff", "4 octets, hexadecimal", "and 3 more", "…"} {
		if !strings.Contains(body, want) {
			t.Errorf("the entry does not show %q", want)
		}
	}
}

// TestExplainLogin tells of each stage, and keeps no password.
func TestExplainLogin(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, searchOptions(t))
	for password, want := range map[string]string{"right-password": "accepted", "planted-wrong": "the directory does not accept this password"} {
		code, body := v.post("/search-users/login", url.Values{"user": {"mary" + xssCorpus[0]}, "password": {password}})
		if code != 200 || !strings.Contains(body, want) || strings.Contains(body, password) {
			t.Errorf("%s: %d %s", password, code, body)
		}
		checkEscaped(t, body)
	}
	if code, _ := v.post("/search-users/login", url.Values{"password": {"x"}}); code != 422 {
		t.Errorf("nobody's login: %d", code)
	}
	for _, c := range v.audited() {
		if c.What == "login.try" && len(c.Keys) > 0 {
			t.Errorf("audited with %q", c.Keys)
		}
	}
}
