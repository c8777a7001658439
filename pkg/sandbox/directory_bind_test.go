package sandbox

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// directoryTLS makes the two ends' configurations of a certificate of its own.
func directoryTLS(t testing.TB) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}
}

// ldapCode splits an error into its result code and diagnostic text; 0 for none.
func ldapCode(t *testing.T, err error) (int, string) {
	t.Helper()
	if err == nil {
		return 0, ""
	}
	var le *ldap.Error
	if !errors.As(err, &le) {
		t.Fatalf("no LDAP error: %v", err)
	}
	return int(le.ResultCode), le.Err.Error()
}

func TestBindActiveDirectory(t *testing.T) {
	d := startDirectory(t, DirectoryOptions{Traits: adTraits})
	dn := func(cn string) string { return "CN=" + cn + ",OU=Users,DC=example,DC=test" }
	nasty := `CN=Müller\, Jörg (Ext\\ern) \"Q\" \#1 \+ \<x\> 😀,OU=Users,DC=example,DC=test`
	for _, tt := range []struct{ name, user, password, data string }{
		{"DN", dn("Alice Adams"), DemoPassword, ""},
		{"DN in other letters and spaces", "cn=ALICE  adams , ou=users, DC=Example,dc=TEST", DemoPassword, ""},
		{"UPN", "alice@example.test", DemoPassword, ""},
		{"UPN in other letters", "ALICE@Example.Test", DemoPassword, ""},
		{"domain and name", `EXAMPLE\alice`, DemoPassword, ""},
		{"domain and name in other letters", `example\Alice`, DemoPassword, ""},
		{"special characters", nasty, DemoPasswordUmlaut, ""},
		{"special characters in hex", strings.ReplaceAll(nasty, `\,`, `\2C`), DemoPasswordUmlaut, ""},
		{"bare name", "alice", DemoPassword, "52e"},
		{"other domain", `OTHER\alice`, DemoPassword, "52e"},
		{"display name", "Alice Adams", DemoPassword, "52e"},
		{"unknown DN", dn("Nobody"), DemoPassword, "52e"},
		{"unknown UPN", "nobody@example.test", DemoPassword, "52e"},
		{"malformed DN", `cn=a,,b`, DemoPassword, "52e"},
		{"wrong password", dn("Alice Adams"), "wrong", "52e"},
		{"password in other letters", dn("Alice Adams"), strings.ToUpper(DemoPassword), "52e"},
		{"an entry without password", "OU=Users,DC=example,DC=test", DemoPassword, "52e"},
		{"locked", "locked@example.test", DemoPassword, "775"},
		{"locked, wrong password", "locked@example.test", "wrong", "775"},
		{"disabled", "disabled@example.test", DemoPassword, "533"},
		{"disabled, wrong password", "disabled@example.test", "wrong", "52e"},
		{"expired", "expired@example.test", DemoPassword, "701"},
		{"expired, wrong password", "expired@example.test", "wrong", "52e"},
		{"stale", "stale@example.test", DemoPassword, "532"},
		{"stale, wrong password", "stale@example.test", "wrong", "52e"},
		{"must change", "mustchange@example.test", DemoPassword, "773"},
		{"must change, wrong password", "mustchange@example.test", "wrong", "52e"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, text := ldapCode(t, dialDirectory(t, d).Bind(tt.user, tt.password))
			want := ""
			if tt.data != "" {
				want = "80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data " + tt.data + ", v1db1"
			}
			if text != want || (code == 49) != (tt.data != "") {
				t.Errorf("%d %q, want data %q", code, text, tt.data)
			}
		})
	}
	t.Run("unknown user with 525 and NUL", func(t *testing.T) {
		d.SetTraits(Traits{ActiveDirectory: true, UnknownUser525: true, TrailingNUL: true})
		_, text := ldapCode(t, dialDirectory(t, d).Bind("nobody@example.test", "x"))
		if !strings.HasSuffix(text, "data 525, v1db1\x00") {
			t.Errorf("%q", text)
		}
	})
}

