package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/testdata/lab"
)

// curl visits the sign-in page of a node as curl does, and returns the answer
// with its header.
func curl(t *testing.T, base string, environ []string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), requireProgram(t, "curl"), append([]string{"-sS", "-i", "--max-time", "60", base + signInPage}, args...)...)
	cmd.Env = append(os.Environ(), environ...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("curl %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// assertedAs reports whether an answer carries an assertion for a user.
func assertedAs(answer, user string) bool {
	return strings.Contains(answer, "HTTP/1.1 200") && strings.Contains(answer, "wresult") && strings.Contains(answer, "&gt;"+user+"&lt;")
}

// isForm reports whether an answer is the form.
func isForm(answer string) bool {
	return strings.Contains(answer, `name="password"`) && !strings.Contains(answer, "wresult")
}

// certificateTenant has certificates on.
func certificateTenant() config.Tenant {
	t := signInTenant(false)
	t.ClientCertificates, t.ServerURL = true, "https://login.corp.example"
	return t
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestSignInByCertificate has curl show real certificates.
func TestSignInByCertificate(t *testing.T) {
	t.Parallel()
	requireProgram(t, "curl")
	root := lab.NewPKI(t, "/CN=Corp Root", nil)
	stranger := lab.NewPKI(t, "/CN=Corp Root", nil)
	dir := t.TempDir()
	serve := func(name string) (cert, key string) {
		c, k := root.Issue("/CN=login.corp.example", "subjectAltName=DNS:login.corp.example\nextendedKeyUsage=serverAuth")
		cert, key = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
		for from, to := range map[string]string{c: cert, k: key} {
			if err := os.Rename(from, to); err != nil {
				t.Fatal(err)
			}
		}
		return cert, key
	}
	cert, key := serve("login")
	jane, janeKey := root.Issue("/O=Corp/CN=jane", lab.UserExtensions)
	gone, goneKey := root.Issue("/O=Corp/CN=john", lab.UserExtensions)
	theirs, theirsKey := stranger.Issue("/O=Corp/CN=jane", lab.UserExtensions)
	server, serverKey := root.Issue("/CN=jane", "extendedKeyUsage=serverAuth")
	root.Revoke(gone)
	list := root.CRL(time.Hour)
	n, said, log := signInNode(t, func(c *config.Config) {
		c.SignIn.TLSCert, c.SignIn.TLSKey = cert, key
		c.SignIn.CACerts, c.SignIn.CRLs, c.SignIn.CertRevocation = []string{readFile(t, root.CAFile)}, []string{list}, "hard"
		c.SignIn.CertHeader, c.SignIn.Proxies, c.SignIn.ProxySecret = "x-ssl-client-cert", []string{"127.0.0.2"}, proxySecret
	})
	n.setSignIn(certificateTenant(), newPair(t))
	port := strings.TrimPrefix(awaitSignIn(t, said), "http://127.0.0.1:")
	base := "https://login.corp.example:" + port
	ask := func(args ...string) string {
		t.Helper()
		return curl(t, base, nil, append([]string{"--cacert", root.CAFile, "--resolve", "login.corp.example:" + port + ":127.0.0.1"}, args...)...)
	}
	if in := ask("--cert", jane, "--key", janeKey); !assertedAs(in, "jane") || !strings.Contains(in, "urn:ietf:rfc:2246") {
		t.Fatalf("a good certificate: %s", in)
	}
	for _, version := range []string{"1.2", "1.3"} {
		if in := ask("--cert", jane, "--key", janeKey, "--tlsv"+version, "--tls-max", version); !assertedAs(in, "jane") {
			t.Errorf("over TLS %s: %s", version, in)
		}
	}
	header := base64.StdEncoding.EncodeToString(derOf(t, jane))
	for _, tt := range []struct {
		name string
		args []string
		said string
	}{
		{"none", nil, ""},
		{"revoked", []string{"--cert", gone, "--key", goneKey}, "has been revoked"},
		{"another authority's", []string{"--cert", theirs, "--key", theirsKey}, "leads to no authority of CA_CERT"},
		{"a server's", []string{"--cert", server, "--key", serverKey}, "is for another use"},
		{"in a header, of anybody", []string{"-H", "X-SSL-Client-Cert: " + header, "-H", "X-Connector-Proxy-Secret: " + proxySecret}, "x-ssl-client-cert is not believed: 127.0.0.1 is none of TRUSTED_PROXIES"},
		{"in a header, of a proxy without its secret", []string{"--interface", "127.0.0.2", "-H", "X-SSL-Client-Cert: " + header}, "127.0.0.2 sends 0 of"},
		{"a name in a header", []string{"-H", "X-Forwarded-User: jane", "-H", "X-IISNode-Logon_User: CORP\\jane"}, "x-forwarded-user is not believed"},
		{"rubbish in a proxy's header", []string{"--interface", "127.0.0.2", "-H", "X-SSL-Client-Cert: %zz", "-H", "X-Connector-Proxy-Secret: " + proxySecret}, "the client certificate is malformed"},
	} {
		if in := ask(tt.args...); !isForm(in) || strings.Contains(in, "Www-Authenticate") {
			t.Errorf("%s: %s", tt.name, in)
		}
		if !strings.Contains(log.String(), tt.said) {
			t.Errorf("%s: the log does not say %q: %s", tt.name, tt.said, log)
		}
	}
	if in := ask("--interface", "127.0.0.2", "-H", "X-SSL-Client-Cert: "+header, "-H", "X-Connector-Proxy-Secret: "+proxySecret); !assertedAs(in, "jane") {
		t.Errorf("in a proxy's header: %s", in)
	}
	if in := log.String(); strings.Contains(in, proxySecret) {
		t.Errorf("the secret is in the log: %s", in)
	}

	fresh, freshKey := serve("next")
	for from, to := range map[string]string{fresh: cert, freshKey: key} {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	conn, err := tls.Dial("tcp", "127.0.0.1:"+port, &tls.Config{InsecureSkipVerify: true}) // it is looked at below
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // it was only looked at
	if !bytes.Equal(conn.ConnectionState().PeerCertificates[0].Raw, derOf(t, cert)) {
		t.Error("the certificate that was renewed is not shown")
	}
	if in := ask("--cert", jane, "--key", janeKey); !assertedAs(in, "jane") {
		t.Errorf("after a renewal: %s", in)
	}
}

func derOf(t *testing.T, name string) []byte {
	t.Helper()
	block, _ := pem.Decode([]byte(readFile(t, name)))
	return block.Bytes
}

// TestServedCertificate reads PKCS#12 files as OpenSSL makes them, and follows
// renewals.
func TestServedCertificate(t *testing.T) {
	t.Parallel()
	root := lab.NewPKI(t, "/CN=Corp Root", nil)
	first, firstKey := root.Issue("/CN=first", "")
	second, secondKey := root.Issue("/CN=second", "")
	dir := t.TempDir()
	pfx := func(name, cert, key string, args ...string) string {
		to := filepath.Join(dir, name)
		out, err := exec.CommandContext(t.Context(), requireProgram(t, "openssl"), append([]string{"pkcs12", "-export", "-in", cert, "-inkey", key, "-certfile", root.CAFile,
			"-passout", "pass:pass-word", "-out", to}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return to
	}
	modern, legacy := pfx("modern.pfx", first, firstKey), pfx("legacy.P12", second, secondKey, "-legacy")
	at := &transport{dir: dir}
	for _, tt := range []struct {
		name string
		c    config.SignIn
		want string // the CN, or the error
	}{
		{"modern", config.SignIn{TLSCert: "modern.pfx", PFXPassword: "pass-word"}, "first"},
		{"legacy", config.SignIn{TLSCert: "legacy.P12", PFXPassword: "pass-word"}, "second"},
		{"in the configuration", config.SignIn{PFX: config.Secret(base64.StdEncoding.EncodeToString([]byte(readFile(t, legacy)))), PFXPassword: "pass-word"}, "second"},
		{"PEM", config.SignIn{TLSCert: first, TLSKey: firstKey}, "first"},
		{"another password", config.SignIn{TLSCert: "modern.pfx", PFXPassword: "guess"}, "another one than SSL_KEY_PASSWORD"},
		{"another's key", config.SignIn{TLSCert: first, TLSKey: secondKey}, "private key does not match"},
		{"no key", config.SignIn{TLSCert: first}, "found a certificate rather than a key"},
		{"no file", config.SignIn{TLSCert: "none.pem"}, "none.pem"},
		{"a folder", config.SignIn{TLSCert: "."}, "it is not a file"},
		{"no base64", config.SignIn{PFX: "!"}, "SSL_PFX is not base64"},
	} {
		c, err := at.openCertificate(tt.c)
		switch {
		case err != nil && !strings.Contains(err.Error(), tt.want), err == nil && c.Leaf.Subject.CommonName != tt.want:
			t.Errorf("%s: %v", tt.name, err)
		case err != nil && (strings.Contains(err.Error(), "pass-word") || strings.Contains(err.Error(), "guess")):
			t.Errorf("%s: the password is in %v", tt.name, err)
		}
	}
	n, _, _ := signInNode(t, nil)
	s := at.servedCertificate(config.SignIn{TLSCert: "modern.pfx", PFXPassword: "pass-word"}, n.log)
	name := func() string {
		t.Helper()
		c, err := s.get()
		if err != nil {
			t.Fatal(err)
		}
		return c.Leaf.Subject.CommonName
	}
	if name() != "first" || len(s.shown(nil)) != 1 {
		t.Error("not the first")
	}
	if err := os.WriteFile(modern, []byte("half a f"), 0o600); err != nil {
		t.Fatal(err)
	}
	if name() != "first" {
		t.Error("what is being written was taken")
	}
	if _, err := s.look(); err == nil {
		t.Error("nobody says that it cannot be read")
	}
	if err := os.Rename(legacy, modern); err != nil {
		t.Fatal(err)
	}
	if shown := s.shown(nil); name() != "second" || len(s.shown(nil)) != 2 || bytes.Equal(shown[0], s.shown(nil)[0]) {
		t.Error("the renewed one was not taken")
	}
	if says, err := s.look(); err != nil || !strings.HasPrefix(says, "TLS until ") {
		t.Errorf("%s, %v", says, err)
	}
}

// sumOf is a certificate's fingerprint as OpenSSL prints it.
func sumOf(der []byte) string {
	sum := sha256.Sum256(der)
	return strings.ReplaceAll(fmt.Sprintf("% X", sum), " ", ":")
}
