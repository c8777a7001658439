package directory_test

import (
	"crypto/tls"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/testdata/lab"
)

// inspector asks servers with the options of a client, changed.
func inspector(t *testing.T, o directory.Options, change func(*directory.Options)) *directory.Inspector {
	t.Helper()
	if change != nil {
		change(&o)
	}
	i := directory.Inspect(o)
	t.Cleanup(func() { _ = i.Close() })
	return i
}

func TestInspectSlapd(t *testing.T) {
	server := lab.Slapd(t, lab.SlapdOptions{Users: 5})
	o := slapd{server}.Options(t)
	gone := "ldap://127.0.0.1:1"
	i := inspector(t, o, func(o *directory.Options) { o.URLs = []string{server.URL, gone} })
	ctx := t.Context()
	sites, err := i.Servers(ctx)
	if want := []directory.Site{{URL: server.URL, Loopback: true}, {URL: gone, Loopback: true}}; err != nil || !slices.Equal(sites, want) {
		t.Errorf("servers %v, %v", sites, err)
	}
	if addr, err := i.Reach(ctx, server.URL); err != nil || "ldap://"+addr != server.URL {
		t.Errorf("reached %s, %v", addr, err)
	}
	if _, err := i.Reach(ctx, gone); err == nil || !strings.Contains(err.Error(), "connect at "+gone) {
		t.Errorf("reached what is not there: %v", err)
	}
	if about, err := i.About(ctx, server.URL); err != nil || about.Preset != "" || about.Read.IsZero() { // it asks for a bind first
		t.Errorf("about %+v, %v", about, err)
	}
	if err := i.Bind(ctx, server.URL); err != nil {
		t.Error(err)
	}
	if open, err := i.Anonymous(ctx, server.URL); err != nil || open {
		t.Errorf("anonymous: %v, %v", open, err)
	}
	if takes, err := i.InClear(ctx, server.URL); err != nil || !takes {
		t.Errorf("in clear: %v, %v", takes, err)
	}
	if refs, err := i.Base(ctx); err != nil || len(refs) != 0 {
		t.Errorf("base: %v, %v", refs, err)
	}
	sample, err := i.Sample(ctx)
	if err != nil || sample.Found == 0 || sample.Name == "" || !sample.Same {
		t.Fatalf("sample %+v, %v", sample, err)
	}
	if _, err := i.Groups(ctx, sample.User); err != nil {
		t.Error(err)
	}
	if n, err := i.Pages(ctx); err != nil || n != 2 {
		t.Errorf("%d pages, %v", n, err)
	}
	if a, err := i.Account(ctx); err != nil || a.DN != server.BindUser || len(a.Powerful) > 0 {
		t.Errorf("account %+v, %v", a, err)
	}

	for _, ask := range []func(*directory.Inspector) error{
		func(i *directory.Inspector) error { return i.Bind(ctx, server.URL) },
		func(i *directory.Inspector) error { _, err := i.Base(ctx); return err },
		func(i *directory.Inspector) error { _, err := i.Account(ctx); return err },
	} {
		wrong := inspector(t, o, func(o *directory.Options) { o.BindPassword = "planted-Secret" })
		if _, err := wrong.Servers(ctx); err != nil {
			t.Fatal(err)
		}
		isFault(t, ask(wrong), "invalid credentials (49)")
	}
	elsewhere := inspector(t, o, func(o *directory.Options) { o.BaseDN = "dc=other,dc=test" })
	if _, err := elsewhere.Base(ctx); err == nil || !strings.Contains(err.Error(), "no such object") {
		t.Errorf("another base: %v", err)
	}
	nobody := inspector(t, o, func(o *directory.Options) { o.UserFilter = filter(t, "(employeeType={0})") })
	if s, err := nobody.Sample(ctx); err != nil || s.Found == 0 || s.User == nil || s.Name != "" || s.Same {
		t.Errorf("without the attribute: %+v, %v", s, err)
	}
	another := inspector(t, o, func(o *directory.Options) { o.UserFilter = filter(t, "(&(uid={0})(objectClass=person)(sn=nobody))") })
	if s, err := another.Sample(ctx); err != nil || s.Name == "" || s.Same {
		t.Errorf("not found again: %+v, %v", s, err)
	}
}

func TestInspectOpenSlapd(t *testing.T) {
	server := lab.Slapd(t, lab.SlapdOptions{Users: 1, Anonymous: true})
	i := inspector(t, slapd{server}.Options(t), nil)
	if _, err := i.Servers(t.Context()); err != nil {
		t.Fatal(err)
	}
	if open, err := i.Anonymous(t.Context(), server.URL); err != nil || !open {
		t.Errorf("%v, %v", open, err)
	}
	if about, err := i.About(t.Context(), server.URL); err != nil || about.Preset != "openldap" || about.BaseDN != server.BaseDN || !about.Time.IsZero() {
		t.Errorf("about %+v, %v", about, err)
	}
}

