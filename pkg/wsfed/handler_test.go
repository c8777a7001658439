package wsfed

import (
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/identity"
)

var resultPattern = regexp.MustCompile(`name="wresult" value="([^"]*)"`)

// result is the wresult that an answer sends on.
func (a answer) result() string {
	m := resultPattern.FindStringSubmatch(a.body)
	if m == nil {
		return ""
	}
	return html.UnescapeString(m[1])
}

func TestTheFormLetsIn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	form := s.do(t, http.MethodGet, tenants, "")
	if form.StatusCode != http.StatusOK || !strings.Contains(form.body, "<title>Corp &lt;Login&gt;</title>") || strings.Contains(form.body, "<script") {
		t.Fatalf("%d %s", form.StatusCode, form.body)
	}
	in := s.login(t, "ada", "right")
	if !in.signedIn() || s.last() != (ended{"password", Accepted}) {
		t.Fatalf("%d %s", in.StatusCode, in.body)
	}
	for _, want := range []string{
		`<form method="post" name="hiddenform" action="https://corp.example/login/callback">`, `<input type="hidden" name="wa" value="wsignin1.0">`,
		`<input type="hidden" name="wctx" value="state-1">`, "<script>document.forms[0].submit()</script>", "Script is disabled. Click Submit to continue.", "<title>Working...</title>",
	} {
		if !strings.Contains(in.body, want) {
			t.Errorf("there is no %s in %s", want, in.body)
		}
	}
	if e := s.lastEntry(); e.User != "ada" || e.Source != "127.0.0.1" || e.Reason != "" || e.Began.IsZero() {
		t.Errorf("it was told as %+v", e)
	}
	_, certPEM := agentPair(t)
	if err := verify(t, in.result(), certPEM); err != nil {
		t.Error(err)
	}
	for _, want := range []string{
		"<saml:Audience>urn:auth0:corp</saml:Audience>", `Context="state-1"`, `NotOnOrAfter="2026-03-04T12:05:00.123Z"`,
		`AuthenticationMethod="urn:oasis:names:tc:SAML:1.0:am:password"`, "Ada Lovelace",
	} {
		if !strings.Contains(in.result(), want) {
			t.Errorf("there is no %s in %s", want, in.result())
		}
	}
	if !strings.Contains(s.log.String(), `msg="signed in" user=ada name="Ada Lovelace" method=password from=127.0.0.1`) || strings.Contains(s.log.String(), "right") {
		t.Errorf("the log: %s", s.log)
	}
}

