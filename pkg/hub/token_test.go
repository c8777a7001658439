package hub

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

var ecKey = sync.OnceValue(func() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
})

func pemOf(t *testing.T, kind string, der []byte, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func publicPEM(t *testing.T, key crypto.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(key)
	return pemOf(t, "PUBLIC KEY", der, err)
}

func sign(t *testing.T, method jwt.SigningMethod, key any, claims string) string {
	t.Helper()
	c := jwt.MapClaims{"pid": rand.Text()}
	if claims != "" {
		c["extra"] = claims
	}
	token, err := jwt.NewWithClaims(method, c).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// TestAlgorithms wants exactly the algorithms that belong to the kind of key.
func TestAlgorithms(t *testing.T) {
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, agentKey().Public(), agentKey())
	rsaPEM, ecPEM := publicPEM(t, agentKey().Public()), publicPEM(t, ecKey().Public())
	certPEM := pemOf(t, "CERTIFICATE", cert, err)
	pkcs1 := pemOf(t, "RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&agentKey().PublicKey), nil)
	rsaPrivate := pemOf(t, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(agentKey()), nil)
	damaged := "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"

	now := time.Now
	all := []jwt.SigningMethod{
		jwt.SigningMethodHS256, jwt.SigningMethodHS384, jwt.SigningMethodHS512,
		jwt.SigningMethodRS256, jwt.SigningMethodRS384, jwt.SigningMethodRS512,
		jwt.SigningMethodPS256, jwt.SigningMethodPS384, jwt.SigningMethodPS512,
		jwt.SigningMethodES256, jwt.SigningMethodEdDSA, jwt.SigningMethodNone,
	}
	for _, tt := range []struct {
		name, key string
		secret    string // what HS tokens are signed with; "" means the key's text
		rsa       *rsa.PrivateKey
		taken     string
	}{
		{"a secret", signingKey, "", agentKey(), "HS256 HS384 HS512"},
		{"a secret with spaces around it", " " + signingKey + "\n", "", agentKey(), "HS256 HS384 HS512"},
		{"another secret", signingKey, "not " + signingKey, agentKey(), ""},
		{"an RSA key", rsaPEM, "", agentKey(), "RS256 RS384 RS512 PS256 PS384 PS512"},
		{"an RSA key after a preamble", "tenant key:\n" + rsaPEM, "", agentKey(), "RS256 RS384 RS512 PS256 PS384 PS512"},
		{"an RSA key in PKCS#1", pkcs1, "", agentKey(), "RS256 RS384 RS512 PS256 PS384 PS512"},
		{"an RSA certificate", certPEM, "", agentKey(), "RS256 RS384 RS512 PS256 PS384 PS512"},
		{"another RSA key", rsaPEM, "", other, ""},
		{"an EC key", ecPEM, "", agentKey(), "ES256"},
		{"a private key", rsaPrivate, "", agentKey(), ""},
		{"an Ed25519 key", publicPEM(t, edKey.Public()), "", agentKey(), ""},
		{"a damaged certificate is no secret", damaged, "", agentKey(), ""},
		{"a PEM without end is no secret", rsaPEM[:100], "", agentKey(), ""},
		{"nothing", "", "x", agentKey(), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := newVerifier(tt.key, now)
			var taken []string
			for _, m := range all {
				var key any
				switch m.(type) {
				case *jwt.SigningMethodHMAC:
					if key = []byte(tt.key); tt.secret != "" {
						key = []byte(tt.secret)
					}
				case *jwt.SigningMethodRSA, *jwt.SigningMethodRSAPSS:
					key = tt.rsa
				case *jwt.SigningMethodECDSA:
					key = ecKey()
				case *jwt.SigningMethodEd25519:
					key = edKey
				default:
					key = jwt.UnsafeAllowNoneSignatureType
				}
				if _, err := v.check(sign(t, m, key, "")); err == nil {
					taken = append(taken, m.Alg())
				}
			}
			if got := strings.Join(taken, " "); got != tt.taken {
				t.Errorf("took %q, want %q (%v)", got, tt.taken, v.fault())
			}
		})
	}
}

func TestDates(t *testing.T) {
	const now = 1_800_000_000
	v := newVerifier(signingKey, func() time.Time { return time.Unix(now, 0) })
	for _, tt := range []struct {
		claims, want string
	}{
		{`"x":1`, ""},
		{`"exp":1800000001`, ""},
		{`"exp":1799999941`, ""}, // 59 s ago: the clocks may differ
		{`"exp":1799999940`, "the token has expired"},
		{`"exp":1799999940.9`, "the token has expired"},
		{`"exp":-1e300`, "the token has expired"},
		{`"exp":0`, "the token has expired"},
		{`"exp":1e300`, ""},
		{`"exp":1e999`, "a date in the token is not a number"},
		{`"exp":"1900000000"`, "a date in the token is not a number"},
		{`"exp":"soon"`, "a date in the token is not a number"},
		{`"exp":null`, "a date in the token is not a number"},
		{`"exp":true`, "a date in the token is not a number"},
		{`"exp":[]`, "a date in the token is not a number"},
		{`"EXP":1`, ""},
		{`"nbf":1800000060`, ""},
		{`"nbf":1800000061`, "the token is not valid yet"},
		{`"nbf":{}`, "a date in the token is not a number"},
		{`"iat":1799000000`, ""},
		{`"iat":1800000060`, ""},
		{`"iat":1800000061`, "the token was issued in the future"},
		{`"iat":"x"`, "a date in the token is not a number"},
		{`"aud":42,"iss":{},"sub":[],"jti":null`, ""},
		{`"aud":["someone","else"],"iss":"someone-else"`, ""},
	} {
		_, err := v.check(hs256(signingKey, fmt.Sprintf(`{"pid":%q,%s}`, rand.Text(), tt.claims)))
		if got := fmt.Sprint(err); got != tt.want && (err != nil || tt.want != "") {
			t.Errorf("%s: got %v, want %q", tt.claims, err, tt.want)
		}
	}
}

func TestReplay(t *testing.T) {
	clock := time.Unix(1_800_000_000, 0)
	v := newVerifier(signingKey, func() time.Time { return clock })
	check := func(claims string, want bool) {
		t.Helper()
		if _, err := v.check(hs256(signingKey, claims)); (err == nil) != want {
			t.Errorf("%s at %v: %v", claims, clock.Unix(), err)
		}
	}
	check(`{"pid":"a"}`, true)
	check(`{"pid":"a"}`, false)
	check(`{"pid":"a","username":"jane"}`, false) // another token, the same pid
	check(`{"pid":"b","exp":1800003600}`, true)
	check(`{"pid":7}`, true)
	check(`{"pid":"7"}`, false) // the reply's name would be the same
	clock = clock.Add(rememberFor)
	check(`{"pid":"a"}`, true) // forgotten
	check(`{"pid":"a"}`, false)
	check(`{"pid":"b","exp":1800003600}`, false) // valid, and so remembered, for an hour
	clock = clock.Add(time.Hour + leeway - rememberFor - time.Second)
	check(`{"pid":"b","exp":1800003600}`, false)
	clock = clock.Add(time.Second)
	check(`{"pid":"b","exp":1800003600}`, false) // has expired itself
	check(`{"pid":"b"}`, true)
}

func TestMemoryIsBounded(t *testing.T) {
	m, now := newMemory(100), time.Unix(1_800_000_000, 0)
	far := now.Add(time.Hour)
	for i := range 1000 {
		if !m.first(fmt.Sprint(i), now, far) {
			t.Fatalf("%d was never seen", i)
		}
		if len(m.until) > 100 || len(m.queue) > 300 {
			t.Fatalf("%d pids, %d in the queue", len(m.until), len(m.queue))
		}
	}
	if m.first("999", now, far) || m.first("900", now, far) {
		t.Error("one of the last hundred was forgotten")
	}
	if !m.first("899", now, far) {
		t.Error("an older one was not")
	}
	now = far
	if !m.first("999", now, now.Add(time.Minute)) || len(m.until) != 1 {
		t.Errorf("%d are remembered beyond their time", len(m.until))
	}
	for range 1000 { // the same one, each time after its time
		now = now.Add(2 * time.Minute)
		if !m.first("again", now, now.Add(time.Minute)) || len(m.queue) > 10 {
			t.Fatalf("%d in the queue", len(m.queue))
		}
	}
}
