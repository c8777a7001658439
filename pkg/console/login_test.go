package console

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// hashed is the hash of testPassword: it takes a moment, and is always the same.
var hashed = must(HashPassword(testPassword))

// A wristwatch is a clock that is set by hand.
type wristwatch struct{ ns atomic.Int64 }

func newWristwatch() *wristwatch {
	w := new(wristwatch)
	w.ns.Store(time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC).UnixNano())
	return w
}

func (w *wristwatch) now() time.Time        { return time.Unix(0, w.ns.Load()) }
func (w *wristwatch) pass(by time.Duration) { w.ns.Add(int64(by)) }

var formToken = regexp.MustCompile(`name="token" value="([^"]+)"`)

// logIn tries a password.
func (v *visitor) logIn(password, to string) (int, string) {
	v.t.Helper()
	_, body := v.get("/login?to=" + url.QueryEscape(to))
	token := formToken.FindStringSubmatch(body)
	if token == nil {
		v.t.Fatalf("no form: %s", body)
	}
	return v.postRaw("/login", url.Values{"token": {token[1]}, "to": {to}, "password": {password}})
}

func withPassword(o Options) Options {
	o.Password = func() (string, error) { return hashed, nil }
	return o
}

// TestLinksWorkOnce: and neither looking at one's head nor guessing ahead uses
// it up.
func TestLinksWorkOnce(t *testing.T) {
	t.Parallel()
	v := startConsole(t, Options{})
	if code, _ := v.do(v.request("HEAD", "/login?once="+testLink, nil)); code != http.StatusServiceUnavailable {
		t.Errorf("its head: %d", code)
	}
	r := v.request("GET", "/login?once="+testLink, nil)
	r.Header.Set("Sec-Purpose", "prefetch;prerender")
	if code, _ := v.do(r); code != http.StatusServiceUnavailable {
		t.Errorf("a guess: %d", code)
	}
	for _, wrong := range []string{"x", testLink + "x", strings.Repeat("x", 1000), "%00"} {
		if code, _ := v.get("/login?once=" + wrong); code != http.StatusForbidden {
			t.Errorf("%.20s: %d", wrong, code)
		}
	}
	if code, _ := v.get("/login?once=" + testLink); code != http.StatusOK {
		t.Errorf("the first time: %d", code)
	}
	if code, _ := v.get("/"); code != http.StatusOK {
		t.Errorf("logged in: %d", code)
	}
	v.client = v.browser()
	if code, body := v.get("/login?once=" + testLink); code != http.StatusForbidden || !strings.Contains(body, "used already") {
		t.Errorf("the second time: %d", code)
	}
	if code, _ := v.get("/"); code != http.StatusSeeOther {
		t.Errorf("after the second time: %d", code)
	}
	outcomes := ""
	for _, c := range v.audited() {
		outcomes += c.What + " " + c.Outcome + " " + c.By + ","
	}
	if !strings.Contains(outcomes, "login accepted link,") || !strings.Contains(outcomes, "login refused link,") {
		t.Errorf("kept: %s", outcomes)
	}
}

// TestPassword logs in by the password, and out again.
func TestPassword(t *testing.T) {
	t.Parallel()
	v := startConsole(t, withPassword(Options{}))
	if code, body := v.logIn("wrong "+testPassword, "/"); code != http.StatusForbidden || !strings.Contains(body, "The password is wrong.") || strings.Contains(body, testPassword) {
		t.Fatalf("a wrong one: %d %s", code, body)
	}
	if code, _ := v.logIn(testPassword, "/troubleshooting"); code != http.StatusSeeOther || v.location != "/troubleshooting" {
		t.Fatalf("the right one: %d, to %q", code, v.location)
	}
	if code, body := v.get("/update"); code != http.StatusOK || !strings.Contains(body, "by password") {
		t.Errorf("a page: %d", code)
	}
	if code, _ := v.post("/logout", nil); code != http.StatusSeeOther {
		t.Errorf("logout: %d", code)
	}
	if code, _ := v.get("/update"); code != http.StatusSeeOther {
		t.Errorf("after it: %d", code)
	}
}

// TestLoginLeadsNowhereElse: after a login a browser stays here.
func TestLoginLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	v := startConsole(t, withPassword(Options{}))
	for _, to := range []string{"https://evil.example/", "//evil.example", "/\\evil.example", "/login?once=x", "javascript:alert(1)", "/nowhere", ""} {
		v.client = v.browser()
		if code, _ := v.logIn(testPassword, to); code != http.StatusSeeOther || v.location != "/" {
			t.Errorf("%q: %d, to %q", to, code, v.location)
		}
	}
}

// TestLoginOfAnotherSite: nobody can log a browser in from elsewhere.
func TestLoginOfAnotherSite(t *testing.T) {
	t.Parallel()
	v := startConsole(t, withPassword(Options{}))
	if code, _ := v.postRaw("/login", url.Values{"token": {"x"}, "password": {testPassword}}); code != http.StatusForbidden {
		t.Errorf("without the form's cookie: %d", code)
	}
	v.get("/login")
	if code, _ := v.postRaw("/login", url.Values{"token": {secret()}, "password": {testPassword}}); code != http.StatusForbidden {
		t.Errorf("with another form's token: %d", code)
	}
	if code, _ := v.get("/"); code != http.StatusSeeOther {
		t.Errorf("then: %d", code)
	}
}

