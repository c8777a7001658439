package directory_test

import (
	"crypto/tls"
	"errors"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/testdata/lab"

	"github.com/google/go-cmp/cmp"
)

// OpenLDAP's overlays: account states, and memberOf.
func TestSlapdPolicyStates(t *testing.T) {
	on := slapd{lab.Slapd(t, lab.SlapdOptions{MemberOf: true})}
	c := client(t, on)
	for name, want := range map[string]identity.Reason{
		"ppolicy-locked": identity.AccountLocked, "ppolicy-expired": identity.PasswordExpired,
		"ppolicy-reset": identity.PasswordChangeRequired, "ppolicy-warned": "",
	} {
		dn := "uid=" + name + ",ou=special,dc=lab,dc=test"
		// The control is known although no search came before.
		err := c.Bind(t.Context(), dn, lab.SpecialPassword)
		if want == "" && err != nil {
			t.Errorf("%s: %v", name, err)
		} else if want != "" {
			refused(t, err, want)
		}
		if name != "ppolicy-locked" {
			refused(t, c.Bind(t.Context(), dn, "wrong-Passw0rd"), identity.WrongPassword)
		}
	}
}

// A server's cap cuts neither a user's groups nor a search for all.
func TestSlapdCapsDoNotCut(t *testing.T) {
	on := slapd{lab.Slapd(t, lab.SlapdOptions{Users: 60, SizeLimit: 2})}
	c := client(t, on)
	if err := login(t.Context(), c, 3); err != nil {
		t.Error(err)
	}
	// A cap that paging does not lift is an error: part of the groups is none.
	limits := "limits dn.exact=\"" + on.BindUser + "\" size.soft=2 size.hard=2 size.pr=50 size.prtotal=2\n"
	capped := client(t, slapd{lab.Slapd(t, lab.SlapdOptions{Users: 60, Config: limits})})
	groups, err := capped.Groups(t.Context(), &identity.Entry{DN: "uid=user00003,ou=people,dc=lab,dc=test"})
	var h interface{ Hint() string }
	if err == nil || groups != nil || !errors.As(err, &h) || !strings.Contains(h.Hint(), "size limit") {
		t.Errorf("%d groups, %v", len(groups), err)
	}
}

func TestTLS(t *testing.T) {
	server := lab.Slapd(t, lab.SlapdOptions{Users: 5})
	on := slapd{server}
	trusted := &tls.Config{RootCAs: caPool(t, server.CAFile)}
	with := func(url string, start bool, config *tls.Config) error {
		c := client(t, on, func(o *directory.Options) { o.URLs, o.StartTLS, o.TLS = []string{url}, start, config })
		return login(t.Context(), c, 1)
	}
	if err := with(server.TLSURL, false, trusted); err != nil {
		t.Errorf("ldaps: %v", err)
	}
	if err := with(server.URL, true, trusted); err != nil {
		t.Errorf("StartTLS: %v", err)
	}
	for name, test := range map[string]struct {
		err  error
		text []string
		hint string
	}{
		"unknown issuer":           {with(server.TLSURL, false, nil), []string{"connect at " + server.TLSURL, "unknown authority"}, "lab test CA"},
		"unknown issuer, StartTLS": {with(server.URL, true, nil), []string{server.URL, "unknown authority"}, "lab test CA"},
		"wrong name":               {with(server.TLSURL, false, &tls.Config{RootCAs: trusted.RootCAs, ServerName: "other.test"}), []string{"other.test"}, "localhost, 127.0.0.1"},
		"no TLS there":             {with(strings.Replace(server.URL, "ldap:", "ldaps:", 1), false, trusted), []string{"TLS"}, ""},
	} {
		if test.err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		for _, text := range test.text {
			if !strings.Contains(test.err.Error(), text) {
				t.Errorf("%s: %q does not say %q", name, test.err, text)
			}
		}
		var h interface{ Hint() string }
		if !errors.As(test.err, &h) || !strings.Contains(h.Hint(), test.hint) {
			t.Errorf("%s: %v has no hint of %q", name, test.err, test.hint)
		}
	}
}

