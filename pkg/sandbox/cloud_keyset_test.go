package sandbox

import (
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// published is what a cloud publishes: the modulus of each key, by its ID.
func published(t *testing.T, c *Cloud) map[string]*big.Int {
	t.Helper()
	status, body := callCloud(t, httpClient(t, c), "GET", c.URL()+"/.well-known/jwks.json", "")
	var set struct {
		Keys []struct{ Kty, Use, Alg, Kid, N, E string }
	}
	if err := json.Unmarshal([]byte(body), &set); status != 200 || err != nil {
		t.Fatalf("%d %s", status, body)
	}
	keys := map[string]*big.Int{}
	for _, k := range set.Keys {
		n, err := base64.RawURLEncoding.DecodeString(k.N)
		if err != nil || k.Kty != "RSA" || k.Use != "sig" || k.Alg != "RS256" || k.Kid == "" || k.E != "AQAB" {
			t.Errorf("%+v, %v", k, err)
		}
		keys[k.Kid] = new(big.Int).SetBytes(n)
	}
	return keys
}

// TestPublishedKeys: an agent that says that it looks there gets no key, all
// others do; tokens name the key; a new key takes the place of the old one.
func TestPublishedKeys(t *testing.T) {
	c := startCloud(t, CloudOptions{JWKS: true, Timeout: patience})
	key := firstKey()
	if sent := key.register(t, c, c.Ticket()); !strings.HasPrefix(sent, "-----BEGIN PUBLIC KEY-----") {
		t.Errorf("an agent of the old line got %q", sent)
	}
	registration, err := json.Marshal(map[string]any{"certs": [][]byte{key.der}, "capabilities": map[string]bool{"useJWKS": true}})
	if err != nil {
		t.Fatal(err)
	}
	if status, body := callCloud(t, httpClient(t, c), "POST", c.Ticket(), string(registration)); status != 200 || strings.TrimSpace(body) != "{}" {
		t.Errorf("an agent of the new line got %d %s", status, body)
	}

	id := func() string {
		t.Helper()
		token, err := c.sign(c.find(""), "pid", "list_groups", Request{})
		if err != nil {
			t.Fatal(err)
		}
		parsed, _, err := jwt.NewParser().ParseUnverified(token, jwt.MapClaims{})
		if err != nil {
			t.Fatal(err)
		}
		id, _ := parsed.Header["kid"].(string)
		return id
	}
	first := id()
	if keys := published(t, c); len(keys) != 1 || keys[first] == nil {
		t.Errorf("tokens name %q, published is %v", first, keys)
	}
	if status, body := callCloud(t, httpClient(t, c), "POST", c.URL()+"/api/connections/sandbox/key", ""); status != 204 {
		t.Errorf("a new key: %d %s", status, body)
	}
	second := id()
	if keys := published(t, c); len(keys) != 1 || keys[second] == nil || second == first {
		t.Errorf("tokens name %q after %q, published is %v", second, first, keys)
	}
	if status, _ := callCloud(t, httpClient(t, c), "POST", c.URL()+"/api/connections/other/key", ""); status != 404 {
		t.Errorf("a new key for nobody: %d", status)
	}
	if err := c.SetSigning("", "HS256"); err != nil {
		t.Fatal(err)
	}
	if keys := published(t, c); len(keys) != 0 || id() != "" {
		t.Errorf("a secret is published: %v, %q", keys, id())
	}
	if _, body := callCloud(t, httpClient(t, c), "POST", c.Ticket(), string(registration)); !strings.Contains(body, "signingKey") {
		t.Errorf("a secret is not sent: %s", body)
	}
}

func TestNothingIsPublishedUnlessAsked(t *testing.T) {
	c := startCloud(t, CloudOptions{})
	if status, _ := callCloud(t, httpClient(t, c), "GET", c.URL()+"/.well-known/jwks.json", ""); status != 404 {
		t.Errorf("status %d", status)
	}
}
