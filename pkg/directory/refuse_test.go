package directory_test

import (
	"errors"
	"testing"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/testdata/lab"

	"github.com/go-ldap/ldap/v3"
)

// Each state of an account is told by the server's own answer, and to nobody
// but who knows the password.
func testRefusals(t *testing.T, on target) {
	c := client(t, on)
	for _, want := range on.Traits().refuses {
		user, err := c.Find(t.Context(), want.user)
		if err != nil {
			t.Error(err)
			continue
		}
		err = c.Bind(t.Context(), user.DN, lab.SpecialPassword)
		if want.reason == "" && err != nil {
			t.Errorf("%s: %v", want.user, err)
		} else if want.reason != "" {
			refused(t, err, want.reason)
			says(t, err, want.says)
		}
		refused(t, c.Bind(t.Context(), user.DN, "wrong-Passw0rd"), want.wrong)
	}
}

// Servers answer some questions so differently that they are never asked.
func testNeverSent(t *testing.T, on target) {
	o := on.Options(t)
	l, err := ldap.DialURL(o.URLs[0], ldap.DialWithTLSConfig(o.TLS))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, err = l.SimpleBind(&ldap.SimpleBindRequest{Username: on.Traits().userDN(1), AllowEmptyPassword: true})
	if got := code(err); got != on.Traits().empty {
		t.Errorf("a bind without a password: %d, want %d", got, on.Traits().empty)
	}
	if err := l.Bind(o.BindUser, string(o.BindPassword)); err != nil {
		t.Fatal(err)
	}
	found, err := l.Search(ldap.NewSearchRequest(o.BaseDN, ldap.ScopeWholeSubtree, 0, 2, 0, false, "(mail=*)", []string{"1.1"}, nil))
	if limited := code(err) == ldap.LDAPResultSizeLimitExceeded && len(found.Entries) == 2; limited != on.Traits().limits {
		t.Errorf("%d entries of 2, %v; want limited: %v", len(found.Entries), err, on.Traits().limits)
	}
}

func code(err error) uint16 {
	var e *ldap.Error
	if errors.As(err, &e) {
		return e.ResultCode
	}
	return ldap.LDAPResultSuccess
}

// Setting a password unlocks the account, where that is wanted and known.
func testUnlock(t *testing.T, on target) {
	if !on.Traits().unlocks {
		return
	}
	const fresh = "Fresh-Passw0rd-1"
	c := client(t, on)
	user, err := c.Find(t.Context(), lab.LockedUser)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetPassword(t.Context(), user.DN, fresh); err != nil {
		t.Error(err)
	}
	refused(t, c.Bind(t.Context(), user.DN, fresh), identity.AccountLocked)
	c = client(t, on, func(o *directory.Options) { o.UnlockOnChange = true })
	if err := c.SetPassword(t.Context(), user.DN, fresh+"1"); err != nil {
		t.Error(err)
	}
	if err := c.Bind(t.Context(), user.DN, fresh+"1"); err != nil {
		t.Errorf("after the unlock: %v", err)
	}
}
