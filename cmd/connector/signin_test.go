package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/agent"
	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/pkg/keys"
	"ad-ldap-connector/testdata/lab"
)

// everybody is a directory in which any name has the password "right".
type everybody struct{ identity.Directory }

func (everybody) Find(_ context.Context, name string) (*identity.Entry, error) {
	return &identity.Entry{DN: "CN=" + name, Attributes: []identity.Attribute{{Name: "cn", Values: [][]byte{[]byte(name)}}}}, nil
}

func (everybody) Bind(_ context.Context, _ string, p identity.Password) error {
	if p != "right" {
		return &identity.Refusal{Reason: identity.WrongPassword}
	}
	return nil
}

func (everybody) Map(_ context.Context, e *identity.Entry, _ []identity.Group, _ identity.Status) (identity.Profile, error) {
	return identity.ParseProfile(fmt.Appendf(nil, `{"id":%q}`, e.Value("cn")))
}

// signInNode is a node whose part for browsers runs, and says how it fares.
func signInNode(t *testing.T, change func(*config.Config)) (n *node, said *reports, log *transcript) {
	t.Helper()
	c := config.Default()
	c.SignIn.Port = 0
	if change != nil {
		change(&c)
	}
	log, said = &transcript{}, &reports{}
	n = &node{
		config: c, log: slog.New(slog.NewTextHandler(log, nil)), stats: &stats{}, transport: &transport{dir: t.TempDir()},
		listeners: newListeners(), signInChanged: make(chan struct{}, 1), signInGuard: newSignInGuard(c.SignIn),
		users: &identity.Authenticator{Directory: everybody{}, Mapper: everybody{}, Policy: identity.Policy{OmitGroups: true}},
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- n.serveSignIn(ctx, said.report) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		n.listeners.close()
	})
	return n, said, log
}

func signInTenant(kerberos bool) config.Tenant {
	return config.Tenant{
		Connection: "corp", Realm: "urn:auth0:corp", PostURLs: []string{"https://corp.example/login/callback"}, Issuer: []string{"corp.example"},
		ServerURL: "http://127.0.0.1", SiteName: "Corp", Kerberos: kerberos,
	}
}

var listensOn = regexp.MustCompile(`listens on \S*:(\d+)`)

// awaitSignIn returns where browsers are served.
func awaitSignIn(t *testing.T, said *reports) string {
	t.Helper()
	var port []string
	lab.Eventually(t, "sign-in to listen", func() bool {
		port = listensOn.FindStringSubmatch(said.String())
		return port != nil && !strings.HasPrefix(said.String(), string(agent.Down))
	})
	return "http://127.0.0.1:" + port[1]
}

const signInPage = "/wsfed?wa=wsignin1.0&wtrealm=urn:auth0:corp&wctx=x"

// formLogin signs in as a browser does, and returns the answer's text.
func formLogin(t *testing.T, browser *http.Client, base, username, password string) string {
	t.Helper()
	form := visit(t, browser, base+signInPage+"&wprompt=consent")
	token := regexp.MustCompile(`name="token" value="([^"]+)"`).FindStringSubmatch(form)
	if token == nil {
		t.Fatalf("no form: %s", form)
	}
	return bodyOf(t)(browser.PostForm(base+signInPage, url.Values{"username": {username}, "password": {password}, "token": {token[1]}}))
}

func visit(t *testing.T, browser *http.Client, address string) string {
	t.Helper()
	return bodyOf(t)(browser.Get(address))
}

func bodyOf(t *testing.T) func(*http.Response, error) string {
	return func(res *http.Response, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }() // it was only read
		data, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
}

func newBrowser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Jar: jar, Transport: transport}
}

func TestSignInFollowsTheTenant(t *testing.T) {
	t.Parallel()
	n, said, log := signInNode(t, nil)
	pair := newPair(t)
	await := func(want string) {
		t.Helper()
		lab.Eventually(t, want, func() bool { return strings.Contains(said.String(), want) })
	}
	await("ok waits for the tenant")
	n.setSignIn(signInTenant(false), pair)
	await("ok off at the tenant")
	n.setSignIn(signInTenant(true), pair)
	base, browser := awaitSignIn(t, said), newBrowser(t)
	if in := formLogin(t, browser, base, "ada", "right"); !strings.Contains(in, "wresult") {
		t.Fatalf("the form: %s", in)
	}
	if in := formLogin(t, browser, base, "ada", "wrong"); !strings.Contains(in, "is incorrect") {
		t.Errorf("a wrong password: %s", in)
	}
	again := func(pair *keys.Pair) string {
		t.Helper()
		said.report(agent.Down, "begins anew")
		n.setSignIn(signInTenant(true), pair)
		return visit(t, browser, awaitSignIn(t, said)+signInPage)
	}
	renewed, err := pair.Renew(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if in := again(renewed); !strings.Contains(in, "wresult") {
		t.Errorf("with another certificate for the same key: %s", in)
	}
	if in := again(newPair(t)); !strings.Contains(in, "Your session has ended.") {
		t.Errorf("with another key: %s", in)
	}
	for _, want := range []string{"the sessions of browsers end", `msg="signed in" part=signin user=ada`, `msg="sign-in refused" part=signin user=ada from=127.0.0.1 reason=wrong_password`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q: %s", want, log)
		}
	}
	n.setSignIn(signInTenant(false), pair)
	await("ok off at the tenant")
	if _, err := net.Dial("tcp", strings.TrimPrefix(base, "http://")); err == nil {
		t.Error("it listens on")
	}
}

