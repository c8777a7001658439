package sandbox

import (
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/go-ldap/ldap/v3"
)

const aliceDN = "CN=Alice Adams,OU=Users,DC=example,DC=test"

// quoted is a password as unicodePwd wants it.
func quoted(s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(`"` + s + `"`)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(b)
}

// secureDirectory starts a directory and connects as the service account by TLS.
func secureDirectory(t *testing.T, traits Traits) (*Directory, *ldap.Conn, func() *ldap.Conn) {
	t.Helper()
	server, client := directoryTLS(t)
	d := startDirectory(t, DirectoryOptions{TLS: server, Traits: traits})
	dial := func() *ldap.Conn {
		c := dialDirectory(t, d)
		if err := c.StartTLS(client); err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := dial()
	if err := c.Bind(d.BindUser(), d.BindPassword()); err != nil {
		t.Fatal(err)
	}
	return d, c, dial
}

func TestPasswordReset(t *testing.T) {
	d, c, dial := secureDirectory(t, adTraits)
	reset := func(c *ldap.Conn, dn, value string) (int, string) {
		m := ldap.NewModifyRequest(dn, nil)
		m.Replace("unicodePwd", []string{value})
		return ldapCode(t, c.Modify(m))
	}
	for _, tt := range []struct {
		name, value string
		code        int
		text        string
	}{
		{"good", quoted("N3w-Secret"), 0, ""},
		{"umlauts and emoji", quoted("Pässwörd 😀"), 0, ""},
		{"too short", quoted("N3w-Sec"), 53, "0000052D: SvcErr: DSID-031A124C, problem 5003 (WILL_NOT_PERFORM), data 0"},
		{"too simple", quoted("newsecretsecret"), 53, "0000052D"},
		{"with the name", quoted("Xx-alice-99"), 53, "0000052D"},
		{"with the surname", quoted("Xx-ADAMS-99"), 53, "0000052D"},
		{"empty", quoted(""), 53, "0000052D"},
		{"no quotes", "N\x003\x00w\x00", 53, "0000001F"},
		{"no UTF-16", `"N3w-Secret"`, 53, "0000001F"},
		{"odd", quoted("N3w-Secret") + "x", 53, "0000001F"},
	} {
		if code, text := reset(c, aliceDN, tt.value); code != tt.code || !strings.HasPrefix(text, tt.text) {
			t.Errorf("%s: %d %q", tt.name, code, text)
		}
	}
	if err := dial().Bind(aliceDN, "Pässwörd 😀"); err != nil {
		t.Errorf("the last good one: %v", err)
	}
	if code, text := reset(bindDirectory(t, d), aliceDN, quoted("N3w-Secret")); code != 53 || !strings.HasPrefix(text, "0000001F") {
		t.Errorf("without TLS: %d %s", code, text)
	}
	// A reset cures what is wrong with the password, and lockoutTime the lock.
	for _, cn := range []string{"Sta Le", "Must Change"} {
		dn := "CN=" + cn + ",OU=Users,DC=example,DC=test"
		if code, text := reset(c, dn, quoted("N3w-Secret")); code != 0 {
			t.Errorf("%s: %d %s", cn, code, text)
		}
		if err := dial().Bind(dn, "N3w-Secret"); err != nil {
			t.Errorf("%s: %v", cn, err)
		}
	}
	locked := "CN=Lock Ed,OU=Users,DC=example,DC=test"
	m := ldap.NewModifyRequest(locked, nil)
	m.Replace("unicodePwd", []string{quoted("N3w-Secret")})
	m.Replace("lockoutTime", []string{"0"})
	if err := c.Modify(m); err != nil {
		t.Fatal(err)
	}
	if err := dial().Bind(locked, "N3w-Secret"); err != nil {
		t.Error(err)
	}
	m = ldap.NewModifyRequest(locked, nil)
	m.Replace("pwdLastSet", []string{"0"})
	if err := c.Modify(m); err != nil {
		t.Fatal(err)
	}
	if _, text := ldapCode(t, dial().Bind(locked, "N3w-Secret")); !strings.Contains(text, "data 773") {
		t.Errorf("pwdLastSet 0: %s", text)
	}
	m = ldap.NewModifyRequest(locked, nil)
	m.Replace("pwdLastSet", []string{"-1"})
	if err := c.Modify(m); err != nil {
		t.Fatal(err)
	}
	if err := dial().Bind(locked, "N3w-Secret"); err != nil {
		t.Error(err)
	}
	d.SetTraits(Traits{ActiveDirectory: true, ConstraintViolation: true})
	if code, text := reset(c, aliceDN, quoted("x")); code != 19 || !strings.HasPrefix(text, "0000052D") {
		t.Errorf("%d %s", code, text)
	}
	d.SetTraits(Traits{ActiveDirectory: true, NoWriteAccess: true})
	if code, text := reset(c, aliceDN, quoted("N3w-Secret")); code != 50 || text != "00002098: SecErr: DSID-03150F94, problem 4003 (INSUFF_ACCESS_RIGHTS), data 0" {
		t.Errorf("%d %s", code, text)
	}
	d.SetTraits(adTraits)
	user := dial()
	if err := user.Bind("bob.johnson@example.test", DemoPassword); err != nil {
		t.Fatal(err)
	}
	if code, text := reset(user, aliceDN, quoted("N3w-Secret")); code != 50 || !strings.Contains(text, "INSUFF_ACCESS_RIGHTS") {
		t.Errorf("by another user: %d %s", code, text)
	}
	if code, _ := reset(dial(), aliceDN, quoted("N3w-Secret")); code != 1 {
		t.Errorf("by nobody: %d", code)
	}
}

func TestPasswordChangeByUser(t *testing.T) {
	d, _, dial := secureDirectory(t, adTraits)
	user := dial()
	if err := user.Bind("alice@example.test", DemoPassword); err != nil {
		t.Fatal(err)
	}
	change := func(old, fresh string) (int, string) {
		m := ldap.NewModifyRequest(aliceDN, nil)
		m.Delete("unicodePwd", []string{quoted(old)})
		m.Add("unicodePwd", []string{quoted(fresh)})
		return ldapCode(t, user.Modify(m))
	}
	if code, text := change("wrong", "N3w-Secret"); code != 19 || !strings.HasPrefix(text, "00000056") {
		t.Errorf("wrong old one: %d %s", code, text)
	}
	if code, text := change(DemoPassword, "weak"); code != 19 || !strings.HasPrefix(text, "0000052D") {
		t.Errorf("weak: %d %s", code, text)
	}
	if code, text := change(DemoPassword, "N3w-Secret"); code != 0 {
		t.Errorf("good: %d %s", code, text)
	}
	if err := dial().Bind("alice@example.test", "N3w-Secret"); err != nil {
		t.Error(err)
	}
	_ = d
}

func TestPasswordModifyExtended(t *testing.T) {
	d := startDirectory(t, DirectoryOptions{})
	user, service := dialDirectory(t, d), bindDirectory(t, d)
	if code, _ := ldapCode(t, changed(user.PasswordModify(ldap.NewPasswordModifyRequest(aliceDN, "", "N3w-Secret")))); code != 8 {
		t.Errorf("anonymous: %d", code)
	}
	if err := user.Bind(aliceDN, DemoPassword); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		c              *ldap.Conn
		dn, old, fresh string
		code           int
	}{
		{user, "", "wrong", "N3w-Secret", 53},
		{user, "", DemoPassword, "short", 19},
		{user, "", DemoPassword, "N3w-Secret", 0},
		{user, "CN=Bob Johnson,OU=Users,DC=example,DC=test", "", "N3w-Secret", 50},
		{service, "CN=Bob Johnson,OU=Users,DC=example,DC=test", "", "N3w-Secret", 0},
		{service, "CN=Nobody,DC=example,DC=test", "", "N3w-Secret", 32},
		{service, "nonsense", "", "N3w-Secret", 34},
	} {
		if code, text := ldapCode(t, changed(tt.c.PasswordModify(ldap.NewPasswordModifyRequest(tt.dn, tt.old, tt.fresh)))); code != tt.code {
			t.Errorf("%+v: %d %s", tt, code, text)
		}
	}
	res, err := service.PasswordModify(ldap.NewPasswordModifyRequest(aliceDN, "", ""))
	if err != nil || res.GeneratedPassword == "" {
		t.Fatalf("%v %v", res, err)
	}
	if err := dialDirectory(t, d).Bind(aliceDN, res.GeneratedPassword); err != nil {
		t.Error(err)
	}
	d.SetTraits(adTraits)
	if code, _ := ldapCode(t, changed(service.PasswordModify(ldap.NewPasswordModifyRequest(aliceDN, "", "N3w-Secret")))); code != 2 {
		t.Errorf("Active Directory does not know it: %d", code)
	}
}

