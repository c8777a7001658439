package directory_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/testdata/lab"

	"github.com/google/go-cmp/cmp"
)

// What needs no domain controller of its own, since each takes seconds.
func TestSamba(t *testing.T) {
	on := samba{lab.Samba(t, lab.SambaOptions{})}
	t.Run("look", func(t *testing.T) { testLookSamba(t, on) })
	t.Run("inspect", func(t *testing.T) { testInspectSamba(t, on.SambaServer) })
	t.Run("states", func(t *testing.T) { testSambaStates(t, on.SambaServer) })
	t.Run("TLS", func(t *testing.T) { testSambaTLS(t, on) })
	t.Run("service account", func(t *testing.T) { testSambaService(t, on) })
	t.Run("defaults", func(t *testing.T) { testSambaDefaults(t, on) })
	t.Run("passwords", func(t *testing.T) { testSambaPasswords(t, on.SambaServer) }) // the last: it changes them
}

// A domain controller is recognised, with its base, before anything is known
// of it but its address and an account.
func testLookSamba(t *testing.T, on samba) {
	for name, change := range map[string]func(*directory.Options){
		"bound":     func(*directory.Options) {},
		"anonymous": func(o *directory.Options) { o.BindUser, o.BindPassword = "", "" },
		"StartTLS":  func(o *directory.Options) { o.URLs, o.StartTLS = []string{on.URL}, true },
		// Its root DSE is anybody's, in clear as well.
		"in clear": func(o *directory.Options) { o.URLs = []string{on.URL} },
	} {
		o := on.Options(t)
		change(&o)
		got, err := directory.Look(t.Context(), o)
		// It offers StartTLS, and does not list it.
		want := directory.Server{Preset: "samba", BaseDN: "DC=corp,DC=example,DC=test", Vendor: got.Vendor}
		if err != nil || !cmp.Equal(got, want) || !strings.HasPrefix(got.Vendor, "Samba Team") {
			t.Errorf("%s: %v; %v", name, cmp.Diff(want, got), err)
		}
	}
}

// A password in clear is refused, by a server that wants it encrypted, after
// it was sent: what helps is said.
func testSambaTLS(t *testing.T, on samba) {
	trusted := &tls.Config{RootCAs: caPool(t, on.CAFile)}
	with := func(url string, start bool, config *tls.Config) error {
		c := client(t, on, func(o *directory.Options) { o.URLs, o.StartTLS, o.TLS = []string{url}, start, config })
		return login(t.Context(), c, 1)
	}
	if err := with(on.URL, true, trusted); err != nil {
		t.Errorf("StartTLS: %v", err)
	}
	if err := with(on.GCURL, false, trusted); err != nil {
		t.Errorf("global catalog: %v", err)
	}
	named := trusted.Clone()
	named.ServerName = on.Host
	if err := with(on.TLSURL, false, named); err != nil {
		t.Errorf("by its name: %v", err)
	}
	for name, test := range map[string]struct {
		err        error
		text, hint string
	}{
		"in clear": {with(on.URL, false, nil), "strong auth required (8): BindSimple: Transport encryption required.",
			"use ldaps:// in LDAP_URL, or set LDAP_STARTTLS"},
		"unknown issuer":           {with(on.TLSURL, false, nil), "unknown authority", "lab test CA"},
		"unknown issuer, StartTLS": {with(on.URL, true, nil), "unknown authority", "lab test CA"},
		"wrong name": {with(on.TLSURL, false, &tls.Config{RootCAs: trusted.RootCAs, ServerName: "dc2.corp.example.test"}),
			"dc2.corp.example.test", on.Host + ", corp.example.test, " + on.Address},
	} {
		var h interface{ Hint() string }
		if test.err == nil || !strings.Contains(test.err.Error(), test.text) || !errors.As(test.err, &h) || !strings.Contains(h.Hint(), test.hint) {
			t.Errorf("%s: %v, want %q and a hint of %q", name, test.err, test.text, test.hint)
		}
	}
	// Nor is a new password sent in clear, where the server would let one bind.
	plain := samba{lab.Samba(t, lab.SambaOptions{PlainBinds: true})}
	c := client(t, plain, func(o *directory.Options) { o.URLs, o.TLS = []string{plain.URL}, nil })
	if err := login(t.Context(), c, 1); err != nil {
		t.Errorf("in clear, allowed: %v", err)
	}
	if err := c.SetPassword(t.Context(), lab.ADUserDN(1), "Fresh-Passw0rd"); err == nil || !strings.Contains(err.Error(), "needs TLS") {
		t.Errorf("a new password in clear: %v", err)
	}
}