func TestSignInBoundsBrowsers(t *testing.T) {
	t.Parallel()
	n, said, _ := signInNode(t, func(c *config.Config) { c.SignIn.MaxHeaderSize = 8192; c.SignIn.TriesPerUser = 2 })
	n.setSignIn(signInTenant(true), newPair(t))
	base := awaitSignIn(t, said)
	conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // it was only read
	if _, err := fmt.Fprintf(conn, "GET /wsfed HTTP/1.1\r\nHost: x\r\nAuthorization: Negotiate %s\r\n\r\n", strings.Repeat("A", 3*8192)); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close() // it is not read
	if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a header that is too large: %d", res.StatusCode)
	}
	browser := newBrowser(t)
	for range 2 {
		formLogin(t, browser, base, "ada", "wrong")
	}
	if in := formLogin(t, browser, base, "ada", "right"); !strings.Contains(in, "too many attempts") {
		t.Errorf("the third try: %s", in)
	}
}

// TestSignInEndsSlowClients is that of one who sends a request byte by byte, to
// hold the door for ever.
func TestSignInEndsSlowClients(t *testing.T) {
	t.Parallel()
	n, said, _ := signInNode(t, nil)
	n.setSignIn(signInTenant(true), newPair(t))
	conn, err := net.Dial("tcp", strings.TrimPrefix(awaitSignIn(t, said), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // it is closed already
	if _, err := io.WriteString(conn, "GET /wsfed HTTP/1.1\r\nHost: x\r\nX-"); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || strings.Contains(string(answer), "200 OK") {
		t.Errorf("it goes on: %v %s", err, answer)
	}
}

// held is a directory that thinks about each password until it is let go on.
type held struct {
	everybody
	asked, goOn chan struct{}
}

func (h held) Bind(ctx context.Context, dn string, p identity.Password) error {
	h.asked <- struct{}{}
	<-h.goOn
	return h.everybody.Bind(ctx, dn, p)
}

// TestSignInFinishesWhatItHas: who is being answered when the settings change, or
// the node ends, is answered.
func TestSignInFinishesWhatItHas(t *testing.T) {
	t.Parallel()
	n, said, _ := signInNode(t, nil)
	slow := held{asked: make(chan struct{}), goOn: make(chan struct{})}
	n.users.Directory = slow
	n.setSignIn(signInTenant(true), newPair(t))
	base, answer := awaitSignIn(t, said), make(chan string, 1)
	go func() {
		answer <- bodyOf(t)(http.PostForm(base+"/wsfed/direct", url.Values{"username": {"ada"}, "password": {"right"}}))
	}()
	<-slow.asked
	n.setSignIn(signInTenant(false), newPair(t)) // off
	lab.Eventually(t, "nobody else to be let in", func() bool {
		conn, err := net.DialTimeout("tcp", strings.TrimPrefix(base, "http://"), time.Second)
		if err != nil {
			return true
		}
		defer func() { _ = conn.Close() }() // it was only a try
		if err := conn.SetDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			t.Error(err)
		}
		_, err = io.WriteString(conn, "GET "+metadataPath+" HTTP/1.1\r\nHost: x\r\n\r\n")
		if err == nil {
			_, err = conn.Read(make([]byte, 1))
		}
		return err != nil
	})
	close(slow.goOn)
	if in := <-answer; !strings.Contains(in, "wresult") {
		t.Errorf("%s", in)
	}
}

func TestAPortThatIsTaken(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }() // it was only in the way
	c := config.Default()
	c.SignIn.Port = taken.Addr().(*net.TCPAddr).Port
	n := &node{config: c, log: slog.New(slog.DiscardHandler), stats: &stats{}, transport: &transport{}, listeners: newListeners(), signInGuard: newSignInGuard(c.SignIn)}
	n.setSignIn(signInTenant(true), newPair(t))
	if err := n.serveSignIn(t.Context(), new(reports).report); err == nil || !strings.Contains(err.Error(), "listen on PORT") {
		t.Errorf("err = %v", err)
	}
}

func TestSessionSecret(t *testing.T) {
	t.Parallel()
	pair, long := newPair(t), config.Secret(strings.Repeat("x", 32))
	secret := func(p *keys.Pair, s config.Secret) string {
		t.Helper()
		b, err := sessionSecret(p, config.SignIn{SessionSecret: s})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if secret(pair, "") != secret(pair, "a1b2c3d4567") {
		t.Error("a secret that everybody knows was used")
	}
	cert, key := pair.PEM()
	other, err := keys.Parse(cert, []byte(strings.ReplaceAll(string(key), "\n", "\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	if secret(pair, "") != secret(other, "") {
		t.Error("line ends make another secret of the same key")
	}
	if secret(pair, "") == secret(pair, long) || secret(pair, "") == secret(newPair(t), "") {
		t.Error("different keys make the same secret")
	}
}
