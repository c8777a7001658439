package wsfed

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/identity"
)

// cookie returns the value of a cookie that the site's browser keeps.
func (s *site) cookie(t testing.TB, name string) string {
	t.Helper()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range s.browser.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

func TestASessionSparesTheForm(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.login(t, "ada", "right")
	asked := s.people.asked
	if a := s.do(t, http.MethodGet, tenants, ""); !a.signedIn() || s.people.asked != asked || s.last() != (ended{"session", Accepted}) {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	// Another node of the cluster has the same secret, and nothing else in common.
	s.serve(t)
	if a := s.do(t, http.MethodGet, tenants, ""); !a.signedIn() {
		t.Errorf("on another node: %d %s", a.StatusCode, a.body)
	}
	if a := s.do(t, http.MethodGet, tenants+"&wprompt=consent", ""); a.signedIn() || a.token() == "" {
		t.Errorf("who wants to be asked: %s", a.body)
	}
	s.people.set(func(p *people) { p.profile = `{"id":"7","displayName":"Ada King","groups":["Board"]}` })
	if a := s.do(t, http.MethodGet, tenants, ""); !strings.Contains(a.result(), "Board") {
		t.Errorf("the profile is an old one: %s", a.result())
	}
}

func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		end  func(*site)
		says string // on the form
		logs string
	}{
		{"by time", func(s *site) { s.later(8 * time.Hour) }, "", ""},
		{"when another key is used", func(s *site) { s.options.Secret = bytes.Repeat([]byte("t"), 32) }, "Your session has ended.", "another one now"},
		{"when the lifetime was made shorter", func(s *site) { s.options.SessionLife = time.Minute; s.later(2 * time.Minute) }, "", ""},
		{"when the user is gone", func(s *site) { s.people.refuse = map[string]identity.Reason{"ada": identity.WrongUsername} }, "Your session has ended.", "does not admit its user"},
		{"when the name is another's", func(s *site) { s.people.profile = `{"id":"8"}` }, "Your session has ended.", "another user's now"},
	} {
		s := newSite(t)
		s.login(t, "ada", "right")
		tt.end(s)
		s.serve(t)
		a := s.do(t, http.MethodGet, tenants, "")
		if a.signedIn() || a.token() == "" || !strings.Contains(a.body, tt.says) || s.cookie(t, sessionCookie) != "" || !strings.Contains(s.log.String(), tt.logs) {
			t.Errorf("%s: %d %s, log %s", tt.name, a.StatusCode, a.body, s.log)
		}
	}
}

func TestForgedCookies(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.login(t, "ada", "right")
	good, form := s.cookie(t, sessionCookie), s.cookie(t, formCookie)
	if good == "" || len(good) > maxCookie || strings.Contains(good, "ada") {
		t.Fatalf("the cookie is %q", good)
	}
	h := s.handler(t).(*handler)
	swapped, err := h.forms.seal(session{User: "ada", ID: "x", Ends: noon.Add(time.Hour).Unix(), Proved: noon.Unix()})
	if err != nil {
		t.Fatal(err)
	}
	flipped := []byte(good)
	flipped[len(flipped)/2] ^= 1
	for name, value := range map[string]string{
		"one bit": string(flipped), "cut off": good[:len(good)-4], "short": "AAAA", "nothing": "", "not base64": "!!!!", "the other one": form,
		"very long": strings.Repeat("A", maxCookie+4), "sealed for a form": swapped, "existing connector's": "00ff$00ff$00ff",
	} {
		a := s.stranger(t).do(t, http.MethodGet, tenants, "", "Cookie", sessionCookie+"="+value)
		if a.signedIn() || a.token() == "" {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.body)
		}
	}
	if a := s.stranger(t).do(t, http.MethodGet, tenants, "", "Cookie", sessionCookie+"="+good); !a.signedIn() {
		t.Errorf("the good one: %d %s", a.StatusCode, a.body)
	}
}

// stranger is the same site, seen by a browser without cookies.
func (s *site) stranger(t testing.TB) *site {
	t.Helper()
	return &site{Server: s.Server, people: s.people, options: s.options, browser: newBrowser(t), log: s.log}
}

