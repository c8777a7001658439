package hub

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
)

// jwk is a key as a tenant publishes it. Keys are told apart by kinds.
func jwk(t testing.TB, id string, public any, more ...string) string {
	t.Helper()
	enc := base64.RawURLEncoding.EncodeToString
	m := map[string]any{"kid": id, "use": "sig"}
	switch key := public.(type) {
	case *rsa.PublicKey:
		m["kty"], m["n"], m["e"] = "RSA", enc(key.N.Bytes()), enc(big.NewInt(int64(key.E)).Bytes())
	case *ecdsa.PublicKey:
		point, err := key.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		half := len(point) / 2
		m["kty"], m["crv"], m["x"], m["y"] = "EC", key.Params().Name, enc(point[1:1+half]), enc(point[1+half:])
	}
	for i := 0; i < len(more); i += 2 {
		if m[more[i]] = json.RawMessage(more[i+1]); more[i+1] == "" {
			delete(m, more[i])
		}
	}
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func jwks(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }

var otherRSA = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func curveKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

const everyRSA = "RS256 RS384 RS512 PS256 PS384 PS512"

func TestKeySets(t *testing.T) {
	r, e := jwk(t, "r", &agentKey().PublicKey), jwk(t, "e", &ecKey().PublicKey)
	small, err := rsa.GenerateKey(rand.Reader, 1024) // it is to be refused
	if err != nil {
		t.Fatal(err)
	}
	enc := base64.RawURLEncoding.EncodeToString
	quote := func(b []byte) string { return `"` + enc(b) + `"` }
	long := make([]byte, maxModulus/8+2)
	long[0], long[len(long)-1] = 1, 1
	for name, tt := range map[string]struct{ set, want, err string }{
		"RSA":                      {jwks(r), "r " + everyRSA, ""},
		"RSA with a sign octet":    {jwks(jwk(t, "r", &agentKey().PublicKey, "n", quote(append([]byte{0}, agentKey().N.Bytes()...)))), "r " + everyRSA, ""},
		"P-256":                    {jwks(e), "e ES256", ""},
		"P-384":                    {jwks(jwk(t, "e", curveKey(t, elliptic.P384()).Public())), "e ES384", ""},
		"P-521":                    {jwks(jwk(t, "e", curveKey(t, elliptic.P521()).Public())), "e ES512", ""},
		"both":                     {jwks(r, e), "r " + everyRSA + ", e ES256", ""},
		"one algorithm":            {jwks(jwk(t, "r", &agentKey().PublicKey, "alg", `"PS512"`)), "r PS512", ""},
		"no ID":                    {jwks(jwk(t, "", &agentKey().PublicKey, "kid", "")), " " + everyRSA, ""},
		"operations":               {jwks(jwk(t, "r", &agentKey().PublicKey, "key_ops", `["verify"]`, "use", "")), "r " + everyRSA, ""},
		"unknown members":          {`{"x":1,"keys":[` + r + `],"y":{}}`, "r " + everyRSA, ""},
		"beside other kinds":       {jwks(`{"kty":"OKP","crv":"Ed25519","x":"AA"}`, `{"kty":"oct","k":"c2VjcmV0"}`, `7`, `null`, `[]`, `{}`, r), "r " + everyRSA, ""},
		"a shared secret":          {jwks(`{"kty":"oct","k":"c2VjcmV0","kid":"r"}`), "", "neither RSA nor EC"},
		"HS256 beside a public":    {jwks(jwk(t, "r", &agentKey().PublicKey, "alg", `"HS256"`)), "", "does not fit"},
		"none beside a public":     {jwks(jwk(t, "r", &agentKey().PublicKey, "alg", `"none"`)), "", "does not fit"},
		"ES256 beside RSA":         {jwks(jwk(t, "r", &agentKey().PublicKey, "alg", `"ES256"`)), "", "does not fit"},
		"ES384 beside P-256":       {jwks(jwk(t, "e", &ecKey().PublicKey, "alg", `"ES384"`)), "", "does not fit"},
		"for encryption":           {jwks(jwk(t, "r", &agentKey().PublicKey, "use", `"enc"`)), "", "not for signatures"},
		"for signing only":         {jwks(jwk(t, "r", &agentKey().PublicKey, "key_ops", `["sign"]`)), "", "not for signatures"},
		"a published private half": {jwks(jwk(t, "r", &agentKey().PublicKey, "d", `"AQAB"`)), "", "private half"},
		"1024 bits":                {jwks(jwk(t, "r", &small.PublicKey)), "", "2048 to 8192 bits"},
		"8193 bits":                {jwks(jwk(t, "r", &agentKey().PublicKey, "n", quote(long[1:]))), "", "2048 to 8192 bits"},
		"a huge modulus":           {jwks(jwk(t, "r", &agentKey().PublicKey, "n", quote(long))), "", "too long"},
		"an even modulus":          {jwks(jwk(t, "r", &agentKey().PublicKey, "n", quote(append(agentKey().N.Bytes(), 0)))), "", "odd number"},
		"no modulus":               {jwks(jwk(t, "r", &agentKey().PublicKey, "n", "")), "", "odd number"},
		"a modulus with padding":   {jwks(jwk(t, "r", &agentKey().PublicKey, "n", `"AQAB="`)), "", "not base64url"},
		"exponent 1":               {jwks(jwk(t, "r", &agentKey().PublicKey, "e", `"AQ"`)), "", "its exponent"},
		"an even exponent":         {jwks(jwk(t, "r", &agentKey().PublicKey, "e", `"AQAA"`)), "", "its exponent"},
		"a huge exponent":          {jwks(jwk(t, "r", &agentKey().PublicKey, "e", `"AQAAAAAAAAAB"`)), "", "its exponent"},
		"no exponent":              {jwks(jwk(t, "r", &agentKey().PublicKey, "e", "")), "", "its exponent"},
		"another curve":            {jwks(jwk(t, "e", &ecKey().PublicKey, "crv", `"secp256k1"`)), "", "its curve"},
		"not on the curve":         {jwks(jwk(t, "e", &ecKey().PublicKey, "x", `"AQAB"`)), "", "not on the curve"},
		"a point of another curve": {jwks(jwk(t, "e", curveKey(t, elliptic.P384()).Public(), "crv", `"P-256"`)), "", "the curve's size"},
		"no point":                 {jwks(jwk(t, "e", &ecKey().PublicKey, "x", "", "y", "")), "", "the curve's size"},
		"members of other types":   {jwks(jwk(t, "r", &agentKey().PublicKey, "n", "7")), "", "not a JWK"},
		"no keys":                  {jwks(), "", "no keys"},
		"no list":                  {`{}`, "", "no keys"},
		"a list of another type":   {`{"keys":{}}`, "", "not a JWK set"},
		"a page":                   {`<html>`, "", "not a JWK set"},
		"nothing":                  {``, "", "not a JWK set"},
		"too many":                 {jwks(slices.Repeat([]string{e}, maxKeys+1)...), "", "more than 100"},
	} {
		t.Run(name, func(t *testing.T) {
			keys, err := parseKeySet([]byte(tt.set))
			var got []string
			for _, k := range keys {
				got = append(got, k.id+" "+strings.Join(k.methods, " "))
			}
			if text := strings.Join(got, ", "); text != tt.want {
				t.Errorf("got %q, %v", text, err)
			}
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("got %v, want %q", err, tt.err)
			}
		})
	}
}

