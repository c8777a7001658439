//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ad-ldap-connector/testdata/lab"
)

// TestAcceptAccountWithoutPassword installs and runs connectors whose service
// account has no password, and looks for its secrets in all they say.
func TestAcceptAccountWithoutPassword(t *testing.T) {
	t.Parallel()
	const service = "ldap/localhost"
	kdc := lab.KDC(t, "svc", service)
	slapd := lab.Slapd(t, lab.SlapdOptions{
		Users: 3,
		Global: "sasl-host localhost\nTLSVerifyClient demand\n" +
			"authz-regexp \"^uid=svc,cn=gssapi,cn=auth$\" \"cn=svc,ou=service,dc=lab,dc=test\"\n" +
			"authz-regexp \"^cn=agent$\" \"cn=svc,ou=service,dc=lab,dc=test\"\n",
		Env: []string{"KRB5_CONFIG=" + kdc.Config, "KRB5_KTNAME=" + kdc.Keytab(service)},
	})
	certFile, keyFile := slapd.CA.Certify(t, t.TempDir(), "agent", nil)
	read := func(name string) string {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	keytab, keyPEM := read(kdc.Keytab("svc")), read(keyFile)
	const aes256 = "\x00\x12\x00\x20" // the first key's type and length
	_, after, found := strings.Cut(keytab, aes256)
	if !found {
		t.Fatal("the keytab has no such key")
	}
	h := &hunter{t: t, secrets: map[string]string{
		"key of the keytab": after[:32], "private key": strings.Split(keyPEM, "\n")[1],
		"user's password": lab.Password(1), "wrong password": plantedWrong,
	}}
	locals := func(url string) string { return strings.Replace(url, "127.0.0.1", "localhost", 1) }
	for name, settings := range map[string][]string{
		"gssapi": {"LDAP_URL=" + locals(slapd.URL), "LDAP_BIND_USER=svc@LAB.TEST", "LDAP_KEYTAB=svc.keytab", "LDAP_KRB5_CONF=" + kdc.Config},
		"external": {"LDAP_URL=" + slapd.URL, "LDAP_STARTTLS=true", "LDAP_REQUIRE_TLS=true", "SSL_CA_PATH=" + filepath.Dir(slapd.CAFile),
			"SSL_CA_FILE=^ca.pem$", "LDAP_CLIENT_CERT=agent/cert.pem", "LDAP_CLIENT_KEY=agent/key.pem"},
	} {
		t.Run(name, func(t *testing.T) {
			cloud := startCloud(t)
			c := newCLI(t, append(settings, "LDAP_BIND_METHOD="+name)...)
			c.file("home/svc.keytab", keytab)
			c.file("home/agent/cert.pem", read(certFile))
			c.file("home/agent/key.pem", keyPEM)
			right, wrong := c.file("right", lab.Password(1)+"\n"), c.file("wrong", plantedWrong+"\n")
			calls := []*invocation{
				c.must("install", "--no-service", "--non-interactive", "-v", "--ticket-file", c.file("ticket", cloud.Ticket()+"\n"),
					"--ca-file", bothCAs(t, c, cloud.CAFile(), slapd.CAFile), "--ldap-base", slapd.BaseDN, "--preset", "openldap"),
				c.must("login", lab.User(1), "--password-file", right, "--trace", "-v"),
				c.run("login", lab.User(1), "--password-file", wrong, "--trace", "-v"),
			}
			if got := calls[2].status(); got != exitRefused {
				t.Errorf("a wrong password ends with %d: %s", got, calls[2].stderr)
			}
			// The same with what is broken.
			c.file("home/svc.keytab", keytab[:40]+after[:32])
			c.file("home/agent/key.pem", strings.Replace(keyPEM, "\nM", "\nN", 1))
			broken := c.run("login", lab.User(1), "--password-file", right, "--trace", "-v")
			if broken.status() == exitOK || !strings.Contains(broken.stderr.String(), "hint: ") {
				t.Errorf("broken files end with %d: %s", broken.status(), broken.stderr)
			}
			for _, i := range append(calls, broken) {
				h.search(strings.Join(i.args, " "), i.stdout.String()+i.stderr.String())
			}
			h.search("config.json", read(filepath.Join(c.home, "config.json")))
		})
	}
}

// bothCAs are two authorities in one file.
func bothCAs(t *testing.T, c *cli, names ...string) string {
	t.Helper()
	var all strings.Builder
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return c.file("cas.pem", all.String())
}
