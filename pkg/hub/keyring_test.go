package hub

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// signed is a token with a header of its own.
func signed(t testing.TB, method jwt.SigningMethod, key any, header map[string]any, claims jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	for name, value := range header {
		token.Header[name] = value
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestPublishedKeys: which tokens a set of keys verifies.
func TestPublishedKeys(t *testing.T) {
	both := jwks(jwk(t, "r", &agentKey().PublicKey), jwk(t, "e", &ecKey().PublicKey))
	one := jwks(jwk(t, "r", &agentKey().PublicKey))
	bound := jwks(jwk(t, "r", &agentKey().PublicKey, "alg", `"RS256"`))
	twins := jwks(jwk(t, "x", &otherRSA().PublicKey), jwk(t, "x", &agentKey().PublicKey), jwk(t, "x", &ecKey().PublicKey))
	pem := publicPEM(t, agentKey().Public())
	kid := func(id any) map[string]any { return map[string]any{"kid": id} }
	for name, tt := range map[string]struct {
		set    string
		method jwt.SigningMethod
		key    any
		header map[string]any
		want   string
	}{
		"RS256":                         {both, jwt.SigningMethodRS256, agentKey(), kid("r"), ""},
		"RS384":                         {both, jwt.SigningMethodRS384, agentKey(), kid("r"), ""},
		"RS512":                         {both, jwt.SigningMethodRS512, agentKey(), kid("r"), ""},
		"PS256":                         {both, jwt.SigningMethodPS256, agentKey(), kid("r"), ""},
		"PS384":                         {both, jwt.SigningMethodPS384, agentKey(), kid("r"), ""},
		"PS512":                         {both, jwt.SigningMethodPS512, agentKey(), kid("r"), ""},
		"ES256":                         {both, jwt.SigningMethodES256, ecKey(), kid("e"), ""},
		"no ID, and one key":            {one, jwt.SigningMethodRS256, agentKey(), nil, ""},
		"no ID, and two keys":           {both, jwt.SigningMethodRS256, agentKey(), nil, errUnknownKey.Error()},
		"an empty ID, and two keys":     {both, jwt.SigningMethodRS256, agentKey(), kid(""), errUnknownKey.Error()},
		"another ID, and one key":       {one, jwt.SigningMethodRS256, agentKey(), kid("x"), errUnknownKey.Error()},
		"an ID in another case":         {one, jwt.SigningMethodRS256, agentKey(), kid("R"), errUnknownKey.Error()},
		"an ID that is a number":        {one, jwt.SigningMethodRS256, agentKey(), kid(7), errUnknownKey.Error()},
		"an ID that is null":            {one, jwt.SigningMethodRS256, agentKey(), kid(nil), ""},
		"another key":                   {one, jwt.SigningMethodRS256, otherRSA(), kid("r"), "the token's signature or algorithm is not the tenant's"},
		"twins":                         {twins, jwt.SigningMethodRS256, agentKey(), kid("x"), ""},
		"twins, the first":              {twins, jwt.SigningMethodPS256, otherRSA(), kid("x"), ""},
		"twins, the other kind":         {twins, jwt.SigningMethodES256, ecKey(), kid("x"), ""},
		"the key's own algorithm":       {bound, jwt.SigningMethodRS256, agentKey(), kid("r"), ""},
		"not the key's own algorithm":   {bound, jwt.SigningMethodPS256, agentKey(), kid("r"), errUnknownKey.Error()},
		"an RSA token for an EC key":    {both, jwt.SigningMethodRS256, agentKey(), kid("e"), errUnknownKey.Error()},
		"an EC token for an RSA key":    {both, jwt.SigningMethodES256, ecKey(), kid("r"), errUnknownKey.Error()},
		"HS256 by the public key":       {one, jwt.SigningMethodHS256, []byte(pem), kid("r"), "the token's signature or algorithm is not the tenant's"},
		"HS256 by the modulus":          {one, jwt.SigningMethodHS256, agentKey().N.Bytes(), nil, "the token's signature or algorithm is not the tenant's"},
		"HS256 by nothing":              {one, jwt.SigningMethodHS256, []byte{}, kid("r"), "the token's signature or algorithm is not the tenant's"},
		"no signature":                  {one, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, kid("r"), "the token's signature or algorithm is not the tenant's"},
		"a key of its own in the token": {one, jwt.SigningMethodRS256, otherRSA(), map[string]any{"kid": "r", "jwk": map[string]any{"kty": "oct"}, "jku": "https://evil.example"}, "the token's signature or algorithm is not the tenant's"},
	} {
		t.Run(name, func(t *testing.T) {
			v := newPublishedVerifier(func(context.Context) ([]byte, error) { return []byte(tt.set), nil }, time.Now)
			if !v.ring.renew(t.Context()) {
				t.Fatal(v.fault())
			}
			_, err := v.check(signed(t, tt.method, tt.key, tt.header, jwt.MapClaims{"pid": rand.Text()}))
			if got := fmt.Sprint(err); got != tt.want && (err != nil || tt.want != "") {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// TestThePublicKeyIsNoSecret: a tenant that sends a signing key has it verify
// all, whatever it publishes besides.
func TestASigningKeyGoesFirst(t *testing.T) {
	o := options("https://hub.example", io.Discard)
	o.KeySet = func(context.Context) ([]byte, error) {
		t.Error("the keys were read")
		return nil, errors.New("no")
	}
	c, err := New(&people{}, o)
	if err != nil || c.verify.ring != nil {
		t.Errorf("%v, %v", c, err)
	}
	for _, key := range []string{"", " \n"} {
		o.SigningKey = key
		if c, err := New(&people{}, o); err != nil || c.verify.ring == nil {
			t.Errorf("with the key %q: %v", key, err)
		}
	}
}

// A publisher is a tenant that publishes its keys.
type publisher struct {
	mu    sync.Mutex
	set   string
	err   error
	takes time.Duration
	reads []time.Time
}

func (p *publisher) read(ctx context.Context) ([]byte, error) {
	p.mu.Lock()
	p.reads = append(p.reads, time.Now())
	set, err, takes := p.set, p.err, p.takes
	p.mu.Unlock()
	if !sleep(ctx, takes) {
		return nil, ctx.Err()
	}
	return []byte(set), err
}

func (p *publisher) change(set string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.set, p.err = set, err
}

func (p *publisher) asked() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.reads[min(1, len(p.reads)):] {
		if apart := p.reads[i+1].Sub(p.reads[i]); apart < keysApart {
			panic(fmt.Sprintf("read again after %v", apart))
		}
	}
	return len(p.reads)
}

// asks sends a login that is signed by a key of that ID.
func asks(t *testing.T, l *rawLink, key *rsa.PrivateKey, id, pid string) {
	t.Helper()
	l.text(t, `{"n":"authenticate_user","p":{"jwt":"`+signed(t, jwt.SigningMethodRS256, key, map[string]any{"kid": id},
		jwt.MapClaims{"pid": pid, "username": "jane", "password": "secret"})+`"}}`)
}

// TestKeysAreReadWhenTheyMust follows the keys through a tenant's day: they are
// read at the start, kept for ten minutes, read again for an ID that is not
// known and after a reconnection, never twice within half a minute, and used
// for an hour when the tenant cannot be asked.
func TestKeysAreReadWhenTheyMust(t *testing.T) {
	agentKey()
	otherRSA()
	tenant := &publisher{set: jwks(jwk(t, "a", &agentKey().PublicKey)), takes: time.Second}
	log := &diary{}
	bubble(t, &people{}, func(o *Options) {
		o.SigningKey, o.KeySet = "", tenant.read
		o.Log = slog.New(slog.NewTextHandler(log, nil))
	}, func(t *testing.T, hub *rawHub, c *Client, s *states, stop func()) {
		l := hub.accept(t)
		texts, _ := minded(l)
		login := func(key *rsa.PrivateKey, id string, within time.Duration) {
			t.Helper()
			pid, begun := rand.Text(), time.Now()
			asks(t, l, key, id, pid)
			if got, want := heard(t, texts), `{"n":"`+pid+`_result","p":{"profile":{"id":"jane"}}}`; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if took := time.Since(begun); took > within {
				t.Errorf("it took %v", took)
			}
		}
		refused := func(key *rsa.PrivateKey, id string) {
			t.Helper()
			asks(t, l, key, id, rand.Text())
			sleep(t.Context(), time.Minute)
			synctest.Wait()
			if len(texts) > 0 {
				t.Errorf("a token of key %q was answered: %s", id, <-texts)
			}
		}
		reads := func(want int) {
			t.Helper()
			synctest.Wait()
			if got := tenant.asked(); got != want {
				t.Errorf("the keys were read %d times, want %d", got, want)
			}
		}

		login(agentKey(), "a", time.Second) // it waits for the first reading
		for range 9 {
			login(agentKey(), "a", 0)
			sleep(t.Context(), time.Minute)
		}
		reads(1)
		sleep(t.Context(), 2*time.Minute)
		login(agentKey(), "a", time.Second) // they were old
		reads(2)

		tenant.change(jwks(jwk(t, "a", &agentKey().PublicKey), jwk(t, "b", &otherRSA().PublicKey)), nil)
		login(agentKey(), "a", 0)
		login(otherRSA(), "b", keysApart+time.Second) // it waits for its turn
		reads(3)
		login(otherRSA(), "b", 0)
		refused(otherRSA(), "a")
		reads(3)
		refused(otherRSA(), "c")
		reads(4)

		for i := range 1000 { // a flood of strange IDs
			asks(t, l, otherRSA(), fmt.Sprint("strange", i), fmt.Sprint(i))
		}
		login(agentKey(), "a", 0)
		sleep(t.Context(), time.Minute)
		reads(5)

		_ = l.Close()
		l = hub.accept(t)
		texts, _ = minded(l)
		sleep(t.Context(), time.Minute)
		reads(6)

		tenant.change("", errors.New("no answer"))
		sleep(t.Context(), keysFresh)
		login(agentKey(), "a", time.Second)
		for range 45 { // the tenant's pages are down, its hub is not
			sleep(t.Context(), time.Minute)
			login(agentKey(), "a", 0)
		}
		sleep(t.Context(), keysLast-45*time.Minute)
		refused(agentKey(), "a")
		if got := s.last(); got != "keyless no answer" {
			t.Errorf("state %q", got)
		}
		tenant.change(jwks(jwk(t, "b", &otherRSA().PublicKey)), nil)
		asks(t, l, otherRSA(), "b", rand.Text())
		if got := heard(t, texts); !strings.Contains(got, `"profile"`) {
			t.Errorf("got %s", got)
		}
		synctest.Wait()
		if got := s.last(); got != "accepted " {
			t.Errorf("state %q", got)
		}
		refused(agentKey(), "a") // no longer published
		tenant.asked()
	})
	for _, want := range []string{`msg="the tenant's keys were read" keys="a b"`, "the tenant's keys could not be read", errUnknownKey.Error()} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q", want)
		}
	}
}

// TestATenantWithoutKeys: the agent stays, says what is missing, and asks again
// by itself.
func TestATenantWithoutKeys(t *testing.T) {
	agentKey()
	tenant := &publisher{set: `{"keys":[]}`}
	bubble(t, &people{}, func(o *Options) { o.SigningKey, o.KeySet = "", tenant.read }, func(t *testing.T, hub *rawHub, c *Client, s *states, _ func()) {
		l := hub.accept(t)
		texts, _ := minded(l)
		synctest.Wait()
		if got, want := s.last(), "keyless the keys that the tenant publishes: it has no keys"; got != want {
			t.Errorf("state %q, want %q", got, want)
		}
		tenant.mu.Lock()
		tenant.takes, tenant.set = time.Hour, jwks(jwk(t, "a", &agentKey().PublicKey)) // now it does not answer
		tenant.mu.Unlock()
		sleep(t.Context(), time.Minute)
		if got := s.last(); got != "keyless "+context.DeadlineExceeded.Error() {
			t.Errorf("state %q", got)
		}
		tenant.mu.Lock()
		tenant.takes = 0
		tenant.mu.Unlock()
		sleep(t.Context(), time.Minute)
		if got := s.last(); got != "accepted " {
			t.Errorf("state %q", got)
		}
		asks(t, l, agentKey(), "a", "p")
		if got := heard(t, texts); got != `{"n":"p_result","p":{"profile":{"id":"jane"}}}` {
			t.Errorf("got %s", got)
		}
		tenant.asked()
	})
}

// TestStopWhileKeysAreRead: what waits for them does not hold up the end.
func TestStopWhileKeysAreRead(t *testing.T) {
	tenant := &publisher{takes: time.Hour}
	bubble(t, &people{}, func(o *Options) { o.SigningKey, o.KeySet = "", tenant.read }, func(t *testing.T, hub *rawHub, c *Client, s *states, stop func()) {
		l := hub.accept(t)
		minded(l)
		for i := range 10 {
			asks(t, l, agentKey(), "a", fmt.Sprint(i))
		}
		synctest.Wait()
		begun := time.Now()
		stop()
		if took := time.Since(begun); took > defaultDrain+lastWords {
			t.Errorf("it took %v", took)
		}
	})
}