func changed(_ *ldap.PasswordModifyResult, err error) error { return err }

func TestModify(t *testing.T) {
	for _, ad := range []bool{true, false} {
		d := startDirectory(t, DirectoryOptions{Traits: Traits{ActiveDirectory: ad}})
		c := bindDirectory(t, d)
		for _, tt := range []struct {
			name string
			dn   string
			make func(*ldap.ModifyRequest)
			code int
		}{
			{"add", aliceDN, func(m *ldap.ModifyRequest) { m.Add("description", []string{"one", "two"}) }, 0},
			{"add again", aliceDN, func(m *ldap.ModifyRequest) { m.Add("description", []string{"ONE"}) }, 20},
			{"delete one", aliceDN, func(m *ldap.ModifyRequest) { m.Delete("description", []string{"one"}) }, 0},
			{"delete it again", aliceDN, func(m *ldap.ModifyRequest) { m.Delete("description", []string{"one"}) }, 16},
			{"delete all", aliceDN, func(m *ldap.ModifyRequest) { m.Delete("description", nil) }, 0},
			{"delete none", aliceDN, func(m *ldap.ModifyRequest) { m.Delete("description", nil) }, 16},
			{"replace", aliceDN, func(m *ldap.ModifyRequest) { m.Replace("title", []string{"Chief"}) }, 0},
			{"replace by nothing", aliceDN, func(m *ldap.ModifyRequest) { m.Replace("info", nil) }, 0},
			{"two values of one", aliceDN, func(m *ldap.ModifyRequest) { m.Add("department", []string{"Second"}) }, 19},
			{"no number", aliceDN, func(m *ldap.ModifyRequest) { m.Replace("lockoutTime", []string{"soon"}) }, 21},
			{"no DN", aliceDN, func(m *ldap.ModifyRequest) { m.Replace("manager", []string{"boss"}) }, 21},
			{"unknown type", aliceDN, func(m *ldap.ModifyRequest) { m.Add("nonsense", []string{"x"}) }, 17},
			{"computed", aliceDN, func(m *ldap.ModifyRequest) { m.Add("memberOf", []string{d.BaseDN()}) }, 53},
			{"the name", aliceDN, func(m *ldap.ModifyRequest) { m.Replace("cn", []string{"Alicia"}) }, 67},
			{"no entry", "CN=Nobody," + d.BaseDN(), func(m *ldap.ModifyRequest) { m.Replace("title", []string{"x"}) }, 32},
			{"bad DN", "nonsense", func(m *ldap.ModifyRequest) { m.Replace("title", []string{"x"}) }, 34},
			{"all or nothing", aliceDN, func(m *ldap.ModifyRequest) {
				m.Replace("department", []string{"Lost"})
				m.Delete("description", nil)
			}, 16},
		} {
			m := ldap.NewModifyRequest(tt.dn, nil)
			tt.make(m)
			if code, text := ldapCode(t, c.Modify(m)); code != tt.code {
				t.Errorf("ad=%v %s: %d %s", ad, tt.name, code, text)
			}
		}
		e := ask(t, c, d, "(uid=alice)")[0]
		if e.GetAttributeValue("title") != "Chief" || e.GetAttributeValue("department") != "Engineering" {
			t.Errorf("%v", e)
		}
		// Indexes and computed attributes follow.
		m := ldap.NewModifyRequest("CN=IT,OU=Groups,DC=example,DC=test", nil)
		m.Add("member", []string{aliceDN})
		m.Delete("member", []string{"cn=mary smith,ou=users,dc=example,dc=test"})
		if err := c.Modify(m); err != nil {
			t.Fatal(err)
		}
		if got := names(ask(t, c, d, "(memberOf=cn=it,ou=groups,dc=example,dc=test)")); got != "Alice Adams" {
			t.Error(got)
		}
		m = ldap.NewModifyRequest(aliceDN, nil)
		m.Replace("mail", []string{"new@example.test"})
		if err := c.Modify(m); err != nil {
			t.Fatal(err)
		}
		if got := names(ask(t, c, d, "(mail=new@example.test)")) + names(ask(t, c, d, "(mail=alice@example.test)")); got != "Alice Adams" {
			t.Error(got)
		}
		if code, _ := ldapCode(t, c.Add(&ldap.AddRequest{DN: "CN=x," + d.BaseDN(), Attributes: []ldap.Attribute{{Type: "cn", Vals: []string{"x"}}}})); code != 53 {
			t.Errorf("add: %d", code)
		}
		if code, _ := ldapCode(t, c.Del(ldap.NewDelRequest(aliceDN, nil))); code != 53 {
			t.Errorf("delete: %d", code)
		}
		if code, _ := ldapCode(t, c.ModifyDN(ldap.NewModifyDNRequest(aliceDN, "CN=x", true, ""))); code != 53 {
			t.Errorf("rename: %d", code)
		}
	}
}

