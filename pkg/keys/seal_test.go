package keys_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/keys"
)

type vector struct {
	ID        string
	KeyRef    string `json:"key_ref"`
	Plaintext string
	Salt      string `json:"salt_hex"`
	IV        string `json:"iv_hex"`
	Stored    string `json:"stored_value"`
}

type vectors struct {
	Keys   map[string]string `json:"keys_pem"`
	V1, V2 struct{ Vectors []vector }
}

func load(t testing.TB) vectors {
	t.Helper()
	data, err := os.ReadFile("testdata/ldap_bind_credentials.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.V1.Vectors) == 0 || len(v.V2.Vectors) == 0 {
		t.Fatal("no vectors")
	}
	return v
}

func TestOpenVectors(t *testing.T) {
	v := load(t)
	for _, vector := range append(v.V1.Vectors, v.V2.Vectors...) {
		pair := certify(t, v.Keys[vector.KeyRef])
		got, err := pair.Open(vector.Stored)
		if err != nil || got != vector.Plaintext {
			t.Errorf("%s: %v, plaintext is right: %t", vector.ID, err, got == vector.Plaintext)
		}
		if got, err := pair.Open("\t" + strings.ToUpper(vector.Stored) + "\r\n"); err != nil || got != vector.Plaintext {
			t.Errorf("%s in upper case: %v", vector.ID, err)
		}
	}
}

// A key that lost or gained its CRs on the way from another system still opens
// what was sealed with it.
func TestOpenDespiteLineEnds(t *testing.T) {
	v := load(t)
	other := map[string]*strings.Replacer{
		"a": strings.NewReplacer("\r\n", "\n"),
		"b": strings.NewReplacer("\n", "\r\n"),
	}
	for _, vector := range append(v.V1.Vectors, v.V2.Vectors...) {
		pair := certify(t, other[vector.KeyRef].Replace(v.Keys[vector.KeyRef]))
		if got, err := pair.Open(vector.Stored); err != nil || got != vector.Plaintext {
			t.Errorf("%s: %v", vector.ID, err)
		}
	}
}

func TestSealOpens(t *testing.T) {
	v := load(t)
	for ref, key := range v.Keys {
		pair := certify(t, key)
		secrets := []string{"Passw0rd!"}
		if ref == "a" { // deriving a key is slow on purpose
			secrets = append(secrets, "", "exactly 16 bytes", "пароль-密码", strings.Repeat("x", 4096))
		}
		for _, secret := range secrets {
			sealed, err := pair.Seal(secret)
			if err != nil {
				t.Errorf("key %s: %v", ref, err)
				continue
			}
			if parts := strings.Split(sealed, "."); len(parts) != 4 || parts[0] != "$2$" || strings.ToLower(sealed) != sealed {
				t.Errorf("key %s: not in format 2: %s", ref, sealed)
			}
			if got, err := pair.Open(sealed); err != nil || got != secret {
				t.Errorf("key %s: %v", ref, err)
			}
			if again, _ := pair.Seal(secret); again == sealed {
				t.Errorf("key %s: sealed twice alike, so without salt", ref)
			}
		}
	}
}

func TestSealRefuses(t *testing.T) {
	pair := generate(t)
	for name, secret := range map[string]string{
		"a line end":  "Passw0rd!\n",
		"a NUL":       "Passw0rd!\x00",
		"no UTF-8":    "Passw0rd!\xff",
		"much length": strings.Repeat("Passw0rd!", 1000),
	} {
		if _, err := pair.Seal(secret); err == nil {
			t.Errorf("%s: sealed", name)
		} else if strings.Contains(err.Error(), "Passw0rd") {
			t.Errorf("%s: shown in %q", name, err)
		}
	}
	if _, err := (&keys.Pair{}).Seal("x"); err == nil {
		t.Error("sealed without a key")
	}
	if _, err := (&keys.Pair{}).Open("00"); err == nil {
		t.Error("opened without a key")
	}
}

