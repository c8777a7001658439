package wsfed

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ad-ldap-connector/pkg/identity"
)

var errBroken = errors.New("the key's store is gone")

type broken struct{ crypto.Signer }

func (broken) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, errBroken }

const (
	realm    = "urn:auth0:corp"
	callback = "https://corp.example/login/callback"
	profile  = `{"id":"7","displayName":"Ada Lovelace","groups":["Staff"]}`
)

// people is a directory: every user's password is "right" but for what is said
// here.
type people struct {
	mu      sync.Mutex
	refuse  map[string]identity.Reason // by user name
	profile string
	fault   error
	hold    chan struct{} // closed: go on
	asked   int
	last    identity.Principal // that was to be admitted
}

func (p *people) Authenticate(ctx context.Context, c identity.Credentials) (identity.Profile, error) {
	p.mu.Lock()
	p.asked++
	fault, reason, hold := p.fault, p.refuse[c.Username], p.hold
	p.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return identity.Profile{}, ctx.Err()
		}
	}
	switch {
	case fault != nil:
		return identity.Profile{}, fault
	case reason != "":
		return identity.Profile{}, &identity.Refusal{Reason: reason}
	case c.Password != "right":
		return identity.Profile{}, &identity.Refusal{Reason: identity.WrongPassword}
	}
	return p.Admit(ctx, identity.Principal{Name: c.Username})
}

func (p *people) Admit(_ context.Context, who identity.Principal) (identity.Profile, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = who
	if p.fault != nil {
		return identity.Profile{}, p.fault
	}
	if r := p.refuse[who.Name]; r != "" {
		return identity.Profile{}, &identity.Refusal{Reason: r}
	}
	return identity.ParseProfile([]byte(p.profile))
}

func (p *people) set(change func(*people)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

// A site is a running sign-in, and a browser that knows it.
type site struct {
	*httptest.Server
	people  *people
	options Options
	browser *http.Client
	log     *lockedBuffer
	current atomic.Pointer[http.Handler]
	mu      sync.Mutex
	now     time.Time
	entries []Entry
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func newSite(t testing.TB, change ...func(*Options)) *site {
	t.Helper()
	s := &site{people: &people{profile: profile}, log: &lockedBuffer{}, now: noon}
	server := httptest.NewUnstartedServer(nil)
	signer, _ := agentPair(t)
	s.options = Options{
		Signer: signer.key, Certificate: signer.certificate, Realm: realm, PostURLs: []string{callback, "https://other.example/cb"},
		Issuer: "corp.example", Site: "Corp <Login>", URL: "http://" + server.Listener.Addr().String(),
		Secret: bytes.Repeat([]byte("s"), 32), SessionLife: 8 * time.Hour, RefusalTakes: -1,
		Now: func() time.Time { s.mu.Lock(); defer s.mu.Unlock(); return s.now },
		Log: slog.New(slog.NewTextHandler(s.log, nil)),
		Entered: func(e Entry) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.entries = append(s.entries, e)
		},
	}
	for _, f := range change {
		f(&s.options)
	}
	s.serve(t)
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*s.current.Load()).ServeHTTP(w, r) })
	s.Server = server
	server.Start()
	t.Cleanup(server.Close)
	s.browser = newBrowser(t)
	return s
}

func (s *site) handler(t testing.TB) http.Handler {
	t.Helper()
	h, err := New(s.people, s.options)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// serve goes on with a new handler, as after a restart.
func (s *site) serve(t testing.TB) {
	t.Helper()
	h := s.handler(t)
	s.current.Store(&h)
}

func (s *site) later(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// ended is how a try ended, without by whom.
type ended struct {
	method  string
	outcome Outcome
}

// last is how the last try ended.
func (s *site) last() ended {
	e := s.lastEntry()
	return ended{e.Method, e.Outcome}
}

func (s *site) lastEntry() Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.entries) == 0 {
		return Entry{}
	}
	return s.entries[len(s.entries)-1]
}

func newBrowser(t testing.TB) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Timeout: time.Minute}
}

// An answer is a response that has been read.
type answer struct {
	*http.Response
	body string
}

func (s *site) do(t testing.TB, method, path, body string, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := s.browser.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }() // it was only read
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res, string(data)}
}

const tenants = "/wsfed?wa=wsignin1.0&wtrealm=urn%3Aauth0%3Acorp&wctx=state-1"

var tokenPattern = regexp.MustCompile(`name="token" value="([^"]+)"`)

// token is the form's.
func (a answer) token() string {
	if m := tokenPattern.FindStringSubmatch(a.body); m != nil {
		return m[1]
	}
	return ""
}

// login opens the form and sends it.
func (s *site) login(t testing.TB, username, password string, header ...string) answer {
	t.Helper()
	form := s.do(t, http.MethodGet, tenants+"&wprompt=consent", "", header...)
	return s.do(t, http.MethodPost, tenants, url.Values{"username": {username}, "password": {password}, "token": {form.token()}}.Encode(), header...)
}

// signedIn reports whether an answer sends an assertion on.
func (a answer) signedIn() bool {
	return a.StatusCode == http.StatusOK && strings.Contains(a.body, `name="wresult"`)
}
