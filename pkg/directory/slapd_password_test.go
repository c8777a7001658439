package directory_test

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/testdata/lab"

	"github.com/go-ldap/ldap/v3"
)

// policies are further entries for OpenLDAP: policies with a history and with
// grace logins, and users under them.
var policies = policy("history", "pwdLockout: TRUE", "pwdInHistory: 3", "pwdMinLength: 8", "pwdCheckQuality: 2") +
	policy("grace", "pwdMaxAge: 3600", "pwdGraceAuthNLimit: 2") +
	under("history", "reuser") + under("grace", "graceful", "pwdChangedTime: 20200101000000Z") +
	under("history", "lockedout", "pwdAccountLockedTime: 000001010000Z")

func policy(cn string, lines ...string) string {
	return "dn: cn=" + cn + ",ou=policies,dc=lab,dc=test\nobjectClass: pwdPolicy\nobjectClass: person\ncn: " + cn + "\nsn: x\npwdAttribute: userPassword\n" +
		strings.Join(append(lines, ""), "\n") + "\n"
}

// under is a user under a policy, whose password is first-Passw0rd.
func under(cn, uid string, lines ...string) string {
	return "dn: uid=" + uid + ",ou=special,dc=lab,dc=test\nobjectClass: inetOrgPerson\nuid: " + uid + "\ncn: " + uid + "\nsn: x\nuserPassword: first-Passw0rd\n" +
		"pwdPolicySubentry: cn=" + cn + ",ou=policies,dc=lab,dc=test\n" + strings.Join(append(lines, ""), "\n") + "\n"
}

// stored is what lies in userPassword.
func stored(t *testing.T, s *lab.SlapdServer, dn string) string {
	t.Helper()
	c, err := ldap.DialURL(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.Bind(s.AdminDN, s.AdminPassword); err != nil {
		t.Fatal(err)
	}
	found, err := c.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{"userPassword"}, nil))
	if err != nil || len(found.Entries) != 1 {
		t.Fatalf("%v, %v", found, err)
	}
	return found.Entries[0].GetAttributeValue("userPassword")
}

// A login with an expired password that the directory still lets in is one, and
// whoever explains it hears how many are left.
func TestSlapdGraceLogins(t *testing.T) {
	on := slapd{lab.Slapd(t, lab.SlapdOptions{LDIF: policies})}
	c := client(t, on)
	var note string
	ctx := identity.WithTrace(t.Context(), func(s identity.Stage) {
		if s.Name == "bind" {
			note = s.Detail
		}
	})
	a := identity.Authenticator{Directory: c, Mapper: noMapper{}}
	for _, want := range []string{"1 more logins are left", "this was the last login"} {
		if _, err := a.Authenticate(ctx, identity.Credentials{Username: "graceful", Password: "first-Passw0rd"}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(note, want) {
			t.Errorf("noted %q, want %q", note, want)
		}
	}
	_, err := a.Authenticate(ctx, identity.Credentials{Username: "graceful", Password: "first-Passw0rd"})
	refused(t, err, identity.PasswordExpired)
	if _, err := a.Authenticate(ctx, identity.Credentials{Username: "ppolicy-warned", Password: lab.SpecialPassword}); err != nil || !strings.Contains(note, "expires in ") {
		t.Errorf("expiring: %v, %q", err, note)
	}
}

// What OpenLDAP says of new passwords: quality, history, rights; and how they
// then lie there.
func TestSlapdPasswords(t *testing.T) {
	const reuser = "uid=reuser,ou=special,dc=lab,dc=test"
	for method, clear := range map[string]bool{directory.AutoPasswords: false, directory.ExtendedPasswords: false, directory.ModifyPasswords: true} {
		t.Run(method, func(t *testing.T) {
			on := slapd{lab.Slapd(t, lab.SlapdOptions{LDIF: policies})}
			c := client(t, on, func(o *directory.Options) { o.PasswordMethod = method })
			for _, password := range []identity.Password{"second-Passw0rd", "pässwörd-😀-3"} {
				if err := c.SetPassword(t.Context(), reuser, password); err != nil {
					t.Fatal(err)
				}
				if err := c.Bind(t.Context(), reuser, password); err != nil {
					t.Error(err)
				}
			}
			if kept := stored(t, on.SlapdServer, reuser); strings.Contains(kept, "pässwörd") != clear {
				t.Errorf("it lies there as %q", kept)
			}
			refused(t, c.SetPassword(t.Context(), reuser, "second-Passw0rd"), identity.PasswordReused)
			refused(t, c.SetPassword(t.Context(), reuser, "short"), identity.PasswordTooWeak)
			refused(t, c.SetPassword(t.Context(), reuser, "not\xfftext\xfe-Passw0rd"), identity.PasswordTooWeak)
			refused(t, c.SetPassword(t.Context(), "uid=locked1,ou=locked,dc=lab,dc=test", "third-Passw0rd"), identity.InsufficientAccess)
			refused(t, c.SetPassword(t.Context(), "uid=gone,ou=special,dc=lab,dc=test", "third-Passw0rd"), identity.WrongUsername)
		})
	}
}

// A locked account is unlocked with its new password if that is wanted. OpenLDAP
// does so anyway: that the service account may not is no reason to say no.
func TestSlapdUnlock(t *testing.T) {
	const dn = "uid=lockedout,ou=special,dc=lab,dc=test"
	for name, admin := range map[string]bool{"no right": false, "the right": true} {
		t.Run(name, func(t *testing.T) {
			on := slapd{lab.Slapd(t, lab.SlapdOptions{LDIF: policies})}
			if admin {
				on.BindUser, on.BindPassword = on.AdminDN, on.AdminPassword
			}
			var said strings.Builder
			c := client(t, on, func(o *directory.Options) {
				o.UnlockOnChange, o.Log = true, slog.New(slog.NewTextHandler(&said, nil))
			})
			refused(t, c.Bind(t.Context(), dn, "first-Passw0rd"), identity.AccountLocked)
			if err := c.SetPassword(t.Context(), dn, "second-Passw0rd"); err != nil {
				t.Fatal(err)
			}
			if err := c.Bind(t.Context(), dn, "second-Passw0rd"); err != nil {
				t.Error(err)
			}
			if !admin != strings.Contains(said.String(), "insufficient access rights (50)") {
				t.Errorf("logged %q", said.String())
			}
		})
	}
}

// A new password never crosses a network in clear, whatever the attribute.
func TestNewPasswordsNeedTLS(t *testing.T) {
	server := lab.Slapd(t, lab.SlapdOptions{})
	c := client(t, slapd{server}, func(o *directory.Options) {
		o.URLs = []string{"ldap://directory.lab.test"} // nobody's name; the connection leads to the server
		o.Dial = dialTo(server.URL)
	})
	err := c.SetPassword(t.Context(), "uid=chpw,ou=special,dc=lab,dc=test", "planted-Secret")
	isFault(t, err, "in clear")
	if err := c.Bind(t.Context(), "uid=chpw,ou=special,dc=lab,dc=test", "old-Passw0rd"); err != nil {
		t.Errorf("the old password: %v", err)
	}
}

// dialTo leads every connection to one server.
func dialTo(url string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, strings.TrimPrefix(url, "ldap://"))
	}
}
