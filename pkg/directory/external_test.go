package directory_test

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/testdata/lab"
)

// demanding is a slapd that takes nobody over TLS without a certificate, and
// the service account by one.
func demanding(t *testing.T) slapd {
	t.Helper()
	return slapd{lab.Slapd(t, lab.SlapdOptions{Users: 5, Global: "TLSVerifyClient demand\n" +
		"authz-regexp \"^cn=agent$\" \"cn=svc,ou=service,dc=lab,dc=test\"\n"})}
}

// external binds a client of on by a certificate.
func (s slapd) external(t *testing.T, certFile, keyFile string) func(*directory.Options) {
	return func(o *directory.Options) {
		o.URLs, o.TLS = []string{s.TLSURL}, &tls.Config{RootCAs: caPool(t, s.CAFile)}
		o.Method, o.BindUser, o.BindPassword = directory.External, "", ""
		o.ClientCert, o.ClientKey = certFile, keyFile
	}
}

func TestExternal(t *testing.T) {
	on := demanding(t)
	certFile, keyFile := on.CA.Certify(t, t.TempDir(), "agent", nil)
	if err := login(t.Context(), client(t, on, on.external(t, certFile, keyFile)), 1); err != nil {
		t.Errorf("ldaps: %v", err)
	}
	if err := login(t.Context(), client(t, on, on.external(t, certFile, keyFile), func(o *directory.Options) {
		o.URLs, o.StartTLS = []string{on.URL}, true
	}), 2); err != nil {
		t.Errorf("StartTLS: %v", err)
	}
	// Both in one file, and a password besides.
	both := filepath.Join(t.TempDir(), "both.pem")
	write(t, both, read(t, certFile)+read(t, keyFile))
	if err := login(t.Context(), client(t, on, on.external(t, both, ""), func(o *directory.Options) {
		o.Method, o.BindUser, o.BindPassword = directory.Simple, on.BindUser, "svc-secret"
	}), 3); err != nil {
		t.Errorf("with a password: %v", err)
	}
}

func TestExternalRefused(t *testing.T) {
	on := demanding(t)
	asking := slapd{lab.Slapd(t, lab.SlapdOptions{Global: "TLSVerifyClient allow\n"})}
	dir := t.TempDir()
	certFile, keyFile := on.CA.Certify(t, dir, "agent", nil)
	otherCert, _ := on.CA.Certify(t, dir, "stranger", nil)
	elsewhere := lab.NewCA(t, t.TempDir())
	foreignCert, foreignKey := elsewhere.Certify(t, dir, "foreign", nil)
	oldCert, oldKey := on.CA.Certify(t, dir, "old", func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2021, 2, 3, 0, 0, 0, 0, time.UTC)
	})
	empty, text := filepath.Join(dir, "empty"), filepath.Join(dir, "text")
	write(t, empty, "")
	write(t, text, "planted-Secret")
	locked := filepath.Join(dir, "locked.key")
	write(t, locked, strings.ReplaceAll(read(t, keyFile), "PRIVATE KEY", "ENCRYPTED PRIVATE KEY"))
	for name, test := range map[string]struct {
		cert, key   string
		change      func(*directory.Options)
		texts, hint []string
	}{
		"none":           {texts: []string{"client certificate", "there is none"}, hint: []string{"LDAP_CLIENT_CERT"}},
		"missing":        {cert: filepath.Join(dir, "no.pem"), texts: []string{"no.pem", "no such file"}, hint: []string{"LDAP_CLIENT_CERT"}},
		"missing key":    {cert: certFile, key: filepath.Join(dir, "no.key"), texts: []string{"no.key", "no such file"}, hint: []string{"LDAP_CLIENT_KEY"}},
		"a folder":       {cert: dir, texts: []string{"it is not a file"}},
		"empty":          {cert: empty, texts: []string{"no certificate in PEM form"}},
		"no PEM":         {cert: certFile, key: text, texts: []string{"no private key in PEM form"}},
		"the other way":  {cert: keyFile, key: certFile, texts: []string{"agent.key", "no certificate in PEM form"}},
		"another's key":  {cert: otherCert, key: keyFile, texts: []string{"agent.key", "does not belong", "stranger.pem"}},
		"encrypted key":  {cert: certFile, key: locked, texts: []string{"encrypted"}, hint: []string{"openssl pkey"}},
		"expired":        {cert: oldCert, key: oldKey, texts: []string{`"CN=old"`, "2020-01-01 to 2021-02-03"}, hint: []string{"renew"}},
		"not trusted":    {cert: foreignCert, key: foreignKey, texts: []string{"the connection was lost"}, hint: []string{"LDAP_CLIENT_CERT", "trust"}},
		"without TLS":    {cert: certFile, key: keyFile, change: func(o *directory.Options) { o.URLs = []string{on.URL} }, texts: []string{"in clear"}, hint: []string{"ldaps://"}},
		"mapped to none": {cert: otherCert, key: filepath.Join(dir, "stranger.key")},
	} {
		t.Run(name, func(t *testing.T) {
			on := on
			if test.cert == "" {
				on = asking
			}
			c := client(t, on, on.external(t, test.cert, test.key), func(o *directory.Options) {
				if test.change != nil {
					test.change(o)
				}
			})
			_, err := c.Find(t.Context(), lab.User(1))
			if name == "mapped to none" { // it may bind, and do little
				if err := c.SetPassword(t.Context(), "uid=user00001,ou=people,dc=lab,dc=test", "neu-Passw0rd"); err == nil {
					t.Error("another's certificate has the service account's rights")
				}
				return
			}
			hinted(t, err, append(test.texts, "127.0.0.1"), test.hint)
		})
	}
}

