package sandbox

import (
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/golang-jwt/jwt/v5"
)

func TestWhoIsLetIn(t *testing.T) {
	c := startCloud(t, CloudOptions{})
	key, other := firstKey(), secondKey()
	key.register(t, c, c.Ticket())
	if _, _, err := c.NewConnection("empty", false, false); err != nil {
		t.Fatal(err)
	}
	now := time.Now().Unix()
	edited := func(name string, value any) string {
		return key.token(t, "sandbox", func(claims jwt.MapClaims) {
			if claims[name] = value; value == nil {
				delete(claims, name)
			}
		})
	}
	signed := func(method jwt.SigningMethod, with any) string {
		token, err := jwt.NewWithClaims(method, jwt.MapClaims{"iat": now, "exp": now + 60, "aud": cloudRealm, "iss": "sandbox"}).SignedString(with)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	public := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&key.key.PublicKey)}))
	good := key.token(t, "sandbox", nil)
	for name, test := range map[string]struct {
		token string
		good  bool
	}{
		"as it should be":       {good, true},
		"a minute fast":         {edited("iat", now+50), true},
		"a minute slow":         {edited("exp", now-50), true},
		"without iat":           {edited("iat", nil), true},
		"one of two audiences":  {edited("aud", []string{"urn:x", cloudRealm}), true},
		"ended":                 {edited("exp", now-90), false},
		"never ends":            {edited("exp", nil), false},
		"exp is text":           {edited("exp", "soon"), false},
		"from the future":       {edited("iat", now+90), false},
		"not yet":               {edited("nbf", now+90), false},
		"another realm":         {edited("aud", "urn:auth0:other"), false},
		"no realm":              {edited("aud", nil), false},
		"no issuer":             {edited("iss", nil), false},
		"an empty issuer":       {edited("iss", ""), false},
		"no such connection":    {edited("iss", "other"), false},
		"nothing is registered": {edited("iss", "empty"), false},
		"another key":           {other.token(t, "sandbox", nil), false},
		"no signature":          {signed(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType), false},
		"RS512":                 {signed(jwt.SigningMethodRS512, key.key), false},
		"PS256":                 {signed(jwt.SigningMethodPS256, key.key), false},
		"HS256, public key":     {signed(jwt.SigningMethodHS256, []byte(public)), false},
		"HS256, signing key":    {signed(jwt.SigningMethodHS256, []byte(c.find("").Key)), false},
		"changed":               {good[:len(good)-10] + "AAAAAAAAAA", false},
		"cut off":               {good[:strings.LastIndex(good, ".")], false},
		"empty":                 {"", false},
		"dots":                  {"..", false},
		"rubbish":               {strings.Repeat("a.", 5000), false},
	} {
		a := &fakeAgent{t: t, conn: dialHub(t, c)}
		a.send(`{"n":"authenticate","p":{"jwt":"` + test.token + `"}}`)
		got := a.read()
		if want := map[bool]string{true: `{"n":"authenticated","p":{}}`, false: `{"n":"authentication_failure","p":{}}`}[test.good]; got != want {
			t.Errorf("%s: %s", name, got)
		}
		if !test.good {
			if _, _, err := a.conn.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
				t.Errorf("%s: the link ended with %v", name, err)
			}
		}
		if err := a.conn.Close(websocket.StatusNormalClosure, ""); err != nil && test.good {
			t.Errorf("%s: %v", name, err)
		}
	}
	waitAgents(t, c, 0)
}

// TestGreetings: frames that are no authenticate are passed over, a payload
// without a token is a failure.
func TestGreetings(t *testing.T) {
	c := startCloud(t, CloudOptions{})
	key := firstKey()
	key.register(t, c, c.Ticket())
	a := &fakeAgent{t: t, conn: dialHub(t, c)}
	for _, frame := range []string{``, `null`, `{}`, `{"n":"hello"}`, `{"n":"x_result","p":{}}`, `[[[`} {
		a.send(frame)
	}
	if err := a.conn.Write(t.Context(), websocket.MessageBinary, []byte(`{"n":"authenticate","p":{}}`)); err != nil {
		t.Fatal(err)
	}
	a.send(`{"n":"authenticate","p":{"jwt":"` + key.token(t, "sandbox", nil) + `"}}`)
	if got := a.read(); !strings.Contains(got, `"authenticated"`) {
		t.Errorf("after other frames: %s", got)
	}
	for _, payload := range []string{``, `,"p":null`, `,"p":7`, `,"p":{"jwt":7}`, `,"p":{"jwt":null}`, `,"p":[]`} {
		a := &fakeAgent{t: t, conn: dialHub(t, c)}
		a.send(`{"n":"authenticate"` + payload + `}`)
		if got := a.read(); got != `{"n":"authentication_failure","p":{}}` {
			t.Errorf("%s: %s", payload, got)
		}
		_ = a.conn.CloseNow()
	}
}

func TestASilentStrangerIsClosedOn(t *testing.T) {
	c := startCloud(t, CloudOptions{pace: hurried(cloudPace{authenticate: 50 * time.Millisecond})})
	conn := dialHub(t, c)
	if _, _, err := conn.Read(t.Context()); err == nil {
		t.Error("the hub said something to a stranger")
	}
}