func TestCompare(t *testing.T) {
	d := startDirectory(t, DirectoryOptions{Traits: adTraits})
	c := bindDirectory(t, d)
	for _, tt := range []struct {
		dn, name, value string
		code            int
	}{
		{aliceDN, "mail", "ALICE@example.test", 6},
		{aliceDN, "mail", "other@example.test", 5},
		{aliceDN, "memberOf", "cn=engineering,ou=groups,dc=example,dc=test", 6},
		{aliceDN, "description", "x", 16},
		{aliceDN, "nonsense", "x", 17},
		{aliceDN, "userPassword", DemoPassword, 50},
		{aliceDN, "lockoutTime", "x", 21},
		{"CN=Nobody,DC=example,DC=test", "cn", "x", 32},
		{"nonsense", "cn", "x", 34},
	} {
		same, err := c.Compare(tt.dn, tt.name, tt.value)
		code, _ := ldapCode(t, err)
		if err == nil {
			code = 5
			if same {
				code = 6
			}
		}
		if code != tt.code {
			t.Errorf("%+v: %d", tt, code)
		}
	}
}

// A password that is set by the extended operation forgets the wrong ones that
// were tried, as one that is modified does.
func TestPasswordModifyForgetsWrongPasswords(t *testing.T) {
	d := startDirectory(t, DirectoryOptions{Traits: Traits{LockoutAfter: 2}})
	service, user := bindDirectory(t, d), dialDirectory(t, d)
	for _, want := range []uint16{ldap.LDAPResultInvalidCredentials, ldap.LDAPResultInvalidCredentials} {
		if err := user.Bind(aliceDN, "wrong"); !ldap.IsErrorWithCode(err, want) {
			t.Fatal(err)
		}
	}
	if err := changed(service.PasswordModify(ldap.NewPasswordModifyRequest(aliceDN, "", "N3w-Secret"))); err != nil {
		t.Fatal(err)
	}
	if err := user.Bind(aliceDN, "wrong"); !ldap.IsErrorWithCode(err, ldap.LDAPResultInvalidCredentials) {
		t.Fatal(err)
	}
	if err := user.Bind(aliceDN, "N3w-Secret"); err != nil {
		t.Errorf("one wrong password after the new one locked the account: %v", err)
	}
}