// A server that does not ask for certificates offers nothing by one.
func TestExternalNotOffered(t *testing.T) {
	on := slapd{lab.Slapd(t, lab.SlapdOptions{Users: 1})}
	certFile, keyFile := on.CA.Certify(t, t.TempDir(), "agent", nil)
	_, err := client(t, on, on.external(t, certFile, keyFile)).Find(t.Context(), lab.User(1))
	hinted(t, err, []string{"bind by the client certificate at " + on.TLSURL}, []string{"client certificate"})
}

// A renewed certificate is used without a restart; one that is half written is
// not, and the one before serves on.
func TestClientCertificateIsRenewed(t *testing.T) {
	on := demanding(t)
	dir := t.TempDir()
	certFile, keyFile := on.CA.Certify(t, dir, "agent", nil)
	var log logged
	now := time.Now()
	c := client(t, on, on.external(t, certFile, keyFile), func(o *directory.Options) {
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
		o.Now = func() time.Time { now = now.Add(5 * time.Minute); return now } // no connection is used twice
		o.ParallelBinds = 1
	})
	next := func() error { // what the service account alone may do
		return c.SetPassword(t.Context(), "uid=user00001,ou=people,dc=lab,dc=test", identity.Password("neu-Passw0rd"+now.String()))
	}
	if err := next(); err != nil {
		t.Fatal(err)
	}
	write(t, certFile, read(t, certFile)[:100])
	if err := next(); err != nil {
		t.Error(err)
	}
	if got := strings.Count(log.String(), "the one before is used"); got != 1 {
		t.Errorf("warned %d times: %s", got, &log)
	}
	// One that is mapped to nobody shows that it is another.
	strangerCert, strangerKey := on.CA.Certify(t, t.TempDir(), "stranger", nil)
	rename(t, strangerCert, certFile)
	rename(t, strangerKey, keyFile)
	if err := next(); err == nil {
		t.Error("the old certificate is still shown")
	}
	newCert, newKey := on.CA.Certify(t, t.TempDir(), "agent", nil)
	rename(t, newCert, certFile)
	rename(t, newKey, keyFile)
	if err := next(); err != nil {
		t.Error(err)
	}
	if strings.Contains(log.String(), "PRIVATE") {
		t.Error("a key is in the log")
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}
