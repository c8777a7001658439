package sandbox

import (
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
)

// startDirectory starts a directory that ends with the test.
func startDirectory(t testing.TB, o DirectoryOptions) *Directory {
	t.Helper()
	d, err := StartDirectory(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// dialDirectory connects to a directory, as nobody.
func dialDirectory(t testing.TB, d *Directory) *ldap.Conn {
	t.Helper()
	c, err := ldap.DialURL(d.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // some tests end it before
	return c
}

// bindDirectory connects as the service account.
func bindDirectory(t testing.TB, d *Directory) *ldap.Conn {
	t.Helper()
	c := dialDirectory(t, d)
	if err := c.Bind(d.BindUser(), d.BindPassword()); err != nil {
		t.Fatal(err)
	}
	return c
}

// ask searches the whole directory.
func ask(t testing.TB, c *ldap.Conn, d *Directory, filter string, attrs ...string) []*ldap.Entry {
	t.Helper()
	res, err := c.Search(ldap.NewSearchRequest(d.BaseDN(), ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, filter, attrs, nil))
	if err != nil {
		t.Fatalf("%s: %v", filter, err)
	}
	return res.Entries
}

// names are the first RDNs' values of entries, joined.
func names(es []*ldap.Entry) string {
	var all []string
	for _, e := range es {
		dn, err := ldap.ParseDN(e.DN)
		if err != nil {
			return err.Error()
		}
		all = append(all, dn.RDNs[0].Attributes[0].Value)
	}
	return strings.Join(all, "|")
}

var adTraits = Traits{ActiveDirectory: true}

func TestLogin(t *testing.T) {
	d := startDirectory(t, DirectoryOptions{Traits: adTraits, Users: 50})
	c := bindDirectory(t, d)
	for login, password := range map[string]string{"alice": DemoPassword, "jmueller": DemoPasswordUmlaut, "user00042": "Passw0rd-00042"} {
		es := ask(t, c, d, "(&(objectCategory=person)(sAMAccountName="+login+"))")
		if len(es) != 1 {
			t.Fatalf("%s: %d entries", login, len(es))
		}
		u := dialDirectory(t, d)
		if err := u.Bind(es[0].DN, password); err != nil {
			t.Errorf("%s: %v", login, err)
		}
		if err := u.Bind(es[0].DN, "wrong"); !ldap.IsErrorWithCode(err, ldap.LDAPResultInvalidCredentials) || !strings.Contains(err.Error(), "data 52e") {
			t.Errorf("%s: wrong password: %v", login, err)
		}
		groups := ask(t, c, d, "(member:1.2.840.113556.1.4.1941:="+ldap.EscapeFilter(es[0].DN)+")", "cn")
		t.Log(login, names(groups))
	}
}

// Who the sandbox names can sign in, or is refused for the reason it names.
func TestDemoUsers(t *testing.T) {
	d := startDirectory(t, DirectoryOptions{Traits: adTraits})
	for _, u := range DemoUsers() {
		err := dialDirectory(t, d).Bind(u.Login+"@example.test", u.Password)
		if hindered := strings.Contains(u.Note, "account") || strings.HasPrefix(u.Note, "password"); hindered != (err != nil) {
			t.Errorf("%s (%s): %v", u.Login, u.Note, err)
		}
	}
}
