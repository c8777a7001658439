package directory_test

import (
	"crypto/tls"
	"errors"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/testdata/lab"
)

// sambaClient asks a Samba domain controller over TLS, as an operator of Active
// Directory has it.
func sambaClient(t *testing.T, s *lab.SambaServer, change ...func(*directory.Options)) *directory.Client {
	t.Helper()
	o := directory.Options{
		URLs: []string{s.TLSURL}, TLS: &tls.Config{RootCAs: s.CA.Pool, ServerName: s.Host}, BaseDN: s.BaseDN,
		BindUser: s.BindUser, BindPassword: identity.Password(s.BindPassword), UnicodePassword: true,
	}
	for _, f := range change {
		f(&o)
	}
	c := directory.New(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// Each state of an account is refused for its reason, in words, by a real
// domain controller's own answer.
func testSambaStates(t *testing.T, s *lab.SambaServer) {
	var told journal
	c := sambaClient(t, s, func(o *directory.Options) { o.Log = told.log() })
	for name, want := range map[string]struct {
		reason identity.Reason
		words  string
	}{
		lab.LockedUser:      {identity.AccountLocked, "locked"},
		lab.DisabledUser:    {identity.AccountDisabled, "disabled"},
		lab.ExpiredUser:     {identity.AccountExpired, "account has expired"},
		lab.StaleUser:       {identity.PasswordExpired, "password has expired"},
		lab.MustChangeUser:  {identity.PasswordChangeRequired, "must be changed"},
		lab.HoursUser:       {identity.WrongPassword, "outside the hours"},
		lab.WorkstationUser: {identity.WrongPassword, "certain workstations"},
	} {
		t.Run(name, func(t *testing.T) {
			user, err := c.Find(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			err = c.Bind(t.Context(), user.DN, lab.SpecialPassword)
			refused(t, err, want.reason)
			var r *identity.Refusal
			if !errors.As(err, &r) || !strings.Contains(r.Detail, want.words) || !strings.Contains(r.Detail, "data "+lab.SambaCode[name]) {
				t.Errorf("detail of %v", err)
			}
			if name != lab.LockedUser { // who does not know the password learns nothing of the account
				refused(t, c.Bind(t.Context(), user.DN, "wrong-Passw0rd"), identity.WrongPassword)
			}
		})
	}
	// A domain controller refers to its other partitions with every search, which
	// is nothing to tell.
	if strings.Contains(told.String(), "reference") {
		t.Errorf("logged %s", told.String())
	}
	// A dead end of names: the filter takes what was typed as it is, and another
	// may take it apart.
	apart := sambaClient(t, s, func(o *directory.Options) {
		o.UserFilter = filter(t, "(|(sAMAccountName={user})(userPrincipalName={0}))")
	})
	for _, name := range []string{lab.User(1), `CORP\` + lab.User(1), lab.User(1) + "@corp.example.test"} {
		if user, err := apart.Find(t.Context(), name); err != nil || user.Value("sAMAccountName") != lab.User(1) {
			t.Errorf("%s: %v, %v", name, user, err)
		}
	}
	for _, name := range []string{`CORP\` + lab.User(1), lab.User(1) + "@corp.example.test"} {
		_, err := c.Find(t.Context(), name)
		refused(t, err, identity.WrongUsername)
	}
}

// New passwords: complexity, history, rights and unlocking, by Samba's answers.
func testSambaPasswords(t *testing.T, s *lab.SambaServer) {
	c := sambaClient(t, s, func(o *directory.Options) { o.UnlockOnChange = true })
	find := func(name string) string {
		t.Helper()
		user, err := c.Find(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		return user.DN
	}
	chpw, locked := find("chpw"), find(lab.LockedUser)
	const fresh = "neu-Pässwörd-€-😀-1"
	if err := c.SetPassword(t.Context(), chpw, fresh); err != nil {
		t.Fatal(err)
	}
	if err := c.Bind(t.Context(), chpw, fresh); err != nil {
		t.Errorf("the new password: %v", err)
	}
	refused(t, c.Bind(t.Context(), chpw, "old-Passw0rd"), identity.WrongPassword)
	for _, weak := range []identity.Password{"Sh0rt", "onlysmallletters"} {
		refused(t, c.SetPassword(t.Context(), chpw, weak), identity.PasswordTooWeak)
	}
	refused(t, c.SetPassword(t.Context(), find("locked1"), fresh), identity.InsufficientAccess)
	refused(t, c.SetPassword(t.Context(), "CN=gone,OU=special,"+s.BaseDN, fresh), identity.WrongUsername)

	refused(t, c.Bind(t.Context(), locked, lab.SpecialPassword), identity.AccountLocked)
	if err := c.SetPassword(t.Context(), locked, fresh); err != nil {
		t.Fatal(err)
	}
	if err := c.Bind(t.Context(), locked, fresh); err != nil {
		t.Errorf("after unlocking: %v", err)
	}
	// In clear nothing is sent.
	plain := sambaClient(t, s, func(o *directory.Options) { o.URLs, o.BindUser = []string{s.URL}, "" })
	isFault(t, plain.SetPassword(t.Context(), chpw, "planted-Secret"), "in clear")
}