// unicodePwd is not even sent in clear.
func TestUnicodePasswordNeedsTLS(t *testing.T) {
	c := client(t, slapd{lab.Slapd(t, lab.SlapdOptions{})}, func(o *directory.Options) { o.UnicodePassword = true })
	err := c.SetPassword(t.Context(), "uid=chpw,ou=special,dc=lab,dc=test", "neu-Passw0rd")
	var h interface{ Hint() string }
	if err == nil || !strings.Contains(err.Error(), "needs TLS") || !errors.As(err, &h) || !strings.Contains(h.Hint(), "ldaps://") {
		t.Errorf("%v", err)
	}
}

// A service account that is refused says so, hides its password, and is not
// tried again at once: a directory would lock it.
func TestServiceAccountRefused(t *testing.T) {
	on := slapd{lab.Slapd(t, lab.SlapdOptions{})}
	c := client(t, on, func(o *directory.Options) { o.BindPassword = "planted-Secret" })
	for range 3 {
		_, err := c.Find(t.Context(), "x")
		var r *identity.Refusal
		if err == nil || errors.As(err, &r) {
			t.Fatalf("%v, want a fault", err)
		}
		if !strings.Contains(err.Error(), "bind as cn=svc,ou=service,dc=lab,dc=test at "+on.URL+": invalid credentials (49)") || strings.Contains(err.Error(), "planted") {
			t.Errorf("%v", err)
		}
		var h interface{ Hint() string }
		if !errors.As(err, &h) || !strings.Contains(h.Hint(), "LDAP_BIND_PASSWORD") {
			t.Errorf("hint of %v", err)
		}
	}
	if err := c.Check(t.Context()); err == nil {
		t.Error("Check found nothing wrong")
	}
}

func TestCheck(t *testing.T) {
	on := slapd{lab.Slapd(t, lab.SlapdOptions{Users: 3})}
	if err := client(t, on).Check(t.Context()); err != nil {
		t.Error(err)
	}
	err := client(t, on, func(o *directory.Options) { o.BaseDN = "dc=other,dc=test" }).Check(t.Context())
	var h interface{ Hint() string }
	if err == nil || !errors.As(err, &h) || !strings.Contains(h.Hint(), "LDAP_BASE") {
		t.Errorf("wrong base: %v", err)
	}
}

func TestAnonymous(t *testing.T) {
	on := slapd{lab.Slapd(t, lab.SlapdOptions{Users: 3, Anonymous: true})}
	c := client(t, on, func(o *directory.Options) { o.BindUser, o.BindPassword = "", "" })
	if err := login(t.Context(), c, 2); err != nil {
		t.Error(err)
	}
}

func TestLookSlapd(t *testing.T) {
	for name, anonymous := range map[string]bool{"anonymous": true, "bound": false} {
		on := slapd{lab.Slapd(t, lab.SlapdOptions{Anonymous: anonymous})}
		got, err := directory.Look(t.Context(), on.Options(t))
		want := directory.Server{Preset: "openldap", BaseDN: "dc=lab,dc=test", StartTLS: true}
		if err != nil || got != want {
			t.Errorf("%s: %v; %v", name, cmp.Diff(want, got), err)
		}
	}
}

// What was asked is told to whoever explains a login, without secrets.
func TestNotes(t *testing.T) {
	on := slapd{lab.Slapd(t, lab.SlapdOptions{Users: 3})}
	c := client(t, on)
	var stages []identity.Stage
	ctx := identity.WithTrace(t.Context(), func(s identity.Stage) { stages = append(stages, s) })
	a := identity.Authenticator{Directory: c, Mapper: noMapper{}}
	_, err := a.Authenticate(ctx, identity.Credentials{Username: lab.User(1), Password: identity.Password(lab.Password(1))})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"(uid=user00001) under dc=lab,dc=test: 1 found",
		"bind as uid=user00001,ou=people,dc=lab,dc=test: right",
		"(member=uid=user00001,ou=people,dc=lab,dc=test) under dc=lab,dc=test: 3 found",
	}
	for i, text := range want {
		if stages[i].Detail != text || stages[i].Server != on.URL {
			t.Errorf("stage %d: %q at %q", i, stages[i].Detail, stages[i].Server)
		}
	}
}