// TestBadInput is what each door gives whoever sends what it does not want.
func TestBadInput(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const form = "application/x-www-form-urlencoded"
	for _, tt := range []struct {
		name, method, path, body string
		header                   []string
		status                   int
		says                     string
	}{
		{name: "another realm", path: "/wsfed?wtrealm=SESSION_SECRET", status: 400, says: "postUrl is required"},
		{name: "a realm that differs in case", path: "/wsfed?wtrealm=URN:auth0:corp", status: 400, says: "postUrl is required"},
		{name: "a foreign wreply", path: tenants + "&wreply=https://evil.example/", status: 400, says: "postUrl is required"},
		{name: "a wreply that only begins well", path: tenants + "&wreply=" + callback + "x", status: 400, says: "postUrl is required"},
		{name: "two realms", path: "/wsfed?wtrealm=urn:auth0:corp&wtrealm=x", status: 400, says: "more than once"},
		{name: "a broken query", path: "/wsfed?wtrealm=%zz", status: 400, says: "damaged"},
		{name: "a script in the realm", path: "/wsfed?wtrealm=<script>alert(1)</script>", status: 400, says: "postUrl is required"},
		{name: "credentials in the query", path: tenants + "&username=ada&password=right", status: 200, says: `name="password"`},
		{name: "a user in a header", path: tenants, header: []string{"X-Forwarded-User", "ada"}, status: 200, says: `name="password"`},
		{name: "a user in the other header", path: tenants, header: []string{"X-Iisnode-Logon_User", `CORP\ada`}, status: 200, says: `name="password"`},
		{name: "the wrong method", method: "DELETE", path: "/wsfed", status: 405},
		{name: "the wrong method for the metadata", method: "POST", path: metadataPath, status: 405},
		{name: "headers are not told", path: "/test-headers", status: 404},
		{name: "nor are users", path: "/test-iis", status: 404},
		{name: "another path", path: "/wsfed/other", status: 404},
		{name: "a form of nothing", method: "POST", path: tenants, header: []string{"Content-Type", form}, status: 403, says: "open for too long"},
		{name: "a form without a token", method: "POST", path: tenants, body: "username=ada&password=right", status: 403, says: "open for too long"},
		{name: "a forged token", method: "POST", path: tenants, body: "username=ada&password=right&token=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", status: 403, says: "open for too long"},
		{name: "another site's form", method: "POST", path: tenants, body: "username=ada&password=right", header: []string{"Origin", "https://evil.example"}, status: 400},
		{name: "another site's form, by its own word", method: "POST", path: tenants, body: "username=ada&password=right", header: []string{"Sec-Fetch-Site", "cross-site"}, status: 400},
		{name: "a form that is none", method: "POST", path: tenants, body: `{"username":"ada"}`, header: []string{"Content-Type", "application/json"}, status: 400, says: "damaged"},
		{name: "a form without a type", method: "POST", path: tenants, body: "x", header: []string{"Content-Type", ";"}, status: 400, says: "damaged"},
		{name: "a form that is too long", method: "POST", path: tenants, body: "username=" + strings.Repeat("a", maxBody), status: 400, says: "too long"},
		{name: "direct: a wrong password", method: "POST", path: "/wsfed/direct", body: "username=ada&password=wrong", status: 401, says: `{"invalid_user_password":"Wrong email or password."}`},
		{name: "direct: nothing", method: "POST", path: "/wsfed/direct", body: "x=y", status: 401, says: `{"invalid_user_password"`},
		{name: "direct: a password that is a number", method: "POST", path: "/wsfed/direct", body: `{"username":"ada","password":1}`, header: []string{"Content-Type", "application/json"}, status: 401, says: `{"invalid_user_password"`},
		{name: "direct: a list", method: "POST", path: "/wsfed/direct", body: `["ada","right"]`, header: []string{"Content-Type", "application/json"}, status: 400, says: "damaged"},
		{name: "direct: another site", method: "POST", path: "/wsfed/direct", body: "username=ada&password=right", header: []string{"Origin", "https://evil.example"}, status: 400},
	} {
		if tt.method == "" {
			tt.method = http.MethodGet
		}
		a := s.do(t, tt.method, tt.path, tt.body, tt.header...)
		if a.StatusCode != tt.status || !strings.Contains(a.body, tt.says) {
			t.Errorf("%s: %d %s", tt.name, a.StatusCode, a.body)
		}
		if a.signedIn() || strings.Contains(a.body, "<script") || strings.Contains(a.body, "goroutine") || strings.Contains(a.body, ".go:") {
			t.Errorf("%s: it shows what it must not: %s", tt.name, a.body)
		}
		if a.Header.Get("Content-Security-Policy") == "" || a.Header.Get("X-Content-Type-Options") != "nosniff" || a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("X-Powered-By") != "" {
			t.Errorf("%s: headers %v", tt.name, a.Header)
		}
	}
	if s.people.asked != 1 { // for the one wrong password
		t.Errorf("the directory was asked %d times", s.people.asked)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.people.refuse = map[string]identity.Reason{
		"old": identity.PasswordExpired, "new": identity.PasswordChangeRequired, "off": identity.AccountDisabled, "gone": identity.AccountExpired,
		"locked": identity.AccountLocked, "nobody": identity.WrongUsername, "two": identity.AmbiguousUsername,
	}
	const incorrect = "The username or password you entered is incorrect."
	for username, want := range map[string]string{
		"old": "Your password has expired.", "new": "You must change your password", "off": "Your account is disabled.", "gone": "Your account has expired.",
		"locked": incorrect, "nobody": incorrect, "two": incorrect, "ada": incorrect, "": "Enter your user name", strings.Repeat("x", maxUsername+1): incorrect,
	} {
		a := s.login(t, username, "wrong & secret")
		if a.StatusCode != http.StatusForbidden || !strings.Contains(a.body, want) || !strings.Contains(a.body, `role="alert"`) || strings.Contains(a.body, "secret") {
			t.Errorf("%.20s: %d %s", username, a.StatusCode, a.body)
		}
		if a.token() == "" || username == "ada" && !strings.Contains(a.body, `value="ada"`) {
			t.Errorf("%.20s: the form cannot be sent again: %s", username, a.body)
		}
	}
	if a := s.login(t, `"><b>`, "x"); strings.Contains(a.body, "<b>") {
		t.Errorf("the name got out: %s", a.body)
	}
	if strings.Contains(s.log.String(), "secret") {
		t.Errorf("the log: %s", s.log)
	}
	if a := s.login(t, "ada", "wrong", "Accept-Language", "fr-CA, de;q=0.5"); !strings.Contains(a.body, `lang="fr"`) || !strings.Contains(a.body, "Le nom d’utilisateur ou le mot de passe est incorrect.") {
		t.Errorf("in French: %s", a.body)
	}
}

func TestLanguages(t *testing.T) {
	t.Parallel()
	for accept, want := range map[string]string{
		"": "en", "xx": "en", "de-AT": "de", "xx, es;q=0.1": "es", "fr;q=0.2, de;q=0.8, en;q=0.5": "de", "de;q=0": "en", ";;q=,,=": "en", "de;q=x, fr": "fr",
	} {
		if got := wordsFor(accept).Lang; got != want {
			t.Errorf("%q: %s, want %s", accept, got, want)
		}
	}
	for _, w := range languages {
		if text := fmt.Sprintf("%q", w); strings.Contains(text, `""`) {
			t.Errorf("%s: something is not said: %s", w.Lang, text)
		}
	}
}

func TestADirectoryThatIsDown(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.people.fault = errors.New("dial tcp 10.0.0.1:636: connection refused")
	a := s.login(t, "ada", "right")
	m := regexp.MustCompile(`Reference: <code>([0-9a-f]{12})</code>`).FindStringSubmatch(a.body)
	if a.StatusCode != http.StatusServiceUnavailable || m == nil || a.Header.Get("Retry-After") == "" || strings.Contains(a.body, "10.0.0.1") {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	if !strings.Contains(s.log.String(), "ref="+m[1]) || !strings.Contains(s.log.String(), "connection refused") {
		t.Errorf("the log: %s", s.log)
	}
	if s.last() != (ended{}) && s.last().outcome != Fault {
		t.Errorf("%v", s.last())
	}
}

func TestAMapperThatBreaks(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.people.profile = `{"groups":["x"]}`
	if a := s.login(t, "ada", "right"); a.StatusCode != http.StatusInternalServerError || !strings.Contains(s.log.String(), "No attribute was found to generate the nameIdentifier") {
		t.Errorf("%d, the log: %s", a.StatusCode, s.log)
	}
	s.people.hold = make(chan struct{})
	close(s.people.hold)
	s.options.Ways = []Way{{ByKerberos, negotiator(func(http.ResponseWriter, *http.Request) (identity.Principal, error) { panic("a bug") })}}
	s.serve(t)
	if a := s.do(t, http.MethodGet, tenants, ""); a.StatusCode != http.StatusInternalServerError || strings.Contains(a.body, "a bug") || !strings.Contains(s.log.String(), "a bug") {
		t.Errorf("a panic: %d %s", a.StatusCode, a.body)
	}
}

func TestDirect(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for name, a := range map[string]answer{
		"form": s.do(t, http.MethodPost, "/wsfed/direct", "username=ada&password=right&state=x%3C", "Origin", "https://corp.example"),
		"JSON": s.do(t, http.MethodPost, "/wsfed/direct", `{"username":"ada","password":"right","state":"x<"}`, "Content-Type", "application/json"),
	} {
		if !a.signedIn() || !strings.HasPrefix(a.body, "<form ") || !strings.HasSuffix(a.body, "</form>") || len(a.Cookies()) != 0 {
			t.Errorf("%s: %d %v %s", name, a.StatusCode, a.Cookies(), a.body)
		}
		if want := html.EscapeString(`{"session":"","state":"x\u003c","strategy":"ad"}`); !strings.Contains(a.body, want) {
			t.Errorf("%s: the context is not %s in %s", name, want, a.body)
		}
		if strings.Contains(a.body, "right") {
			t.Errorf("%s: the password is in %s", name, a.body)
		}
	}
}

func TestLogout(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, tt := range []struct{ to, location string }{
		{"", ""}, {"https://corp.example/v2/logout?x=y", "https://corp.example/v2/logout?x=y"}, {"https://evil.example/", ""}, {"//evil.example", ""},
		{`https://corp.example\@evil.example`, ""}, {"https://corp.example.evil.example/", ""}, {"javascript:alert(1)", ""}, {"https://corp.example@evil.example/", ""},
	} {
		if a := s.login(t, "ada", "right"); !a.signedIn() {
			t.Fatalf("%d %s", a.StatusCode, a.body)
		}
		a := s.do(t, http.MethodGet, "/logout?returnTo="+url.QueryEscape(tt.to), "")
		if got := a.Header.Get("Location"); got != tt.location || tt.location == "" && a.body != "bye" {
			t.Errorf("%s: to %q, %s", tt.to, got, a.body)
		}
		if a := s.do(t, http.MethodGet, tenants, ""); a.signedIn() {
			t.Errorf("%s: the session goes on", tt.to)
		}
	}
}

func TestOptionsThatCannotWork(t *testing.T) {
	t.Parallel()
	good := newSite(t).options
	for name, change := range map[string]func(*Options){
		"no realm":                  func(o *Options) { o.Realm = "" },
		"no post URL":               func(o *Options) { o.PostURLs = nil },
		"a script as post URL":      func(o *Options) { o.PostURLs = []string{"javascript:alert(1)"} },
		"an address without a host": func(o *Options) { o.URL = "http://" },
		"no secret":                 func(o *Options) { o.Secret = []byte("a1b2c3d4567") },
		"no key":                    func(o *Options) { o.Signer = nil },
	} {
		o := good
		change(&o)
		if _, err := New(&people{}, o); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

type negotiator func(w http.ResponseWriter, r *http.Request) (identity.Principal, error)

func (n negotiator) Accept(w http.ResponseWriter, r *http.Request) (identity.Principal, error) {
	return n(w, r)
}

func TestWays(t *testing.T) {
	t.Parallel()
	challenge := negotiator(func(w http.ResponseWriter, r *http.Request) (identity.Principal, error) {
		switch proof := r.Header.Get("Authorization"); proof {
		case "":
			w.Header().Add("WWW-Authenticate", "Negotiate")
			return identity.Principal{}, fmt.Errorf("kerberos: %w", ErrChallenged)
		case "Negotiate NTLM":
			return identity.Principal{}, ErrNoProof
		case "Negotiate bad":
			return identity.Principal{}, errors.New("the service ticket is too old")
		case "Negotiate odd":
			http.Error(w, "teapot", http.StatusTeapot)
			return identity.Principal{}, ErrAnswered
		default:
			w.Header().Set("WWW-Authenticate", "Negotiate last")
			return identity.Principal{Name: strings.TrimPrefix(proof, "Negotiate "), Realm: "CORP.EXAMPLE"}, nil
		}
	})
	card := negotiator(func(_ http.ResponseWriter, r *http.Request) (identity.Principal, error) {
		if name := r.Header.Get("X-Card"); name != "" {
			return identity.Principal{Name: name}, nil
		}
		return identity.Principal{}, ErrNoProof
	})
	for _, tt := range []struct {
		name, proof, card string
		status            int
		says              string // in the answer
		method            string // of the assertion; "" = there is none
	}{
		{"nothing is offered", "", "", 401, `name="password"`, ""},
		{"NTLM", "Negotiate NTLM", "", 200, `name="password"`, ""},
		{"a bad ticket", "Negotiate bad", "", 200, "could not be signed in automatically", ""},
		{"answered", "Negotiate odd", "", 418, "teapot", ""},
		{"a ticket", "Negotiate ada", "", 200, "wresult", "urn:ietf:rfc:1510"},
		{"a card after a challenge", "", "ada", 200, "wresult", "urn:ietf:rfc:2246"},
		{"a ticket of nobody", "Negotiate nobody", "", 200, "could not be signed in automatically", ""},
		{"a ticket of nobody, and a card", "Negotiate nobody", "ada", 200, "wresult", "urn:ietf:rfc:2246"},
	} {
		s := newSite(t, func(o *Options) { o.Ways = []Way{{ByKerberos, challenge}, {ByCertificate, card}} })
		s.people.refuse = map[string]identity.Reason{"nobody": identity.WrongUsername}
		var header []string
		if tt.proof != "" {
			header = append(header, "Authorization", tt.proof)
		}
		if tt.card != "" {
			header = append(header, "X-Card", tt.card)
		}
		a := s.do(t, http.MethodGet, tenants, "", header...)
		if a.StatusCode != tt.status || !strings.Contains(a.body, tt.says) || a.signedIn() != (tt.method != "") ||
			!strings.Contains(a.result(), tt.method) {
			t.Errorf("%s: %d %s", tt.name, a.StatusCode, a.body)
		}
		if tt.status == 401 && a.Header.Get("WWW-Authenticate") != "Negotiate" {
			t.Errorf("%s: %v", tt.name, a.Header)
		}
		if tt.name == "a ticket" {
			if a.Header.Get("WWW-Authenticate") != "Negotiate last" {
				t.Errorf("the last word of the handshake is missing: %v", a.Header)
			}
			s.later(time.Minute)
			again := s.do(t, http.MethodGet, tenants, "")
			if !again.signedIn() || !strings.Contains(again.result(), "urn:ietf:rfc:1510") || !strings.Contains(again.result(), `AuthenticationInstant="2026-03-04T12:00:00.000Z"`) || s.last() != (ended{"session", Accepted}) {
				t.Errorf("the session says another method or time: %s", again.result())
			}
		}
	}
}