func TestBindPlain(t *testing.T) {
	d := startDirectory(t, DirectoryOptions{})
	policy := func(name, password string) (int, string, int8) {
		c := dialDirectory(t, d)
		res, err := c.SimpleBind(&ldap.SimpleBindRequest{Username: name, Password: password, Controls: []ldap.Control{ldap.NewControlBeheraPasswordPolicy()}})
		code, text := ldapCode(t, err)
		reason := int8(-1)
		if res != nil {
			if k, ok := ldap.FindControl(res.Controls, ldap.ControlTypeBeheraPasswordPolicy).(*ldap.ControlBeheraPasswordPolicy); ok {
				reason = k.Error
			}
		}
		return code, text, reason
	}
	for _, tt := range []struct {
		user, password string
		code           int
		reason         int8
	}{
		{"CN=Alice Adams,OU=Users", DemoPassword, 0, -1},
		{"CN=Alice Adams,OU=Users", "wrong", 49, -1},
		{"CN=Nobody,OU=Users", "wrong", 49, -1},
		{"CN=Lock Ed,OU=Users", DemoPassword, 49, 1},
		{"CN=Sta Le,OU=Users", DemoPassword, 49, 0},
		{"CN=Must Change,OU=Users", DemoPassword, 0, 2},
		{"CN=Dis Abled,OU=Users", DemoPassword, 49, -1},
	} {
		code, text, reason := policy(tt.user+",DC=example,DC=test", tt.password)
		if code != tt.code || text != "" || reason != tt.reason {
			t.Errorf("%s: %d %q reason %d, want %d, %d", tt.user, code, text, reason, tt.code, tt.reason)
		}
	}
	if code, _ := ldapCode(t, dialDirectory(t, d).Bind("alice@example.test", DemoPassword)); code != 34 {
		t.Errorf("UPN: %d", code)
	}
	c := dialDirectory(t, d)
	if err := c.Bind("CN=Must Change,OU=Users,DC=example,DC=test", DemoPassword); err != nil {
		t.Fatal(err)
	}
	_, err := c.Search(ldap.NewSearchRequest(d.BaseDN(), 2, 0, 0, 0, false, "(cn=*)", nil, nil))
	if code, _ := ldapCode(t, err); code != 50 {
		t.Errorf("search before the change of the password: %d", code)
	}
	self := ldap.NewModifyRequest("CN=Must Change,OU=Users,DC=example,DC=test", nil)
	self.Replace("userPassword", []string{"another-One1"})
	if err := c.Modify(self); err != nil {
		t.Error(err)
	}
	if _, err = c.Search(ldap.NewSearchRequest(d.BaseDN(), 2, 0, 0, 0, false, "(cn=*)", nil, nil)); err != nil {
		t.Error(err)
	}
}

// Nobody at all, or a name without a password: the two kinds of directory differ.
func TestBindAnonymous(t *testing.T) {
	alice := "CN=Alice Adams,OU=Users,DC=example,DC=test"
	for _, tt := range []struct {
		name            string
		traits          Traits
		anonymous, noPW int
		search          int
		text            string
	}{
		{"AD", adTraits, 0, 0, 1, "000004DC: LdapErr"},
		{"plain", Traits{}, 48, 53, 8, "authentication required"},
		{"AD open", Traits{ActiveDirectory: true, AnonymousSearch: true}, 0, 0, 0, ""},
		{"plain open", Traits{AnonymousSearch: true}, 0, 53, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := startDirectory(t, DirectoryOptions{Traits: tt.traits})
			c := bindDirectory(t, d) // what follows takes this back
			if code, _ := ldapCode(t, c.UnauthenticatedBind("")); code != tt.anonymous {
				t.Errorf("anonymous: %d", code)
			}
			_, err := c.Search(ldap.NewSearchRequest(d.BaseDN(), 2, 0, 0, 0, false, "(cn=*)", nil, nil))
			if code, text := ldapCode(t, err); code != tt.search || !strings.Contains(text, tt.text) {
				t.Errorf("search: %d %s", code, text)
			}
			if code, _ := ldapCode(t, c.UnauthenticatedBind(alice)); code != tt.noPW {
				t.Errorf("no password: %d", code)
			}
			if who, err := c.WhoAmI(nil); err != nil || who.AuthzID != "" {
				t.Errorf("%v %v", who, err)
			}
			root, err := c.Search(ldap.NewSearchRequest("", 0, 0, 0, 0, false, "(objectClass=*)", []string{"namingContexts"}, nil))
			if err != nil || len(root.Entries) != 1 || root.Entries[0].GetAttributeValue("namingContexts") != d.BaseDN() {
				t.Errorf("RootDSE: %v %v", root, err)
			}
		})
	}
}

