package sandbox

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"
)

// patience is how long a test waits for what must come: long, because the
// machine may be busy, and never waited out when all is well.
const patience = time.Minute

// startCloud starts a cloud that ends with the test and leaves no goroutine.
func startCloud(t *testing.T, o CloudOptions) *Cloud {
	t.Helper()
	leaks := goleak.IgnoreCurrent()
	c, err := StartCloud(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		// net/http gives a peer whose body it did not read half a second more.
		goleak.VerifyNone(t, leaks, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
	})
	return c
}

// httpClient trusts the cloud and nobody else.
func httpClient(t testing.TB, c *Cloud) *http.Client {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: c.CAPool()}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

// callCloud does one request and returns the status and the body.
func callCloud(t testing.TB, client *http.Client, method, url, body string, header ...string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			request.Host = header[i+1]
		}
		request.Header.Set(header[i], header[i+1])
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(data)
}

// agentKey is a key pair as an agent has it. Making RSA keys is slow, so that
// tests share two.
type agentKey struct {
	key        *rsa.PrivateKey
	der        []byte
	thumbprint string
}

var firstKey, secondKey = sync.OnceValue(makeAgentKey), sync.OnceValue(makeAgentKey)

func makeAgentKey() agentKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sandbox"},
		NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	sum := sha1.Sum(der)
	return agentKey{key, der, hex.EncodeToString(sum[:])}
}

// token is what an agent proves itself with; edit may spoil it.
func (k agentKey) token(t testing.TB, connection string, edit func(jwt.MapClaims)) string {
	t.Helper()
	claims := jwt.MapClaims{"iat": time.Now().Unix(), "exp": time.Now().Unix() + 60, "aud": cloudRealm, "iss": connection}
	if edit != nil {
		edit(claims)
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodRS256, claims).SignedString(k.key)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// register posts an agent's certificate and returns the signing key.
func (k agentKey) register(t testing.TB, c *Cloud, ticket string) string {
	t.Helper()
	status, body := k.post(t, c, ticket)
	var answer struct {
		SigningKey string `json:"signingKey"`
	}
	if err := json.Unmarshal([]byte(body), &answer); status != 200 || err != nil || answer.SigningKey == "" {
		t.Fatalf("register: %d %s", status, body)
	}
	return answer.SigningKey
}

func (k agentKey) post(t testing.TB, c *Cloud, ticket string) (int, string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"certs": [][]byte{k.der}, "signInEndpoint": "http://host:4000/wsfed", "agentMode": true, "agentVersion": "6.1.2",
	})
	if err != nil {
		t.Fatal(err)
	}
	return callCloud(t, httpClient(t, c), "POST", ticket, string(body))
}

// dialHub opens a link without saying anything.
func dialHub(t testing.TB, c *Cloud) *websocket.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, c.URL()+"/lo/hub", &websocket.DialOptions{HTTPClient: httpClient(t, c)})
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(-1)
	t.Cleanup(func() { _ = conn.CloseNow() }) // mostly it is closed already
	return conn
}

// fakeAgent is an agent that answers as the test says.
type fakeAgent struct {
	t    testing.TB
	conn *websocket.Conn
	key  string // the signing key
	done chan struct{}
}

// question is a request as the agent sees it.
type question struct {
	command string
	claims  jwt.MapClaims
}

// joinAgent registers, connects, authenticates, and then answers with what reply
// returns; "" is no answer.
func joinAgent(t testing.TB, c *Cloud, k agentKey, ticket, connection string, reply func(*fakeAgent, question) string) *fakeAgent {
	t.Helper()
	a := &fakeAgent{t: t, key: k.register(t, c, ticket), done: make(chan struct{})}
	a.conn = dialHub(t, c)
	a.send(`{"n":"authenticate","p":{"jwt":"` + k.token(t, connection, nil) + `"}}`)
	if got := a.read(); got != `{"n":"authenticated","p":{}}` {
		t.Fatalf("authenticate: %s", got)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(a.done)
		for {
			_, data, err := a.conn.Read(ctx)
			if err != nil {
				return
			}
			a.answer(data, reply)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-a.done
	})
	return a
}

