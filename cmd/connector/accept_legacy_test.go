package main

import (
	"archive/zip"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/scrypt"

	"ad-ldap-connector/pkg/sandbox"
)

// legacyMapper is customised as operators do: a library, an asynchronous
// answer, the photo as bytes.
const legacyMapper = `var util = require('util');

// Changed by the operations team.
module.exports = function (raw_data, callback) {
  var profile = {
    id: raw_data.objectGUID,
    displayName: raw_data.displayName,
    nickname: util.format('%s@%s', raw_data.sAMAccountName, 'corp'),
    groups: (raw_data.groups || []).map(function (g) { return 'corp/' + g; }),
    sid: raw_data.objectSid
  };
  if (raw_data.thumbnailPhoto) {
    profile.picture = 'data:image/jpeg;base64,' + Buffer.from(raw_data.thumbnailPhoto).toString('base64');
  }
  process.nextTick(function () { callback(null, profile); });
};
`

// A legacy value is an installation of the existing connector, as it lies on a
// disk: of the sandbox's connection and directory.
type legacy struct {
	cloud *sandbox.Cloud
	files map[string]string // by path in the home
	thumb string            // of the certificate
}

// seal1 and seal2 are the two formats of LDAP_BIND_CREDENTIALS, as the existing
// connector makes them under the text of the private key.
func seal1(t *testing.T, key, secret string) string {
	var out, last []byte // EVP_BytesToKey with MD5, no salt, one round
	for len(out) < 48 {
		sum := md5.Sum(append(last, key...))
		last = sum[:]
		out = append(out, last...)
	}
	return hex.EncodeToString(encrypt(t, out[:32], out[32:48], secret))
}

func seal2(t *testing.T, key, secret string) string {
	salt, iv := []byte("saltsaltsaltsalt"), []byte("iv-iv-iv-iv-iv-i")
	derived, err := scrypt.Key([]byte(key), salt, 16384, 8, 1, 32)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join([]string{"$2$", hex.EncodeToString(salt), hex.EncodeToString(iv), hex.EncodeToString(encrypt(t, derived, iv, secret))}, ".")
}

func encrypt(t *testing.T, key, iv []byte, secret string) []byte {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	pad := aes.BlockSize - len(secret)%aes.BlockSize
	text := append([]byte(secret), bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(text, text)
	return text
}

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

// newLegacy lays out an installation. Registered ones were accepted by the
// tenant before; others carry what an earlier tenant gave them.
func newLegacy(t *testing.T, cloud *sandbox.Cloud, d *sandbox.Directory, seal func(*testing.T, string, string) string, registered bool) *legacy {
	t.Helper()
	data, err := os.ReadFile("../../pkg/keys/testdata/ldap_bind_credentials.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct {
		Keys map[string]string `json:"keys_pem"`
	}
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	key := vectors.Keys["a"]
	if !strings.HasPrefix(key, "-----BEGIN RSA PRIVATE KEY-----\r\n") {
		t.Fatal("the key is not in the existing connector's form")
	}
	block, _ := pem.Decode([]byte(key))
	signer, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: cloud.CAPool()}}}
	t.Cleanup(client.CloseIdleConnections)
	var info struct {
		Hub    string          `json:"adHub"`
		Domain json.RawMessage `json:"connectionDomain"`
		Name   string          `json:"connectionName"`
		Realm  struct {
			Name string `json:"name"`
			Post string `json:"postTokenUrl"`
		} `json:"realm"`
	}
	fetch(t, client, http.MethodGet, cloud.Ticket()+"/info", nil, &info)
	der := legacyCertificate(t, signer, info.Name)
	sum := sha1.Sum(der)
	l := &legacy{cloud: cloud, thumb: hex.EncodeToString(sum[:])}
	sent, signing := strings.Repeat("0", 40), "of-an-earlier-tenant"
	if registered {
		var answer struct {
			SigningKey string `json:"signingKey"`
		}
		fetch(t, client, http.MethodPost, cloud.Ticket(), map[string]any{
			"certs": []string{base64.StdEncoding.EncodeToString(der)}, "signInEndpoint": "http://NODE1:4000/wsfed",
			"agentMode": true, "agentVersion": "6.4.1",
		}, &answer)
		sent, signing = l.thumb, answer.SigningKey
	}
	authority, err := os.ReadFile(cloud.CAFile())
	if err != nil {
		t.Fatal(err)
	}
	quote := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	l.files = map[string]string{
		"config.json": `{
  "PROVISIONING_TICKET": ` + quote(cloud.Ticket()) + `,
  "LDAP_URL": ` + quote(d.URL()) + `,
  "LDAP_BASE": ` + quote(d.BaseDN()) + `,
  "LDAP_BIND_USER": ` + quote(d.BindUser()) + `,
  "SSL_CA_PATH": "CA-FOLDER",
  "x-monitoring": {
    "labels": [ "a", 1.50 ],
    "big": 12345678901234567890
  },
  "AD_HUB": ` + quote(info.Hub) + `,
  "WSFED_ISSUER": ` + string(info.Domain) + `,
  "CONNECTION": ` + quote(info.Name) + `,
  "CLIENT_CERT_AUTH": false,
  "KERBEROS_AUTH": false,
  "FIREWALL_RULE_CREATED": false,
  "REALM": ` + quote(info.Realm.Name) + `,
  "SITE_NAME": "Corporate sign-in",
  ` + quote(info.Realm.Name) + `: ` + quote(info.Realm.Post) + `,
  "PORT": 4000,
  "SERVER_URL": "http://NODE1:4000",
  "LAST_SENT_THUMBPRINT": ` + quote(sent) + `,
  "TENANT_SIGNING_KEY": ` + quote(signing) + `,
  "LDAP_BIND_CREDENTIALS": ` + quote(seal(t, key, d.BindPassword())) + `,
  "ANONYMOUS_SEARCH_ENABLED": false
}
`,
		"certs/cert.key":       key,
		"certs/cert.pem":       crlf(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))),
		"lib/profileMapper.js": crlf(legacyMapper),
		"authorities/ours.pem": string(authority),
		"logs.log":             "2025-03-01T12:00:00.000Z - debug: [2025-03-01 12:00:00] Connector setup complete.\n",
	}
	return l
}