func FuzzKeySet(f *testing.F) {
	for _, seed := range []string{
		jwks(jwk(f, "r", &agentKey().PublicKey), jwk(f, "e", &ecKey().PublicKey)), jwks(`{"kty":"oct","k":"c2VjcmV0"}`),
		``, `null`, `{"keys":null}`, `{"keys":[null,7,{}]}`, `{"keys":[{"kty":"EC","crv":"P-256","x":"","y":""}]}`,
		`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`, `{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := parseKeySet(data)
		if (len(keys) == 0) != (err != nil) || len(keys) > maxKeys {
			t.Fatalf("%d keys, %v", len(keys), err)
		}
		for _, k := range keys {
			switch key := k.key.(type) {
			case *rsa.PublicKey:
				if key.N.BitLen() < minModulus || key.N.BitLen() > maxModulus || key.E < 3 || key.E%2 == 0 {
					t.Fatalf("%d bits, exponent %d", key.N.BitLen(), key.E)
				}
			case *ecdsa.PublicKey:
				if _, err := key.ECDH(); err != nil {
					t.Fatalf("not on its curve: %v", err)
				}
			default:
				t.Fatalf("a key of %T", k.key)
			}
			for _, m := range k.methods {
				if len(m) != 5 || !slices.Contains([]string{"RS", "PS", "ES"}, m[:2]) {
					t.Fatalf("algorithm %q", m)
				}
			}
		}
		if err != nil && len(err.Error()) > 200 {
			t.Fatalf("the error quotes the set: %v", err)
		}
	})
}

func FuzzKeyID(f *testing.F) {
	for _, header := range []string{`{"alg":"RS256","kid":"a"}`, `{}`, `null`, `{"kid":7}`, `[]`, ``} {
		f.Add(base64.RawURLEncoding.EncodeToString([]byte(header)) + ".e30.AA")
	}
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		if id, err := keyID(token); err != nil && (id != "" || strings.Contains(fmt.Sprint(err), token) && len(token) > 20) {
			t.Fatalf("%q, %v", id, err)
		}
	})
}
