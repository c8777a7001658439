package sandbox

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestInfoIsWhatAgentsExpect(t *testing.T) {
	c := startCloud(t, CloudOptions{Kerberos: true})
	client := httpClient(t, c)
	status, body := callCloud(t, client, "GET", c.Ticket()+"/info", "")
	want := `{"adHub":"` + c.URL() + `/lo/hub","certAuth":false,"connectionDomain":"sandbox.test","connectionName":"sandbox","kerberos":true,` +
		`"realm":{"name":"urn:auth0:sandbox","postTokenUrl":"` + c.URL() + `/login/callback"},"thumbprints":[]}` + "\n"
	if status != 200 || body != want {
		t.Errorf("got %d %s, want %s", status, body, want)
	}
	response, err := client.Get(c.Ticket() + "/info")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got := response.Header.Get("Content-Type"); got != "application/json; charset=utf-8" {
		t.Errorf("content type %q", got)
	}
	// Behind a tunnel the addresses are the tunnel's.
	if _, body := callCloud(t, client, "GET", c.Ticket()+"/info", "", "Host", "localhost:9"); !strings.Contains(body, `"adHub":"https://localhost:9/lo/hub"`) {
		t.Errorf("through a tunnel: %s", body)
	}
	firstKey().register(t, c, c.Ticket())
	if _, body := callCloud(t, client, "GET", c.Ticket()+"/info", ""); !strings.Contains(body, `"thumbprints":["`+firstKey().thumbprint+`"]`) {
		t.Errorf("after the registration: %s", body)
	}
	if got := c.Thumbprints(""); !slices.Equal(got, []string{firstKey().thumbprint}) {
		t.Errorf("thumbprints %v", got)
	}
	if status, body := callCloud(t, client, "GET", c.Ticket(), ""); status != 200 || !strings.Contains(body, "ticket") {
		t.Errorf("the ticket itself: %d %s", status, body)
	}
}

func TestAnUnknownTicketIs404(t *testing.T) {
	c := startCloud(t, CloudOptions{})
	client := httpClient(t, c)
	for _, method := range []string{"GET", "POST"} {
		for _, path := range []string{"/p/ad/wrong", "/p/ad/", "/p/ad/sandbox"} {
			if status, body := callCloud(t, client, method, c.URL()+path, ""); status != 404 || !strings.Contains(body, `{"error":{"message":"`) {
				t.Errorf("%s %s: %d %s", method, path, status, body)
			}
		}
	}
	if status, _ := callCloud(t, client, "GET", c.URL()+"/p/ad/wrong/info", ""); status != 404 {
		t.Errorf("info: %d", status)
	}
}

func TestTheFirstRegistrationBinds(t *testing.T) {
	c := startCloud(t, CloudOptions{})
	key := firstKey().register(t, c, c.Ticket())
	if again := firstKey().register(t, c, c.Ticket()); again != key {
		t.Error("the second agent gets another signing key")
	}
	status, body := secondKey().post(t, c, c.Ticket())
	if status != 409 || !strings.Contains(body, `{"error":{"message":"`) || strings.Contains(body, key) {
		t.Errorf("another certificate: %d %s", status, body)
	}
	other, realm, err := c.NewConnection("other", false, true)
	if err != nil || realm != cloudRealm {
		t.Fatal(realm, err)
	}
	if secondKey().register(t, c, other) == key {
		t.Error("two connections share a signing key")
	}
	if err := c.Unpin("sandbox"); err != nil {
		t.Fatal(err)
	}
	secondKey().register(t, c, c.Ticket())
	if got := c.Thumbprints("sandbox"); !slices.Equal(got, []string{secondKey().thumbprint}) {
		t.Errorf("thumbprints %v", got)
	}
	if got := c.Thumbprints("none"); got != nil {
		t.Errorf("thumbprints of nobody: %v", got)
	}
}

func TestOneOfTwoFirstRegistrationsBinds(t *testing.T) {
	c := startCloud(t, CloudOptions{})
	statuses := make([]int, 8)
	var all sync.WaitGroup
	for i := range statuses {
		key := firstKey()
		if i%2 == 1 {
			key = secondKey()
		}
		all.Go(func() { statuses[i], _ = key.post(t, c, c.Ticket()) })
	}
	all.Wait()
	slices.Sort(statuses)
	if want := []int{200, 200, 200, 200, 409, 409, 409, 409}; !slices.Equal(statuses, want) {
		t.Errorf("answers %v", statuses)
	}
	if got := c.Thumbprints(""); len(got) != 1 {
		t.Errorf("thumbprints %v", got)
	}
}