// TestFixation: an id that was in the browser before the login gets nobody in.
func TestFixation(t *testing.T) {
	t.Parallel()
	v := startConsole(t, withPassword(Options{}))
	here := must(url.Parse(v.server.URL))
	name := "connector-session-" + here.Port()
	planted := secret()
	v.client.Jar.SetCookies(here, []*http.Cookie{{Name: name, Value: planted, Path: "/"}})
	v.logIn(testPassword, "/")
	for _, c := range v.client.Jar.Cookies(here) {
		if c.Name == name && c.Value == planted {
			t.Error("the login has kept an id that it did not make")
		}
	}
	other := v.browser()
	other.Jar.SetCookies(here, []*http.Cookie{{Name: name, Value: planted, Path: "/"}})
	v.client = other
	if code, _ := v.get("/"); code != http.StatusSeeOther {
		t.Errorf("whoever planted it: %d", code)
	}

	// The session that the browser had before is over too.
	v.client = v.browser()
	v.logIn(testPassword, "/")
	before := v.client.Jar.Cookies(here)
	v.logIn(testPassword, "/")
	v.client = v.browser()
	v.client.Jar.SetCookies(here, before)
	if code, _ := v.get("/"); code != http.StatusSeeOther {
		t.Errorf("the session of before: %d", code)
	}
}

// TestCookie: what a browser is told to do with it.
func TestCookie(t *testing.T) {
	t.Parallel()
	v := startConsole(t, Options{})
	v.get("/login?once=" + testLink)
	set := strings.Join(v.header.Values("Set-Cookie"), "\n")
	for _, want := range []string{"HttpOnly", "SameSite=Strict", "Path=/"} {
		if !strings.Contains(set, want) {
			t.Errorf("%s is not in %q", want, set)
		}
	}
	if strings.Contains(set, "Expires") && !strings.Contains(set, "Max-Age=0") || strings.Contains(set, "Domain") {
		t.Errorf("the cookie is %q", set)
	}
}

// TestBruteForce: wrong passwords take longer and longer, and a link gets in all
// the same.
func TestBruteForce(t *testing.T) {
	t.Parallel()
	watch := newWristwatch()
	v := startConsole(t, withPassword(Options{Sessions: NewSessions(watch.now), Now: watch.now}))
	for i := range freeTries {
		if code, _ := v.logIn("wrong", "/"); code != http.StatusForbidden {
			t.Fatalf("try %d: %d", i, code)
		}
	}
	if code, body := v.logIn(testPassword, "/"); code != http.StatusTooManyRequests || !strings.Contains(body, "Too many wrong passwords") || v.header.Get("Retry-After") == "" {
		t.Fatalf("the right one, too soon: %d", code)
	}
	tried, waited := 0, time.Duration(0)
	for waited < 24*time.Hour {
		watch.pass(time.Second)
		waited += time.Second
		v.options.Sessions.mu.Lock()
		if v.options.Sessions.throttle.enter() == 0 {
			v.options.Sessions.throttle.leave(false)
			tried++
		}
		v.options.Sessions.mu.Unlock()
	}
	if tried > 24*60/5+20 {
		t.Errorf("%d passwords can be tried in a day", tried)
	}
	if code, _ := v.get("/login?once=" + testLink); code != http.StatusOK {
		t.Errorf("a link, meanwhile: %d", code)
	}
	v.client = v.browser()
	watch.pass(longestWait)
	if code, _ := v.logIn(testPassword, "/"); code != http.StatusSeeOther {
		t.Errorf("after the wait: %d", code)
	}
}

// TestHashes: what is kept of a password, and what is not one.
func TestHashes(t *testing.T) {
	t.Parallel()
	if strings.Contains(hashed, testPassword) || !strings.HasPrefix(hashed, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("the hash is %q", hashed)
	}
	if ok, err := samePassword(hashed, testPassword); !ok || err != nil {
		t.Errorf("the password: %v, %v", ok, err)
	}
	for _, wrong := range []string{"", "Correct horse battery", testPassword + " ", strings.Repeat("x", longestPassword+1)} {
		if ok, err := samePassword(hashed, wrong); ok || err != nil {
			t.Errorf("%.20q: %v, %v", wrong, ok, err)
		}
	}
	for _, bad := range []string{"short", strings.Repeat("x", longestPassword+1)} {
		if h, err := HashPassword(bad); err == nil {
			t.Errorf("%.20q became %q", bad, h)
		}
	}
}

// FuzzHash: nothing that stands in the place of a hash lets anybody in, or takes
// the machine down.
func FuzzHash(f *testing.F) {
	for _, seed := range []string{
		"", "$", "$argon2id$v=19$m=19456,t=2,p=1$$", "$argon2id$v=19$m=99999999,t=2,p=1$c2FsdHNhbHQ$a2V5a2V5a2V5a2V5",
		"$argon2id$v=19$m=8,t=1,p=0$c2FsdHNhbHQ$a2V5a2V5a2V5a2V5", "$2a$10$x", "$argon2id$v=19$m=-1,t=2,p=1$c2FsdHNhbHQ$a2V5a2V5a2V5a2V5",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, hash string) {
		if len(hash) > 300 || strings.Count(hash, "$") == 5 && !strings.Contains(hash, "m=8,t=1,") && !strings.Contains(hash, "m=19456,t=2,p=1$$") && strings.Contains(hash, "m=") {
			return // it may take its time
		}
		if ok, _ := samePassword(hash, "a password that is nobody's"); ok {
			t.Errorf("%q lets in", hash)
		}
	})
}

// TestPasswordCannotBeRead: then there is none, and links work.
func TestPasswordCannotBeRead(t *testing.T) {
	t.Parallel()
	v := startConsole(t, Options{Password: func() (string, error) { return "", errors.New("permission denied") }})
	if code, body := v.get("/login"); code != http.StatusOK || strings.Contains(body, "<form") {
		t.Errorf("the form: %d %s", code, body)
	}
	if code, _ := v.get("/login?once=" + testLink); code != http.StatusOK {
		t.Errorf("a link: %d", code)
	}
}