// SASL, NTLM and old versions are refused, and the connection lives on.
func TestBindMethods(t *testing.T) {
	d := startDirectory(t, DirectoryOptions{Traits: adTraits})
	c := dialDirectory(t, d)
	if code, _ := ldapCode(t, c.ExternalBind()); code != 7 {
		t.Errorf("SASL: %d", code)
	}
	if code, _ := ldapCode(t, c.NTLMBind("EXAMPLE", "alice", DemoPassword)); code != 7 {
		t.Errorf("NTLM: %d", code)
	}
	if err := c.Bind("alice@example.test", DemoPassword); err != nil {
		t.Error(err)
	}
	if who, err := c.WhoAmI(nil); err != nil || who.AuthzID != `u:EXAMPLE\alice` {
		t.Errorf("%v %v", who, err)
	}
}

func TestBindLockout(t *testing.T) {
	for _, ad := range []bool{true, false} {
		d := startDirectory(t, DirectoryOptions{Traits: Traits{ActiveDirectory: ad, LockoutAfter: 3}})
		c := dialDirectory(t, d)
		alice := "CN=Alice Adams,OU=Users,DC=example,DC=test"
		for i := range 3 {
			if i == 2 { // a right one between them starts the count anew
				if err := c.Bind(alice, DemoPassword); err != nil {
					t.Fatal(err)
				}
			}
			_ = c.Bind(alice, "wrong") // the outcome is looked at below
		}
		if err := c.Bind(alice, DemoPassword); err != nil {
			t.Fatalf("locked too early: %v", err)
		}
		for range 3 {
			_ = c.Bind(alice, "wrong")
		}
		code, text := ldapCode(t, c.Bind(alice, DemoPassword))
		if code != 49 || ad != strings.Contains(text, "data 775") {
			t.Errorf("ad=%v: %d %s", ad, code, text)
		}
		s := bindDirectory(t, d)
		unlock := ldap.NewModifyRequest(alice, nil)
		if ad {
			unlock.Replace("lockoutTime", []string{"0"})
		} else {
			unlock.Delete("pwdAccountLockedTime", nil)
		}
		if err := s.Modify(unlock); err != nil {
			t.Fatal(err)
		}
		if err := c.Bind(alice, DemoPassword); err != nil {
			t.Errorf("ad=%v: still locked: %v", ad, err)
		}
	}
}

func TestTLS(t *testing.T) {
	server, client := directoryTLS(t)
	d := startDirectory(t, DirectoryOptions{TLSListen: "127.0.0.1:0", TLS: server, Traits: Traits{ActiveDirectory: true, RequireTLS: true}})
	if code, text := ldapCode(t, dialDirectory(t, d).Bind("alice@example.test", DemoPassword)); code != 8 || !strings.Contains(text, "00002028") {
		t.Errorf("bind in the clear: %d %s", code, text)
	}
	c := dialDirectory(t, d)
	if err := c.StartTLS(client); err != nil {
		t.Fatal(err)
	}
	if err := c.Bind("alice@example.test", DemoPassword); err != nil {
		t.Error(err)
	}
	s, err := ldap.DialURL(d.TLSURL(), ldap.DialWithTLSConfig(client))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // may be closed by then
	if err := s.Bind("alice@example.test", DemoPassword); err != nil {
		t.Error(err)
	}
	if err := s.StartTLS(client); err == nil {
		t.Error("TLS in TLS")
	}
	plain := startDirectory(t, DirectoryOptions{})
	if code, _ := ldapCode(t, dialDirectory(t, plain).StartTLS(client)); code != 2 {
		t.Errorf("StartTLS without a certificate: %d", code)
	}
}
