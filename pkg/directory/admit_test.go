package directory_test

import (
	"errors"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/testdata/lab"
)

// TestAdmitSaysWhy asks a server that says what it can do to anybody, and one
// that says nothing to strangers.
func TestAdmitSaysWhy(t *testing.T) {
	for _, anonymous := range []bool{true, false} {
		server := lab.Slapd(t, lab.SlapdOptions{Anonymous: anonymous})
		special := func(name string) string { return "uid=" + name + ",ou=special," + server.BaseDN }
		for _, tt := range []struct {
			user     string
			password identity.Password
			want     identity.Reason
		}{
			{server.BindUser, identity.Password(server.BindPassword), ""},
			{server.BindUser, "not-the-password", identity.WrongPassword},
			{special("ppolicy-locked"), lab.SpecialPassword, identity.AccountLocked},
			{special("ppolicy-expired"), lab.SpecialPassword, identity.PasswordExpired},
			{special("ppolicy-reset"), lab.SpecialPassword, identity.PasswordChangeRequired},
			{special("ppolicy-warned"), lab.SpecialPassword, ""},
		} {
			i := inspector(t, slapd{server}.Options(t), func(o *directory.Options) { o.BindUser, o.BindPassword = tt.user, tt.password })
			err := i.Admit(t.Context(), server.URL)
			var refusal *identity.Refusal
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("%s: %v", tt.user, err)
			case tt.want != "" && (!errors.As(err, &refusal) || refusal.Reason != tt.want || !strings.Contains(err.Error(), "bind as "+tt.user)):
				t.Errorf("%s: %v, want %s", tt.user, err, tt.want)
			case err != nil && strings.Contains(err.Error(), string(tt.password)):
				t.Errorf("the error shows the password: %v", err)
			}
		}
	}
}

// TestAdmitTellsFaultsFromRefusals: what was not asked is no refusal.
func TestAdmitTellsFaultsFromRefusals(t *testing.T) {
	server := lab.Slapd(t, lab.SlapdOptions{})
	o := slapd{server}.Options(t)
	i := inspector(t, o, nil)
	server.Stop()
	err := i.Admit(t.Context(), server.URL)
	var refusal *identity.Refusal
	var fault *directory.Error
	if errors.As(err, &refusal) || !errors.As(err, &fault) {
		t.Errorf("a server that is gone: %v", err)
	}
	if err := i.Admit(t.Context(), "ldap://127.0.0.1:1"); err == nil || !strings.Contains(err.Error(), "is not one of the directory's servers") {
		t.Errorf("a server that nobody named: %v", err)
	}
}
