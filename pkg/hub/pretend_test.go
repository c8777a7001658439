package hub

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"ad-ldap-connector/pkg/identity"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// signingKey is the recordings' shared secret.
const signingKey = "lab-tenant-signing-secret-0123456789abcdef"

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

var agentKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// people is a handler of funcs; what is not set knows nobody.
type people struct {
	authenticate, change func(context.Context, identity.Credentials) (identity.Profile, error)
	search               func(context.Context, identity.Query) ([]identity.Profile, error)
	groups               func(context.Context, int) ([]identity.Group, error)
}

func (p *people) Authenticate(ctx context.Context, c identity.Credentials) (identity.Profile, error) {
	if p.authenticate == nil {
		return goodLogin(ctx, c)
	}
	return p.authenticate(ctx, c)
}
func (p *people) ChangePassword(ctx context.Context, c identity.Credentials) (identity.Profile, error) {
	if p.change == nil {
		return identity.Profile{}, &identity.Refusal{Reason: identity.WrongUsername}
	}
	return p.change(ctx, c)
}
func (p *people) Search(ctx context.Context, q identity.Query) ([]identity.Profile, error) {
	if p.search == nil {
		return nil, nil
	}
	return p.search(ctx, q)
}
func (p *people) Groups(ctx context.Context, limit int) ([]identity.Group, error) {
	if p.groups == nil {
		return nil, nil
	}
	return p.groups(ctx, limit)
}

// goodLogin knows jane, whose password is secret.
func goodLogin(_ context.Context, c identity.Credentials) (identity.Profile, error) {
	switch {
	case c.Username != "jane":
		return identity.Profile{}, &identity.Refusal{Reason: identity.WrongUsername}
	case c.Password != "secret":
		return identity.Profile{}, &identity.Refusal{Reason: identity.WrongPassword, Profile: profile(`{"id":"jane"}`)}
	}
	return profile(`{"id":"jane"}`), nil
}

func profile(text string) identity.Profile {
	p, err := identity.ParseProfile([]byte(text))
	if err != nil {
		panic(err)
	}
	return p
}

// A pretendHub is the other end of the wire: it takes links, and leaves to the
// test what is said on them.
type pretendHub struct {
	*httptest.Server
	links chan *hubLink
}

// A hubLink is one link as the hub sees it.
type hubLink struct {
	*websocket.Conn
	request *http.Request
	first   []byte // the agent's first frame
	text    chan []byte
	ended   chan error
}

func newPretendHub(t testing.TB) *pretendHub {
	t.Helper()
	h := &pretendHub{links: make(chan *hubLink, 100)}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Errorf("handshake: %v", err)
			return
		}
		h.serve(conn, r)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *pretendHub) serve(conn *websocket.Conn, r *http.Request) {
	defer conn.CloseNow() // a test's end
	conn.SetReadLimit(-1)
	l := &hubLink{Conn: conn, request: r, text: make(chan []byte, 10000), ended: make(chan error, 1)}
	_, first, err := conn.Read(context.Background())
	if err != nil {
		return
	}
	l.first = first
	h.links <- l
	for {
		_, text, err := conn.Read(context.Background())
		if err != nil {
			l.ended <- err
			return
		}
		l.text <- text
	}
}

// accept waits for the agent, and lets it in.
func (h *pretendHub) accept(t testing.TB) *hubLink {
	t.Helper()
	l := h.next(t)
	l.say(t, `{"n":"authenticated"}`)
	return l
}

func (h *pretendHub) next(t testing.TB) *hubLink {
	t.Helper()
	select {
	case l := <-h.links:
		return l
	case <-time.After(patience):
		t.Fatal("the agent did not come")
		return nil
	}
}

func (l *hubLink) say(t testing.TB, text string) {
	t.Helper()
	if err := l.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
		t.Fatalf("say %.80s: %v", text, err)
	}
}

// hear waits for a frame of the agent.
func (l *hubLink) hear(t testing.TB) string {
	t.Helper()
	select {
	case text := <-l.text:
		return string(text)
	case <-time.After(patience):
		t.Fatal("the agent said nothing")
		return ""
	}
}

// login proves that logins work on this link, and that nothing else was said
// before.
func (l *hubLink) login(t *testing.T) {
	t.Helper()
	pid := rand.Text()
	l.say(t, ask("authenticate_user", fmt.Sprintf(`{"pid":%q,"username":"jane","password":"secret"}`, pid)))
	if got, want := l.hear(t), `{"n":"`+pid+`_result","p":{"profile":{"id":"jane"}}}`; got != want {
		t.Fatalf("a good login got %s, want %s", got, want)
	}
}

// ask is a command as the tenant sends it.
func ask(name, claims string) string {
	return fmt.Sprintf(`{"n":%q,"p":{"jwt":%q}}`, name, hs256(signingKey, claims))
}

func hs256(key, claims string) string {
	enc := base64.RawURLEncoding
	text := enc.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + enc.EncodeToString([]byte(claims))
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return text + "." + enc.EncodeToString(mac.Sum(nil))
}

// A diary keeps what a client logs.
type diary struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (d *diary) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.Write(p)
}

func (d *diary) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.String()
}

// waitFor waits until the diary holds text; there is nothing else to wait on.
func (d *diary) waitFor(t *testing.T, text string) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(d.String(), text) {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("the log never said %q:\n%s", text, d)
		}
	}
}

func options(url string, log io.Writer) Options {
	return Options{
		URL: url, Connection: "lab-ad", Realm: "urn:auth0:lab", Signer: agentKey(), SigningKey: signingKey,
		Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		// A client of its own, whose idle connections end with the test.
		HTTP: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, WriteBack: true, MaxBackoff: time.Millisecond,
	}
}

// start runs a client until the test ends, or stop is called.
func start(t testing.TB, h Handler, o Options) (c *Client, stop func()) {
	t.Helper()
	c, err := New(h, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			t.Error("Run did not return")
		}
	})
	t.Cleanup(stop)
	return c, stop
}

// meet starts a client and lets it in.
func meet(t *testing.T, h Handler, change func(*Options)) (*hubLink, *diary, *pretendHub) {
	t.Helper()
	hub, log := newPretendHub(t), &diary{}
	o := options(hub.URL, log)
	if change != nil {
		change(&o)
	}
	start(t, h, o)
	return hub.accept(t), log, hub
}

func testdata(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("../../testdata/hub/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func claimsOf(t *testing.T, text []byte) (header, content map[string]any) {
	t.Helper()
	var f struct{ P struct{ JWT string } }
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(f.P.JWT, ".")
	if len(parts) != 3 {
		t.Fatalf("a token of %d parts", len(parts))
	}
	for i, into := range []*map[string]any{&header, &content} {
		data, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err := errors.Join(err, json.Unmarshal(data, into)); err != nil {
			t.Fatal(err)
		}
	}
	return header, content
}