// legacyCertificate is what the existing connector made of a key some time ago.
func legacyCertificate(t *testing.T, key *rsa.PrivateKey, connection string) []byte {
	t.Helper()
	stray, err := url.Parse("http://example.org/webid#me")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now().AddDate(0, -2, 0)
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes([]byte{0x1a, 2, 3, 4, 5, 6, 7, 8, 9}),
		Subject:      pkix.Name{CommonName: connection, OrganizationalUnit: []string{"corp.example"}, Organization: []string{"auth0/ad-ldap-connector"}},
		NotBefore:    start, NotAfter: start.AddDate(0, 0, 365),
		IsCA: true, BasicConstraintsValid: true, SignatureAlgorithm: x509.SHA256WithRSA, URIs: []*url.URL{stray},
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment | x509.KeyUsageKeyEncipherment | x509.KeyUsageDataEncipherment,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// fetch asks the tenant as the existing connector did.
func fetch(t *testing.T, client *http.Client, method, address string, body, into any) {
	t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, address, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }() // it is read whole
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s: %s %v", method, res.Status, answer, err)
	}
	if err := json.Unmarshal(answer, into); err != nil {
		t.Fatal(err)
	}
}

// layOut writes the installation to a folder.
func (l *legacy) layOut(t *testing.T, dir string) {
	t.Helper()
	folder, err := json.Marshal(filepath.Join(dir, "authorities"))
	if err != nil {
		t.Fatal(err)
	}
	l.files["config.json"] = strings.Replace(l.files["config.json"], `"CA-FOLDER"`, string(folder), 1)
	for name, text := range l.files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		// The existing connector left all files open to everybody.
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// serves checks that the connector that runs works as the existing one did.
func (l *legacy) serves(t *testing.T) {
	t.Helper()
	awaitAgent(t, l.cloud)
	if got := l.cloud.Agents()[0].Thumbprint; got != l.thumb {
		t.Errorf("the agent proved to hold %s, want %s", got, l.thumb)
	}
	r := login(t, l.cloud, "alice", sandbox.DemoPassword, "")
	if r.Profile["nickname"] != "alice@corp" || !strings.HasPrefix(r.Profile["sid"].(string), "S-1-5-21-") {
		t.Errorf("the profile is not the customised mapper's: %v", r.Profile)
	}
	if groups := texts(r.Profile["groups"]); len(groups) == 0 || !strings.HasPrefix(groups[0], "corp/") {
		t.Errorf("groups are %v", groups)
	}
	picture, _ := r.Profile["picture"].(string)
	if photo, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(picture, "data:image/jpeg;base64,")); err != nil || len(photo) < 8 {
		t.Errorf("the picture is %q: %v", picture, err)
	}
	login(t, l.cloud, "alice", "not-the-password", "WrongPassword")
}

// unchanged checks files of the home byte for byte.
func (l *legacy) unchanged(t *testing.T, home string, names ...string) {
	t.Helper()
	for _, name := range names {
		got, err := os.ReadFile(filepath.Join(home, filepath.FromSlash(name)))
		if err != nil {
			t.Error(err)
		} else if diff := cmp.Diff(l.files[name], string(got)); diff != "" {
			t.Errorf("%s has changed: %s", name, diff)
		}
	}
}