func TestInspectTLS(t *testing.T) {
	server := lab.Slapd(t, lab.SlapdOptions{})
	trusted := &tls.Config{RootCAs: caPool(t, server.CAFile)}
	ask := func(url string, start bool, config *tls.Config) (directory.Peer, error) {
		i := inspector(t, slapd{server}.Options(t), func(o *directory.Options) { o.URLs, o.StartTLS, o.TLS = []string{url}, start, config })
		return i.Peer(t.Context(), url)
	}
	for url, start := range map[string]bool{server.TLSURL: false, server.URL: true} {
		p, err := ask(url, start, trusted)
		if err != nil || p.Fault != nil || !strings.HasPrefix(p.Version, "TLS 1.") || len(p.Certificates) == 0 || p.Certificates[0].NotAfter.Before(time.Now()) {
			t.Errorf("%s: %+v, %v", url, p, err)
		}
		p, err = ask(url, start, nil)
		var h interface{ Hint() string }
		if err != nil || len(p.Certificates) == 0 || !errors.As(p.Fault, &h) || !strings.Contains(h.Hint(), "lab test CA") {
			t.Errorf("%s, not trusted: %+v, %v", url, p, err)
		}
	}
	if _, err := ask(strings.Replace(server.URL, "ldap:", "ldaps:", 1), false, trusted); err == nil {
		t.Error("a handshake with what speaks no TLS")
	}
	if _, err := ask(server.URL, false, trusted); err == nil {
		t.Error("a handshake where none is wanted")
	}
}

func testInspectSamba(t *testing.T, dc *lab.SambaServer) {
	o := directory.Options{URLs: []string{dc.TLSURL}, BaseDN: dc.BaseDN, TLS: &tls.Config{RootCAs: caPool(t, dc.CAFile), ServerName: dc.Host}}
	as := func(user, password string) *directory.Inspector {
		return inspector(t, o, func(o *directory.Options) { o.BindUser, o.BindPassword = user, identity.Password(password) })
	}
	i := as(dc.BindUser, dc.BindPassword)
	ctx := t.Context()
	if _, err := i.Servers(ctx); err != nil {
		t.Fatal(err)
	}
	about, err := i.About(ctx, dc.TLSURL)
	if apart := about.Read.Sub(about.Time).Abs(); err != nil || about.Preset != "samba" || apart > time.Minute {
		t.Errorf("about %+v, %v", about, err)
	}
	if takes, err := i.InClear(ctx, dc.TLSURL); err != nil || takes {
		t.Errorf("in clear: %v, %v", takes, err)
	}
	refs, err := i.Base(ctx)
	if err != nil || len(refs) != 0 { // those to the server's own partitions lead to nobody
		t.Errorf("references %v, %v", refs, err)
	}
	if a, err := i.Account(ctx); err != nil || a.DN == "" || len(a.Powerful) > 0 || a.Set.IsZero() {
		t.Errorf("service account %+v, %v", a, err)
	}
	if n, err := i.Pages(ctx); err != nil || n != 2 {
		t.Errorf("%d pages, %v", n, err)
	}
	admin := as(dc.AdminUser, dc.AdminPassword)
	if a, err := admin.Account(ctx); err != nil || !slices.Contains(a.Powerful, "Domain Admins") || !slices.Contains(a.Powerful, "Administrators") {
		t.Errorf("administrator %+v, %v", a, err)
	}
	if open, err := i.Anonymous(ctx, dc.TLSURL); err != nil || open {
		t.Errorf("anonymous: %v, %v", open, err)
	}
}

func TestInspectRecords(t *testing.T) {
	dns := lab.DNS(t, lab.SRV{Host: "dc1", Port: 389}, lab.SRV{Host: "dc2", Port: 389, Priority: 10})
	records := func(urls ...string) ([]string, []string, error) {
		i := inspector(t, directory.Options{URLs: urls, BaseDN: "DC=corp,DC=test", Resolver: dns.Resolver}, nil)
		return i.Records(t.Context())
	}
	domains, found, err := records("srvs://lab.test")
	if want := []string{"ldaps://dc1.lab.test:636", "ldaps://dc2.lab.test:636"}; err != nil || !slices.Equal(domains, []string{"lab.test"}) || !slices.Equal(found, want) {
		t.Errorf("%v, %v, %v", domains, found, err)
	}
	if _, _, err := records("srv://other.test"); err == nil || !strings.Contains(err.Error(), "_ldap._tcp.other.test") {
		t.Errorf("a domain without records: %v", err)
	}
	if domains, found, err := records("ldap://dc1.corp.test"); err != nil || len(domains)+len(found) > 0 {
		t.Errorf("a server: %v, %v, %v", domains, found, err)
	}
}

func TestAboutHolds(t *testing.T) {
	about := directory.About{Bases: []string{"DC=corp,DC=test", "not a DN"}}
	for dn, want := range map[string]bool{"dc=CORP, dc=test": true, "OU=x,DC=corp,DC=test": true, "DC=test": true} {
		if got := about.Holds(dn); got != want {
			t.Errorf("%s: %v", dn, got)
		}
	}
	about.Bases = about.Bases[:1]
	for dn, want := range map[string]bool{"OU=x,DC=corp,DC=test": true, "DC=test": false, "DC=xcorp,DC=test": false, "not a DN": true} {
		if got := about.Holds(dn); got != want {
			t.Errorf("%s: %v", dn, got)
		}
	}
	if !(directory.About{}).Holds("DC=test") {
		t.Error("a silent server holds nothing")
	}
}