// TestLoginCSRF is that of another site that logs its visitor in under a name
// of its own, with a token that it got for itself.
func TestLoginCSRF(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	attacker := s.stranger(t).do(t, http.MethodGet, tenants, "")
	s.do(t, http.MethodGet, tenants, "") // the visitor has been here
	body := url.Values{"username": {"mallory"}, "password": {"right"}, "token": {attacker.token()}}.Encode()
	if a := s.do(t, http.MethodPost, tenants, body); a.signedIn() || s.people.asked != 0 {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	form := s.do(t, http.MethodGet, tenants, "")
	s.later(formLife)
	body = url.Values{"username": {"ada"}, "password": {"right"}, "token": {form.token()}}.Encode()
	if a := s.do(t, http.MethodPost, tenants, body); a.signedIn() || !strings.Contains(a.body, "open for too long") || !strings.Contains(a.body, `value="ada"`) {
		t.Errorf("an old form: %d %s", a.StatusCode, a.body)
	}
}

func TestCookiesAreGuarded(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		url, prefix string
		secure      bool
	}{{"http://login.corp.example:4000", "", false}, {"https://login.corp.example", "__Host-", true}} {
		s := newSite(t, func(o *Options) { o.URL = tt.url })
		h := s.handler(t)
		get := httptest.NewRecorder()
		h.ServeHTTP(get, httptest.NewRequest(http.MethodGet, tenants, nil))
		cookies := get.Result().Cookies()
		if len(cookies) != 1 {
			t.Fatalf("%v", cookies)
		}
		token := tokenPattern.FindStringSubmatch(get.Body.String())[1]
		r := httptest.NewRequest(http.MethodPost, tenants, strings.NewReader(url.Values{"username": {"ada"}, "password": {"right"}, "token": {token}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", strings.TrimSuffix(tt.url, "/"))
		r.AddCookie(cookies[0])
		post := httptest.NewRecorder()
		h.ServeHTTP(post, r)
		cookies = append(cookies, post.Result().Cookies()...)
		if len(cookies) != 2 || cookies[0].Name != tt.prefix+formCookie || cookies[1].Name != tt.prefix+sessionCookie {
			t.Fatalf("%s: %v", tt.url, cookies)
		}
		for _, c := range cookies {
			if c.Secure != tt.secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.MaxAge <= 0 {
				t.Errorf("%s: %s", tt.url, c)
			}
		}
	}
}

func TestNoSessions(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *Options) { o.SessionLife = 0 })
	if a := s.login(t, "ada", "right"); !a.signedIn() || s.cookie(t, sessionCookie) != "" {
		t.Errorf("%d %v", a.StatusCode, a.Cookies())
	}
}

// TestAPrincipalKeepsItsPlace tries that who was found in one part of the
// directory is looked for there again, and that no cookie grows beyond its
// bound.
func TestAPrincipalKeepsItsPlace(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		place identity.Place
		keeps bool
	}{
		{identity.Place{Filter: "(mail={0})", BaseDN: "DC=other"}, true},
		{identity.Place{BaseDN: strings.Repeat("x", maxCookie)}, false},
	} {
		who := identity.Principal{Name: "ada", Realm: "CORP", Place: tt.place}
		s := newSite(t)
		s.options.Ways = []Way{{ByKerberos, negotiator(func(_ http.ResponseWriter, r *http.Request) (identity.Principal, error) {
			if r.Header.Get("Authorization") == "" {
				return identity.Principal{}, ErrNoProof
			}
			return who, nil
		})}}
		s.serve(t)
		if a := s.do(t, http.MethodGet, tenants, "", "Authorization", "x"); !a.signedIn() {
			t.Fatalf("%d %s", a.StatusCode, a.body)
		}
		if a := s.do(t, http.MethodGet, tenants, ""); a.signedIn() != tt.keeps || tt.keeps && s.people.last != who {
			t.Errorf("%d, asked for %+v", a.StatusCode, s.people.last)
		}
	}
}