func (a *fakeAgent) send(frame string) {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := a.conn.Write(ctx, websocket.MessageText, []byte(frame)); err != nil {
		a.t.Log("agent writes:", err) // the hub may have closed the link on purpose
	}
}

func (a *fakeAgent) read() string {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), patience)
	defer cancel()
	_, data, err := a.conn.Read(ctx)
	if err != nil {
		a.t.Fatal(err)
	}
	return string(data)
}

func (a *fakeAgent) answer(data []byte, reply func(*fakeAgent, question) string) {
	var frame struct {
		N string
		P struct{ JWT string }
	}
	if err := json.Unmarshal(data, &frame); err != nil {
		a.t.Errorf("the hub sent %s", data)
		return
	}
	q := question{command: frame.N, claims: jwt.MapClaims{}}
	if _, err := jwt.ParseWithClaims(frame.P.JWT, q.claims, func(token *jwt.Token) (any, error) {
		if token.Method == jwt.SigningMethodRS256 {
			return jwt.ParseRSAPublicKeyFromPEM([]byte(a.key))
		}
		return []byte(a.key), nil
	}, jwt.WithExpirationRequired(), jwt.WithLeeway(time.Minute)); err != nil {
		a.t.Errorf("the hub's token: %v", err)
		return
	}
	if text := reply(a, q); text != "" {
		suffix := cloudCommands[q.command]
		a.send(`{"n":"` + q.claims["pid"].(string) + suffix + `","p":` + text + `}`)
	}
}

func saysYes(*fakeAgent, question) string     { return `{"profile":{"id":"u"}}` }
func saysNothing(*fakeAgent, question) string { return "" }

// waitAgents waits until as many agents are connected.
func waitAgents(t *testing.T, c *Cloud, n int) []Agent {
	t.Helper()
	return waitFor(t, c, func(agents []Agent) bool { return len(agents) == n })
}

func waitFor(t *testing.T, c *Cloud, holds func([]Agent) bool) []Agent {
	t.Helper()
	deadline := time.After(patience)
	for {
		changed := c.Changed()
		if agents := c.Agents(); holds(agents) {
			return agents
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("the agents are %+v", c.Agents())
		}
	}
}

// memoryLog is a log that a test can read.
type memoryLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (m *memoryLog) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.text.Write(p)
}

func (m *memoryLog) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.text.String()
}

func (m *memoryLog) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(m, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// BenchmarkALogin says what the sandbox itself costs a test of throughput.
func BenchmarkALogin(b *testing.B) {
	c, err := StartCloud(CloudOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := c.Close(); err != nil {
			b.Error(err)
		}
	}()
	joinAgent(b, c, firstKey(), c.Ticket(), "sandbox", saysYes)
	for b.Loop() {
		if _, err := c.Request(b.Context(), "authenticate_user", aLogin); err != nil {
			b.Fatal(err)
		}
	}
}

func TestALoginGoesToAnAgentAndBack(t *testing.T) {
	c := startCloud(t, CloudOptions{})
	var seen question
	joinAgent(t, c, firstKey(), c.Ticket(), "sandbox", func(_ *fakeAgent, q question) string {
		seen = q
		return `{"profile":{"id":"ada"}}`
	})
	response, err := c.Request(t.Context(), "authenticate_user", Request{Username: "ada", Password: "s3cret"})
	if err != nil {
		t.Fatal(err)
	}
	if response.Agent != "a1" || string(response.Reply) != `{"profile":{"id":"ada"}}` || response.Took <= 0 {
		t.Errorf("got %+v", response)
	}
	if seen.command != "authenticate_user" || seen.claims["username"] != "ada" || seen.claims["password"] != "s3cret" {
		t.Errorf("the agent saw %v", seen)
	}
	if _, there := seen.claims["escaped"]; there {
		t.Error("escaped is sent although it was not asked for")
	}
	agents := waitFor(t, c, func(a []Agent) bool { return len(a) == 1 && a[0].Answered == 1 })
	if a := agents[0]; a.Asked != 1 || a.Thumbprint != firstKey().thumbprint || a.Version != "6.1.2" || a.Connection != "sandbox" {
		t.Errorf("agent %+v", a)
	}
}