// What each bad value of LDAP_BIND_CREDENTIALS gets.
func TestOpenRefuses(t *testing.T) {
	pair := generate(t)
	good, err := pair.Seal("Passw0rd!")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(good, ".")
	join := func(s ...string) string { return strings.Join(s, ".") }
	// Its first octet: what was sealed is then damaged whole, its padding with it.
	flipped := "0" + parts[3][1:]
	if flipped == parts[3] {
		flipped = "1" + parts[3][1:]
	}
	v := load(t)
	for name, tt := range map[string]struct {
		sealed, want string
		wrongKey     bool
	}{
		"nothing":             {"", "it is empty", false},
		"blank":               {" \n", "it is empty", false},
		"clear text":          {"Passw0rd!", "it is not in hex digits", false},
		"unknown format":      {"$3$.00.00.00", "it is of an unknown format", false},
		"too few fields":      {join("$2$", parts[1], parts[2]), "it is not in the form", false},
		"too many fields":     {good + ".00", "it is not in the form", false},
		"format 1 with a dot": {"00.00", "it is not in the form", false},
		"salt is no hex":      {join("$2$", "zz", parts[2], parts[3]), "it is not in hex digits", false},
		"odd hex":             {good[:len(good)-1], "it is not in hex digits", false},
		"short salt":          {join("$2$", "00", parts[2], parts[3]), "its salt and IV", false},
		"long IV":             {join("$2$", parts[1], parts[2]+"00", parts[3]), "its salt and IV", false},
		"no ciphertext":       {join("$2$", parts[1], parts[2], ""), "its ciphertext is cut short", true},
		"cut ciphertext":      {good[:len(good)-2], "its ciphertext is cut short", true},
		"changed ciphertext":  {join("$2$", parts[1], parts[2], flipped), "sealed with another key, or damaged", true},
		"changed salt":        {join("$2$", strings.Repeat("0", 32), parts[2], parts[3]), "sealed with another key", true},
		"of another key":      {v.V2.Vectors[0].Stored, "sealed with another key", true},
		"v1 of another key":   {v.V1.Vectors[0].Stored, "sealed with another key", true},
		"far too long":        {strings.Repeat("00", 1<<20), "it is longer than", false},
	} {
		got, err := pair.Open(tt.sealed)
		if err == nil {
			t.Errorf("%s: opened as %q", name, got)
			continue
		}
		if !strings.HasPrefix(err.Error(), "open a sealed secret: "+tt.want) {
			t.Errorf("%s: error is %q, want %q", name, err, tt.want)
		}
		if errors.Is(err, keys.ErrSealed) != tt.wrongKey {
			t.Errorf("%s: errors.Is(%q, ErrSealed) is not %t", name, err, tt.wrongKey)
		}
		if len(tt.sealed) > 8 && strings.Contains(err.Error(), tt.sealed[:8]) {
			t.Errorf("%s: the value is shown in %q", name, err)
		}
	}
}

// A wrong key passes the padding check about once in 256 times; what it leaves
// must not be taken for a password. 600 values of format 1, which is cheap to
// try, would let two through without the check for text.
func TestOpenIsNotFooledByPadding(t *testing.T) {
	pair := generate(t)
	for i := range 600 {
		block := make([]byte, 32)
		_, _ = rand.Read(block) // documented never to fail
		if got, err := pair.Open(hex.EncodeToString(block)); err == nil {
			t.Errorf("%d: noise was opened as %q", i, got)
		}
	}
}

func FuzzOpen(f *testing.F) {
	v := load(f)
	for _, vector := range append(v.V1.Vectors, v.V2.Vectors...) {
		f.Add(vector.Stored)
	}
	f.Add("$2$...")
	f.Add("$2$.00.00.00")
	f.Add("....")
	pair := certify(f, v.Keys["a"])
	f.Fuzz(func(t *testing.T, sealed string) {
		got, err := pair.Open(sealed)
		if err != nil && got != "" {
			t.Fatalf("an error and %q", got)
		}
		if err == nil {
			if _, err := pair.Seal(got); err != nil {
				t.Fatalf("opened what it would not seal: %v", err)
			}
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	v := load(b)
	pair := certify(b, v.Keys["a"])
	for b.Loop() {
		if _, err := pair.Open(v.V2.Vectors[0].Stored); err != nil {
			b.Fatal(err)
		}
	}
}

// certify pairs a key with a certificate made for it.
func certify(t testing.TB, keyPEM string) *keys.Pair {
	t.Helper()
	block, _ := pem.Decode([]byte(keyPEM))
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "corp-ad"},
		NotBefore:    noon,
		NotAfter:     noon.Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := keys.Parse(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), []byte(keyPEM))
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func newKey(t *testing.T, bits int) []byte {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
}