func TestRegistrationsThatAreNone(t *testing.T) {
	c := startCloud(t, CloudOptions{})
	client := httpClient(t, c)
	cert := base64.StdEncoding.EncodeToString(firstKey().der)
	elliptical, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	ec, err := x509.CreateCertificate(rand.Reader, template, template, &elliptical.PublicKey, elliptical)
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string]string{
		"empty":             ``,
		"not JSON":          `certs=`,
		"null":              `null`,
		"a list":            `[]`,
		"no certificate":    `{"signInEndpoint":"x"}`,
		"an empty list":     `{"certs":[]}`,
		"a text":            `{"certs":"` + cert + `"}`,
		"a number":          `{"certs":[1]}`,
		"null in the list":  `{"certs":[null]}`,
		"not base64":        `{"certs":["-----BEGIN"]}`,
		"not DER":           `{"certs":["aGVsbG8="]}`,
		"one good, one bad": `{"certs":["` + cert + `","aGVsbG8="]}`,
		"cut off":           `{"certs":["` + cert[:400] + `"]}`,
		"elliptic":          `{"certs":["` + base64.StdEncoding.EncodeToString(ec) + `"]}`,
		"too many":          `{"certs":[` + strings.Repeat(`"`+cert+`",`, maxCertificates) + `"` + cert + `"]}`,
		"a long version":    `{"certs":["` + cert + `"],"agentVersion":"` + strings.Repeat("1", 200) + `"}`,
		"something follows": `{"certs":["` + cert + `"]}{}`,
	} {
		if status, answer := callCloud(t, client, "POST", c.Ticket(), body, "Content-Type", "application/json"); status != 400 || !strings.Contains(answer, `"message"`) {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
	good := `{"certs":["` + cert + `"]}`
	if status, answer := callCloud(t, client, "POST", c.Ticket(), good, "Content-Type", "text/plain"); status != 400 {
		t.Errorf("text/plain: %d %s", status, answer)
	}
	if status, answer := callCloud(t, client, "POST", c.Ticket(), good+strings.Repeat(" ", maxRegistration)); status != 413 {
		t.Errorf("too long: %d %s", status, answer)
	}
	if got := c.Thumbprints(""); len(got) > 0 {
		t.Errorf("bound to %v all the same", got)
	}
	if status, answer := callCloud(t, client, "POST", c.Ticket(), good); status != 200 {
		t.Errorf("the good one: %d %s", status, answer)
	}
}

func TestTheClockCanBeMoved(t *testing.T) {
	at := time.UnixMilli(1795302195280)
	c := startCloud(t, CloudOptions{Now: func() time.Time { return at }})
	clock := func() int64 {
		t.Helper()
		var answer struct{ Clock int64 }
		conn := http.Client{Transport: &http.Transport{TLSClientConfig: httpClient(t, c).Transport.(*http.Transport).TLSClientConfig, DisableKeepAlives: true}}
		conn.Transport.(*http.Transport).TLSClientConfig.Time = func() time.Time { return at }
		status, body := callCloud(t, &conn, "GET", c.URL()+"/test", "")
		if err := json.Unmarshal([]byte(body), &answer); status != 200 || err != nil {
			t.Fatal(status, body)
		}
		return answer.Clock
	}
	if got := clock(); got != 1795302195280 {
		t.Errorf("clock %d", got)
	}
	c.SetClock(-10 * time.Second)
	if got := clock(); got != 1795302185280 {
		t.Errorf("moved clock %d", got)
	}
}

// TestRawBytes: what is no HTTP, or never ends, is given up on quietly.
func TestRawBytes(t *testing.T) {
	c := startCloud(t, CloudOptions{})
	for _, text := range []string{"", "GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\xff\xff", strings.Repeat("\x00", 1000)} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(c.URL(), "https://"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte(text)); err != nil {
			t.Error(err)
		}
		// The server may have hung up before, and a reset is as good as an end.
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Log(err)
		}
		if _, err := io.Copy(io.Discard, conn); err != nil {
			t.Log(err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
	firstKey().register(t, c, c.Ticket())
}

// TestSecretsStayOutOfTheLog goes through all doors with everything logged.
func TestSecretsStayOutOfTheLog(t *testing.T) {
	var log memoryLog
	c := startCloud(t, CloudOptions{Log: log.logger()})
	client := httpClient(t, c)
	joinAgent(t, c, firstKey(), c.Ticket(), "sandbox", func(*fakeAgent, question) string { return `{"profile":{"password":"s3cret"}}` })
	key := firstKey().register(t, c, c.Ticket())
	secondKey().post(t, c, c.Ticket())
	callCloud(t, client, "GET", c.Ticket()+"/nothing", "")
	callCloud(t, client, "GET", c.Ticket()+"/info", "", "Host", "evil.example")
	callCloud(t, client, "POST", c.Ticket(), `{"certs":"`+key+`"}`)
	callCloud(t, client, "POST", c.URL()+"/api/requests/authenticate_user", `{"username":"ada","password":"s3cret"}`)
	callCloud(t, client, "POST", c.URL()+"/api/requests/authenticate_user", `{"password":"s3cret`)
	callCloud(t, client, "POST", c.URL()+"/login", "username=ada&password=s3cret%zz", "Content-Type", "application/x-www-form-urlencoded")
	rejected := &fakeAgent{t: t, conn: dialHub(t, c)}
	rejected.send(`{"n":"authenticate","p":{"jwt":"s3cret"}}`)
	rejected.read()
	if _, _, err := rejected.conn.Read(t.Context()); err == nil {
		t.Error("the link of a rejected agent goes on")
	}
	c.DropAgents()
	text := log.String()
	if !strings.Contains(text, "agent accepted") || !strings.Contains(text, "agent rejected") {
		t.Errorf("the log says too little: %s", text)
	}
	for _, secret := range []string{"s3cret", key, c.find("").Secret} {
		if strings.Contains(text, secret) {
			t.Errorf("the log has %q: %s", secret, text)
		}
	}
}

func FuzzRegistration(f *testing.F) {
	f.Add([]byte(`{"certs":["aGVsbG8="],"signInEndpoint":"http://vm:4000/wsfed","agentMode":true,"agentVersion":"0.0.0"}`))
	f.Add(firstKey().der)
	f.Add(bytes.Repeat([]byte{0x30, 0x80}, 50))
	f.Fuzz(func(t *testing.T, data []byte) {
		pinned, err := parseAgentCert(data)
		if err != nil {
			return
		}
		if len(pinned.thumbprint) != 40 || pinned.key.N.BitLen() > maxRSABits {
			t.Errorf("taken: %+v", pinned)
		}
		// A key that is taken can be used without a panic.
		_ = rsa.VerifyPKCS1v15(pinned.key, 0, []byte("x"), []byte("y"))
	})
}
