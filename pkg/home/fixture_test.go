package home

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/keys"
)

var noon = time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC)

// throwAway holds the keys of the known vectors: a has CRLF, b and c have LF,
// and c has no last newline.
var throwAway struct {
	Keys map[string]string `json:"keys_pem"`
	V1   struct{ Vectors []vector }
	V2   struct{ Vectors []vector }
}

type vector struct {
	KeyRef    string `json:"key_ref"`
	Plaintext string
	Stored    string `json:"stored_value"`
}

func loadKeys() error {
	data, err := os.ReadFile("../keys/testdata/ldap_bind_credentials.json")
	if err != nil {
		return err
	}
	return json.Unmarshal(data, &throwAway)
}

// testPair is the pair of a throw-away key, with a certificate as the existing
// connector makes it: of a year, CA:TRUE, with a stray name in it. It is the
// same each time.
func testPair(t testing.TB, ref string) *keys.Pair {
	t.Helper()
	pair, err := readPair(ref)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func readPair(ref string) (*keys.Pair, error) {
	keyPEM := throwAway.Keys[ref]
	block, _ := pem.Decode([]byte(keyPEM))
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          new(big.Int).SetBytes([]byte("\x1a" + "throwaw" + ref)),
		Subject:               pkix.Name{CommonName: "corp-ad", OrganizationalUnit: []string{"corp.example"}, Organization: []string{"auth0/ad-ldap-connector"}},
		NotBefore:             noon,
		NotAfter:              noon.AddDate(1, 0, 0),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		URIs:                  []*url.URL{{Scheme: "http", Host: "example.org", Path: "/webid", Fragment: "me"}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	if strings.Contains(keyPEM, "\r\n") {
		cert = strings.ReplaceAll(cert, "\n", "\r\n")
	}
	return keys.Parse([]byte(cert), []byte(keyPEM))
}

// sealedWith is the known sealed form of a password for a key.
func sealedWith(ref string) string {
	for _, v := range throwAway.V2.Vectors {
		if v.KeyRef == ref {
			return v.Stored
		}
	}
	return ""
}

// lay writes files below a new home.
func lay(t testing.TB, f map[string]string) *Home {
	t.Helper()
	return layIn(t, filepath.Join(t.TempDir(), "home"), f)
}

func layIn(t testing.TB, dir string, f map[string]string) *Home {
	t.Helper()
	for name, text := range f {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return open(t, dir)
}

func open(t testing.TB, dir string, environ ...string) *Home {
	t.Helper()
	h, err := Open(dir, environ)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// configured is the content of a home that works.
func configured(t testing.TB) map[string]string {
	t.Helper()
	cert, key := testPair(t, "a").PEM()
	return map[string]string{
		configFile: "{\r\n  \"CONNECTION\": \"corp-ad\",\r\n  \"X_OWN\": 1.50,\r\n  \"LDAP_BIND_USER\": \"svc\",\r\n  \"LDAP_BIND_CREDENTIALS\": \"" + sealedWith("a") + "\"\r\n}\r\n",
		certFile:   string(cert),
		keyFile:    string(key),
		mapperFile: "module.exports = function (raw) { return { id: raw.sAMAccountName }; };\n",
	}
}

// filesBelow returns all files below dir by their slashed name, without the locks.
func filesBelow(t testing.TB, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if strings.HasPrefix(name, stateFolder+"/") && strings.Contains(name, "lock") {
			return nil
		}
		data, err := os.ReadFile(path)
		found[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func fixedClock() time.Time { return noon }