// TestALongGreeting: a stranger may not fill the memory.
func TestALongGreeting(t *testing.T) {
	c := startCloud(t, CloudOptions{})
	a := &fakeAgent{t: t, conn: dialHub(t, c)}
	a.send(`{"n":"authenticate","p":{"jwt":"` + strings.Repeat("a", maxGreeting) + `"}}`)
	if _, data, err := a.conn.Read(t.Context()); err == nil {
		t.Errorf("the hub answered %s", data)
	}
}

func TestAMovedClockJudgesTokens(t *testing.T) {
	c := startCloud(t, CloudOptions{})
	key := firstKey()
	key.register(t, c, c.Ticket())
	for offset, want := range map[time.Duration]string{
		10 * time.Second: `"authenticated"`, time.Hour: `"authentication_failure"`, -time.Hour: `"authentication_failure"`,
	} {
		c.SetClock(offset)
		a := &fakeAgent{t: t, conn: dialHub(t, c)}
		a.send(`{"n":"authenticate","p":{"jwt":"` + key.token(t, "sandbox", nil) + `"}}`)
		if got := a.read(); !strings.Contains(got, want) {
			t.Errorf("%v: %s", offset, got)
		}
		_ = a.conn.CloseNow()
	}
}

func TestBothKindsOfSigningKeys(t *testing.T) {
	c := startCloud(t, CloudOptions{Timeout: patience})
	login := func() {
		t.Helper()
		if _, err := c.Request(t.Context(), "authenticate_user", aLogin); err != nil {
			t.Error(err)
		}
		c.DropAgents()
	}
	if err := c.SetSigning("", "RS256"); err != nil {
		t.Fatal(err)
	}
	a := joinAgent(t, c, firstKey(), c.Ticket(), "sandbox", saysYes)
	if !strings.HasPrefix(a.key, "-----BEGIN PUBLIC KEY-----\n") {
		t.Errorf("the agent got %q", a.key)
	}
	login()
	if err := c.SetSigning("sandbox", "HS256"); err != nil {
		t.Fatal(err)
	}
	if b := joinAgent(t, c, firstKey(), c.Ticket(), "sandbox", saysYes); len(b.key) < 32 || strings.Contains(b.key, "-----") {
		t.Errorf("the agent got %q", b.key)
	}
	login()
	for _, algorithm := range []string{"", "none", "ES256"} {
		if err := c.SetSigning("sandbox", algorithm); err == nil {
			t.Errorf("%q is taken", algorithm)
		}
	}
	if err := c.SetSigning("other", "HS256"); err == nil {
		t.Error("an unknown connection is given a key")
	}
}

func TestWhatEachCommandSends(t *testing.T) {
	c := startCloud(t, CloudOptions{Timeout: patience})
	var seen jwt.MapClaims
	joinAgent(t, c, firstKey(), c.Ticket(), "sandbox", func(_ *fakeAgent, q question) string {
		seen = q.claims
		return `{}`
	})
	full := Request{Username: "a\\2ab", Password: "p", Search: "s", Limit: 5, Escaped: true}
	for command, want := range map[string][]string{
		"authenticate_user": {"username", "password", "escaped"},
		"change_password":   {"username", "password", "escaped"},
		"search_users":      {"search", "limit", "escaped"},
		"list_groups":       {"limit"},
	} {
		if _, err := c.Request(t.Context(), command, full); err != nil {
			t.Fatal(err)
		}
		for _, name := range append(want, "pid", "iat", "exp") {
			if _, there := seen[name]; !there {
				t.Errorf("%s: without %s: %v", command, name, seen)
			}
		}
		if len(seen) != len(want)+3 {
			t.Errorf("%s: sends %v", command, seen)
		}
	}
	if _, err := c.Request(t.Context(), "search_users", Request{}); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 3 {
		t.Errorf("an empty search sends %v", seen)
	}
	if life := seen["exp"].(float64) - seen["iat"].(float64); life != 60 {
		t.Errorf("valid for %v s", life)
	}
}

func FuzzCloudToken(f *testing.F) {
	c := &Cloud{options: CloudOptions{Now: time.Now}}
	cc := &cloudConnection{Name: "sandbox", Secret: strings.Repeat("x", 26), Algorithm: "HS256", Key: strings.Repeat("k", 52), Certificates: [][]byte{firstKey().der}}
	if err := cc.prepare(); err != nil {
		f.Fatal(err)
	}
	c.connections = []*cloudConnection{cc}
	f.Add("..")
	f.Add("eyJhbGciOiJub25lIn0.eyJpc3MiOiJzYW5kYm94In0.")
	f.Add("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJzYW5kYm94IiwiYXVkIjoidXJuOmF1dGgwOnNhbmRib3gifQ.AA")
	f.Fuzz(func(t *testing.T, token string) {
		if _, _, err := c.judge(token); err == nil {
			t.Errorf("let in by %q", token)
		}
	})
}