// The service account may be called in each way that a domain controller knows.
func testSambaService(t *testing.T, on samba) {
	for _, name := range []string{on.BindUser, strings.ToUpper(on.BindUser), on.BindDN, on.Domain + `\svc`} {
		c := client(t, on, func(o *directory.Options) { o.BindUser = name })
		if err := c.Check(t.Context()); err != nil {
			t.Errorf("as %s: %v", name, err)
		}
	}
	c := client(t, on, func(o *directory.Options) { o.BindUser = "svc" }) // of which domain?
	var h interface{ Hint() string }
	if err := c.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "data 52e") || !errors.As(err, &h) || !strings.Contains(h.Hint(), "LDAP_BIND_") {
		t.Errorf("as svc: %v", err)
	}
}

// With no filters given, Active Directory's are right.
func testSambaDefaults(t *testing.T, on samba) {
	c := client(t, on, func(o *directory.Options) {
		*o = directory.Options{URLs: o.URLs, TLS: o.TLS, BaseDN: o.BaseDN, BindUser: o.BindUser, BindPassword: o.BindPassword}
	})
	user, err := c.Find(t.Context(), lab.User(42))
	if err != nil {
		t.Fatal(err)
	}
	if id, sid := user.Value("objectGUID"), user.Value("objectSid"); len(id) != 36 || !strings.HasPrefix(sid, "S-1-5-21-") {
		t.Errorf("objectGUID %q, objectSid %q", id, sid)
	}
	groups, err := c.Groups(t.Context(), user)
	direct, nested := lab.Groups(42)
	want := slices.Concat(direct, nested)
	slices.Sort(want)
	if got := labels(groups); err != nil || !cmp.Equal(got, want) {
		t.Errorf("groups: %v; %v", cmp.Diff(want, got), err)
	}
	for text, want := range map[string]string{
		"User 0004": "", "user00042": lab.User(42), "given42": lab.User(42), "MÜLLER": "tangled", "müller": "tangled", "a|b": "a|b&c!d~e",
	} {
		found, err := c.Search(t.Context(), identity.Query{Text: text})
		if err != nil || len(found) == 0 || want != "" && (len(found) != 1 || found[0].Value("uid") != want) {
			t.Errorf("search for %q: %d found, want %s; %v", text, len(found), want, err)
		}
	}
	refused(t, bindAs(t, c, lab.User(42), "wrong-Passw0rd"), identity.WrongPassword)
	if err := c.Check(t.Context()); err != nil { // the heartbeat's filter
		t.Error(err)
	}
}

func bindAs(t *testing.T, c *directory.Client, name string, password identity.Password) error {
	t.Helper()
	user, err := c.Find(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return c.Bind(t.Context(), user.DN, password)
}

// Thousands come in pages, each once.
func TestSambaPages(t *testing.T) {
	const bulk = 1200 // 3 pages, and more than it gives at once
	on := samba{lab.Samba(t, lab.SambaOptions{Bulk: bulk})}
	c := client(t, on)
	all, err := c.Search(t.Context(), identity.Query{})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, e := range all {
		seen[e.Value("uid")] = true
	}
	if want := bulk + users + 1; len(all) != want || len(seen) != want || !seen[lab.BulkUser(1)] || !seen[lab.BulkUser(bulk)] {
		t.Errorf("%d users, %d of them different, want %d", len(all), len(seen), want)
	}
	for _, limit := range []int{1, 1001} {
		if found, err := c.Search(t.Context(), identity.Query{Limit: limit}); err != nil || len(found) != limit {
			t.Errorf("limit %d: %d found, %v", limit, len(found), err)
		}
	}
	if found, err := c.Search(t.Context(), identity.Query{Text: "bulk0042"}); err != nil || len(found) != 10 {
		t.Errorf("bulk0042: %d found, %v", len(found), err)
	}
	start := time.Now()
	if err := login(t.Context(), c, 7); err != nil {
		t.Error(err)
	}
	t.Logf("a login among %d took %s", len(all), fmt.Sprint(time.Since(start).Round(time.Millisecond)))
}
