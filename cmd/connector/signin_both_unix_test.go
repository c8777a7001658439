//go:build unix

package main

import (
	"strings"
	"testing"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/testdata/lab"
)

// TestSignInBothWays has Kerberos and certificates on, over TLS: each user gets
// in by what the browser has, a certificate first, and by the form without
// either.
func TestSignInBothWays(t *testing.T) {
	t.Parallel()
	requireProgram(t, "curl")
	k := lab.KDC(t, "HTTP/login.lab.test", "john")
	keytab, cache := k.Keytab("HTTP/login.lab.test"), k.Cache(k.Keytab("john"), "john", "1h")
	root := lab.NewPKI(t, "/CN=Root", nil)
	cert, key := root.Issue("/CN=login.lab.test", "subjectAltName=DNS:login.lab.test\nextendedKeyUsage=serverAuth")
	jane, janeKey := root.Issue("/CN=jane", lab.UserExtensions)
	proxy, proxyKey := root.Issue("/CN=proxy", lab.UserExtensions)
	n, said, log := signInNode(t, func(c *config.Config) {
		s := &c.SignIn
		s.TLSCert, s.TLSKey, s.Keytab, s.CACerts = cert, key, keytab, []string{readFile(t, root.CAFile)}
		s.KerberosFrontend, s.Proxies, s.ProxyCerts = true, []string{"127.0.0.0/8"}, []string{sumOf(derOf(t, proxy))}
	})
	tenant := certificateTenant()
	tenant.Kerberos = true
	n.setSignIn(tenant, newPair(t))
	port := strings.TrimPrefix(awaitSignIn(t, said), "http://127.0.0.1:")
	for _, want := range []string{"ok ", "TLS until ", "certificates of 1 authorities", "Kerberos by HTTP/login.lab.test@LAB.TEST", "form"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("the part says %s", said)
		}
	}
	ask := func(args ...string) string {
		t.Helper()
		return curl(t, "https://login.lab.test:"+port, append(k.Env(), "KRB5CCNAME=FILE:"+cache),
			append([]string{"--cacert", root.CAFile, "--resolve", "login.lab.test:" + port + ":127.0.0.1"}, args...)...)
	}
	negotiate, certificate := []string{"--negotiate", "-u", ":"}, []string{"--cert", jane, "--key", janeKey}
	for _, tt := range []struct {
		name, user, method string
		args               []string
	}{
		{"a certificate", "jane", "certificate", certificate},
		{"a ticket", "john", "kerberos", negotiate},
		{"both", "jane", "certificate", append(certificate, negotiate...)},
		{"a proxy's word", "ada", "proxy", []string{"--cert", proxy, "--key", proxyKey, "-H", "X-Forwarded-User: ada@LAB.TEST"}},
	} {
		if in := ask(tt.args...); !assertedAs(in, tt.user) || !strings.Contains(log.String(), "user="+tt.user) || !strings.Contains(log.String(), "method="+tt.method) {
			t.Errorf("%s: %s\n%s", tt.name, in, log)
		}
	}
	for name, args := range map[string][]string{
		"nothing": nil, "a proxy that names nobody": {"--cert", proxy, "--key", proxyKey},
		"a user who names another": {"-H", "X-Forwarded-User: ada@LAB.TEST"},
	} {
		if in := ask(args...); !isForm(in) || !strings.Contains(in, "401 Unauthorized") || !strings.Contains(in, "Www-Authenticate: Negotiate\r\n") {
			t.Errorf("%s: %s", name, in)
		}
	}
	if !strings.Contains(log.String(), "x-forwarded-user is not believed: 127.0.0.1 does not prove itself") {
		t.Errorf("the log does not say who named another: %s", log)
	}
}

// TestSignInWithoutKeys has Kerberos on and no keytab: nobody is asked for what
// nobody can judge, until there is one.
func TestSignInWithoutKeys(t *testing.T) {
	t.Parallel()
	n, said, _ := signInNode(t, func(c *config.Config) { c.SignIn.Keytab = "none.keytab" })
	tenant := signInTenant(true)
	tenant.ClientCertificates = true
	n.setSignIn(tenant, newPair(t))
	base := awaitSignIn(t, said)
	if in := curl(t, base, nil); !isForm(in) || !strings.Contains(in, "200 OK") || strings.Contains(in, "Www-Authenticate") {
		t.Errorf("%s", in)
	}
	for _, want := range []string{"degraded ", "none.keytab", "read CA_CERT: there is no certificate"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("the part says %s", said)
		}
	}
}

// TestSignInOnTrial lets everybody in as one user, and says so.
func TestSignInOnTrial(t *testing.T) {
	t.Parallel()
	n, said, _ := signInNode(t, func(c *config.Config) { c.SignIn.KerberosDebugUser = "ada" })
	n.setSignIn(signInTenant(true), newPair(t))
	if in := curl(t, awaitSignIn(t, said), nil); !assertedAs(in, "ada") {
		t.Errorf("%s", in)
	}
	if !strings.Contains(said.String(), "KERBEROS_DEBUG_USER lets everybody in as ada") {
		t.Errorf("the part says %s", said)
	}
}