func startDirectoryFor(t *testing.T) *sandbox.Directory {
	t.Helper()
	d, err := sandbox.StartDirectory(sandbox.DirectoryOptions{Traits: sandbox.Traits{ActiveDirectory: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() }) // the test has ended
	return d
}

// TestAcceptLegacyHome starts the connector in an existing installation. Where
// the tenant has nothing new to say, not one byte of it changes.
func TestAcceptLegacyHome(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		seal       func(*testing.T, string, string) string
		registered bool
		windows    bool
	}{
		{"format 1", seal1, true, false},
		{"format 2 with CRLF", seal2, true, true},
		{"tenant made anew", seal1, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := newLegacy(t, startCloud(t), startDirectoryFor(t), tt.seal, tt.registered)
			c := newCLI(t)
			if tt.windows {
				l.files["config.json"] = crlf(l.files["config.json"])
			}
			l.layOut(t, c.home)
			node := c.start("run", "--home", c.home)
			l.serves(t)
			node.interrupt()
			node.wait(patience)
			if node.status() != exitOK {
				t.Errorf("run ended with %d:\n%s", node.status(), node.stderr)
			}
			if !tt.registered {
				l.files["config.json"] = l.learned(t, c.home)
			}
			l.unchanged(t, c.home, "config.json", "certs/cert.key", "certs/cert.pem", "lib/profileMapper.js", "logs.log")
		})
	}
}

// learned is the configuration as it should be after the tenant has said
// something new: those two values, in their places.
func (l *legacy) learned(t *testing.T, home string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(home, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	signing := regexp.MustCompile(`"TENANT_SIGNING_KEY": ("[^"]*")`).FindStringSubmatch(string(data))
	if signing == nil {
		t.Fatalf("no signing key in %s", data)
	}
	return strings.NewReplacer(strings.Repeat("0", 40), l.thumb, `"of-an-earlier-tenant"`, signing[1]).Replace(l.files["config.json"])
}

// pack makes an archive as the existing connector's export does.
func pack(t *testing.T, files map[string]string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range files {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestAcceptLegacyArchive makes a node of an export of the existing connector.
func TestAcceptLegacyArchive(t *testing.T) {
	t.Parallel()
	l := newLegacy(t, startCloud(t), startDirectoryFor(t), seal2, true)
	c := newCLI(t)
	l.layOut(t, filepath.Join(c.dir, "old"))
	archive := c.file("connector_export_20250301-120000.zip", pack(t, map[string]string{
		"config.json": l.files["config.json"], "lib/profileMapper.js": l.files["lib/profileMapper.js"],
		"certs/cert.key": l.files["certs/cert.key"], "certs/cert.pem": l.files["certs/cert.pem"],
	}))
	c.must("import", archive)
	c.start("run", "--home", c.home)
	l.serves(t)
	l.unchanged(t, c.home, "certs/cert.key", "certs/cert.pem", "lib/profileMapper.js")
}

// TestAcceptNewerArchive makes a node of a backup of the newer layout. The
// service account's password is not in it: it is said to be missing, and once
// it is given the node works.
func TestAcceptNewerArchive(t *testing.T) {
	t.Parallel()
	d := startDirectoryFor(t)
	l := newLegacy(t, startCloud(t), d, seal2, true)
	c := newCLI(t)
	l.layOut(t, filepath.Join(c.dir, "old"))
	conf := regexp.MustCompile(`(?m)^  "LDAP_BIND_CREDENTIALS".*\n`).ReplaceAllString(l.files["config.json"], "")
	archive := c.file("backup.zip", pack(t, map[string]string{
		"backup/data/config.json":             conf,
		"backup/data/certs/cert.key":          l.files["certs/cert.key"],
		"backup/data/certs/cert.pem":          l.files["certs/cert.pem"],
		"backup/data/profileMapper/custom.js": l.files["lib/profileMapper.js"],
	}))
	out := c.must("import", archive, "--offline")
	if !strings.Contains(out.stderr.String(), "does not hold the service account's password") {
		t.Errorf("the import does not say that the password is missing:\n%s", out.stderr)
	}
	c.stdin = d.BindPassword() + "\n"
	c.must("config", "set", "LDAP_BIND_PASSWORD", "-")
	c.stdin = ""
	c.start("run", "--home", c.home)
	l.serves(t)
	l.unchanged(t, c.home, "certs/cert.key", "certs/cert.pem", "lib/profileMapper.js")
}
