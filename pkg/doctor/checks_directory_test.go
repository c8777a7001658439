package doctor

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"testing"
	"time"

	"ad-ldap-connector/pkg/config"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// hinting is an error that knows what to do.
type hinting struct{ text, hint string }

func (e hinting) Error() string { return e.text }
func (e hinting) Hint() string  { return e.hint }

// well is a directory of two servers in which all is well.
func well() Env {
	servers := []Server{{URL: "ldaps://dc1", TLS: true}, {URL: "ldaps://dc2", TLS: true}}
	e := Env{Now: func() time.Time { return noon }, Directory: Directory{
		Records: func(context.Context) ([]string, []string, error) { return nil, nil, nil },
		Servers: func(context.Context) ([]Server, error) { return servers, nil },
		Reach:   func(_ context.Context, s Server) (string, error) { return "192.0.2.1:636", nil },
		Peer:    func(context.Context, Server) (Peer, error) { return lasting(90), nil },
		About: func(context.Context, Server) (About, error) {
			return About{Kind: "ad", Bases: []string{"DC=corp,DC=example", "CN=Configuration"}, Holds: true, StartTLS: true, Time: noon, Read: noon.Add(time.Second)}, nil
		},
		Bind:      func(context.Context, Server) error { return nil },
		Anonymous: func(context.Context, Server) (bool, error) { return false, nil },
		InClear:   func(context.Context, Server) (bool, error) { return true, nil },
		Base:      func(context.Context) ([]string, error) { return nil, nil },
		Users: func(context.Context) (Users, error) {
			return Users{Found: 3, DN: "CN=Jane,DC=corp", Name: "jane", Same: true}, nil
		},
		Groups:  func(context.Context, string) (int, error) { return 2, nil },
		Pages:   func(context.Context) (int, error) { return 2, nil },
		Account: func(context.Context) (Account, error) { return Account{DN: "CN=svc", Set: noon.AddDate(0, -1, 0)}, nil },
	}}
	e.Config = config.Default()
	e.Config.Directory.URLs = []string{"ldaps://dc1", "ldaps://dc2"}
	e.Config.Directory.BaseDN, e.Config.Directory.BindUser = "DC=corp,DC=example", "svc@corp.example"
	return e
}

func lasting(days int) Peer {
	c := &x509.Certificate{Subject: pkix.Name{CommonName: "dc1"}, NotAfter: noon.AddDate(0, 0, days)}
	return Peer{Version: "TLS 1.3", Certificates: []*x509.Certificate{c}}
}

// but is well, with a change.
func but(change func(*Env)) Env {
	e := well()
	change(&e)
	return e
}

func TestDirectoryServerChecks(t *testing.T) {
	refused := errors.New("connect at ldaps://dc2: connection refused")
	only := func(good ...string) func(*Env) {
		return func(e *Env) {
			e.Directory.Reach = func(_ context.Context, s Server) (string, error) {
				for _, g := range good {
					if s.URL == g {
						return "", nil
					}
				}
				return "", refused
			}
		}
	}
	servers := func(s ...Server) func(*Env) {
		return func(e *Env) {
			e.Directory.Servers = func(context.Context) ([]Server, error) { return s, nil }
		}
	}
	about := func(a About, err error) func(*Env) {
		return func(e *Env) { e.Directory.About = func(context.Context, Server) (About, error) { return a, err } }
	}
	peer := func(p Peer, err error) func(*Env) {
		return func(e *Env) { e.Directory.Peer = func(context.Context, Server) (Peer, error) { return p, err } }
	}
	untrusted := hinting{"connect at ldaps://dc1: TLS: unknown authority", "put the authority's certificate into the SSL_CA_PATH folder"}
	unresolved := func(e *Env) {
		e.Directory.Servers = func(context.Context) ([]Server, error) { return nil, errors.New("no SRV records") }
	}
	records := func(urls []string, err error) func(*Env) {
		return func(e *Env) {
			e.Directory.Records = func(context.Context) ([]string, []string, error) { return []string{"corp.example"}, urls, err }
		}
	}
	try(t, []trial{
		{"named", "directory.srv", but(records([]string{"ldap://dc1:389", "ldap://dc2:389"}, nil)), Passed, "ldap://dc1:389, ldap://dc2:389"},
		{"none", "directory.srv", but(records(nil, errors.New("there are no records _ldap._tcp.corp.example"))), Failed, "no records _ldap._tcp.corp.example"},
		{"configured", "directory.srv", well(), Skipped, "the servers themselves"},

		{"holds it", "directory.rootdse", well(), Passed, "ad, DC=corp,DC=example; CN=Configuration"},
		{"holds another", "directory.rootdse", but(about(About{Bases: []string{"DC=other"}}, nil)), Failed, "does not say that it holds DC=corp,DC=example"},
		{"silent", "directory.rootdse", but(about(About{}, nil)), Skipped, "to strangers"},
		{"broken", "directory.rootdse", but(about(About{}, refused)), Failed, "connection refused"},
		{"unreachable", "directory.rootdse", but(only()), Skipped, "no server"},

		{"all", "directory.reach", well(), Passed, "ldaps://dc1, ldaps://dc2"},
		{"one", "directory.reach", but(only("ldaps://dc2")), Passed, "ldaps://dc2"},
		{"none", "directory.reach", but(only()), Failed, "connection refused"},
		{"no name", "directory.reach", but(unresolved), Failed, "no SRV records"},
		{"no list", "directory.reach", but(servers()), Failed, "names no server"},
		{"no directory", "directory.reach", Env{}, Skipped, "LDAP_URL"},

		{"all", "directory.servers", well(), Passed, "all 2"},
		{"one of two", "directory.servers", but(only("ldaps://dc1")), Failed, "1 of 2 | "},
		{"one", "directory.servers", but(servers(Server{URL: "ldaps://dc1"})), Skipped, "one server"},
		{"no name", "directory.servers", but(unresolved), Failed, "no SRV records"},

		{"trusted", "tls.directory", well(), Passed, "ldaps://dc1: TLS 1.3, ldaps://dc2: TLS 1.3"},
		{"not trusted", "tls.directory", but(peer(Peer{Fault: untrusted}, nil)), Failed, "Put the authority's certificate into"},
		{"no TLS there", "tls.directory", but(peer(Peer{}, errors.New("not TLS"))), Failed, "not TLS"},
		{"in clear", "tls.directory", but(servers(Server{URL: "ldap://dc1"})), Skipped, "not spoken to over TLS"},
		{"no name", "tls.directory", but(unresolved), Failed, "no SRV records"},

		{"lasts", "tls.directory-expiry", well(), Passed, "until 2026-05-30"},
		{"ends soon", "tls.directory-expiry", but(peer(lasting(29), nil)), Failed, "ends on 2026-03-30, in 29 days"},
		{"in clear", "tls.directory-expiry", but(servers(Server{URL: "ldap://dc1"})), Skipped, "not spoken to over TLS"},
		{"no name", "tls.directory-expiry", but(unresolved), Failed, "no SRV records"},

		{"TLS", "directory.cleartext", well(), Passed, "TLS"},
		{"this machine", "directory.cleartext", but(servers(Server{URL: "ldap://127.0.0.1", Loopback: true})), Passed, "this machine"},
		{"in clear", "directory.cleartext", but(servers(Server{URL: "ldap://dc1"})), Failed, "ldap://dc1 is spoken to in the clear; it offers StartTLS"},
		{"no name", "directory.cleartext", but(unresolved), Failed, "no SRV records"},

		{"over TLS", "directory.signing", well(), Passed, "simple binds over TLS; this one does not yet insist"},
		{"over TLS, hardened", "directory.signing", but(func(e *Env) {
			e.Directory.InClear = func(context.Context, Server) (bool, error) { return false, nil }
		}), Passed, "already insists"},
		{"in clear", "directory.signing", but(servers(Server{URL: "ldap://dc1"})), Failed, "passwords go in the clear"},
		{"GSSAPI", "directory.signing", but(func(e *Env) { e.Directory.GSSAPI = true }), Failed, "without signing or sealing"},
		{"not AD", "directory.signing", but(about(About{Kind: "openldap"}, nil)), Skipped, "Active Directory"},
		{"unreachable", "directory.signing", but(only()), Skipped, "no server"},

		{"closed", "directory.anonymous", well(), Passed, "refused"},
		{"open", "directory.anonymous", but(func(e *Env) {
			e.Directory.Anonymous = func(context.Context, Server) (bool, error) { return true, nil }
		}), Failed, "lets anybody search"},
		{"broken", "directory.anonymous", but(func(e *Env) {
			e.Directory.Anonymous = func(context.Context, Server) (bool, error) { return false, refused }
		}), Failed, "connection refused"},
		{"unreachable", "directory.anonymous", but(only()), Skipped, "no server"},

		{"together", "directory.clock", well(), Passed, "1s apart"},
		{"apart", "directory.clock", but(about(About{Time: noon.Add(-6 * time.Second), Read: noon}, nil)), Failed, "6s apart"},
		{"not told", "directory.clock", but(about(About{}, nil)), Skipped, "does not tell"},
		{"broken", "directory.clock", but(about(About{}, refused)), Failed, "connection refused"},
		{"unreachable", "directory.clock", but(only()), Skipped, "no server"},
	})
}

func TestDirectoryContentChecks(t *testing.T) {
	down := errors.New("the connection was lost")
	users := func(u Users, err error) func(*Env) {
		return func(e *Env) { e.Directory.Users = func(context.Context) (Users, error) { return u, err } }
	}
	base := func(err error, refs ...string) func(*Env) {
		return func(e *Env) { e.Directory.Base = func(context.Context) ([]string, error) { return refs, err } }
	}
	pages := func(n int, err error) func(*Env) {
		return func(e *Env) { e.Directory.Pages = func(context.Context) (int, error) { return n, err } }
	}
	account := func(a Account, err error) func(*Env) {
		return func(e *Env) { e.Directory.Account = func(context.Context) (Account, error) { return a, err } }
	}
	groups := func(n int, err error) func(*Env) {
		return func(e *Env) { e.Directory.Groups = func(context.Context, string) (int, error) { return n, err } }
	}
	nobody := func(e *Env) { e.Config.Directory.BindUser = "" }
	child := "ldaps://child.corp.example/DC=child,DC=corp,DC=example"
	try(t, []trial{
		{"right", "directory.bind", well(), Passed, "as svc@corp.example at ldaps://dc1"},
		{"anonymous", "directory.bind", but(nobody), Passed, "anonymously"},
		{"refused", "directory.bind", but(func(e *Env) {
			e.Directory.Bind = func(context.Context, Server) error { return hinting{"bind as svc: invalid credentials", "check it"} }
		}), Failed, "Check it."},
		{"no directory", "directory.bind", Env{}, Skipped, "LDAP_URL"},

		{"there", "directory.search", well(), Passed, "DC=corp,DC=example"},
		{"not there", "directory.search", but(base(down)), Failed, "lost"},

		{"found", "directory.users", well(), Passed, "jane is CN=Jane,DC=corp"},
		{"none", "directory.users", but(users(Users{}, nil)), Failed, "LDAP_SEARCH_ALL_QUERY (objectCategory=person)"},
		{"no name", "directory.users", but(users(Users{Found: 1, DN: "CN=Jane"}, nil)), Failed, "has none of the attributes"},
		{"another", "directory.users", but(users(Users{Found: 1, DN: "CN=Jane", Name: "jane"}, nil)), Failed, "does not find CN=Jane by the name jane"},
		{"broken", "directory.users", but(users(Users{}, down)), Failed, "lost"},

		{"some", "directory.groups", well(), Passed, "in 2 groups"},
		{"broken", "directory.groups", but(groups(0, down)), Failed, "lost"},
		{"off", "directory.groups", but(func(e *Env) { e.Config.Groups.Enabled = false }), Skipped, "GROUPS is off"},
		{"nobody", "directory.groups", but(users(Users{}, nil)), Skipped, "no user"},

		{"paged", "directory.paging", well(), Passed, "2 pages"},
		{"not paged", "directory.paging", but(pages(0, nil)), Failed, "does not know paged results"},
		{"broken", "directory.paging", but(pages(0, down)), Failed, "lost"},

		{"none", "directory.referrals", well(), Passed, "no other place"},
		{"a child", "directory.referrals", but(base(nil, child)), Failed, "DC=child,DC=corp,DC=example is at child.corp.example"},
		{"broken", "directory.referrals", but(base(down)), Failed, "lost"},

		{"few", "account.rights", well(), Passed, "no group of administrators"},
		{"many", "account.rights", but(account(Account{DN: "CN=svc", Powerful: []string{"Domain Admins"}}, nil)), Failed, "CN=svc is in Domain Admins"},
		{"not found", "account.rights", but(account(Account{}, nil)), Skipped, "not found"},
		{"anonymous", "account.rights", but(nobody), Skipped, "anonymous"},
		{"broken", "account.rights", but(account(Account{}, down)), Failed, "lost"},

		{"does not end", "account.password", well(), Passed, "set on 2026-02-01, does not end"},
		{"ends later", "account.password", but(account(Account{Expires: noon.AddDate(0, 0, 15)}, nil)), Passed, "until 2026-03-16"},
		{"ends soon", "account.password", but(account(Account{Expires: noon.AddDate(0, 0, 13)}, nil)), Failed, "ends in 13 days"},
		{"has ended", "account.password", but(account(Account{Expires: noon.AddDate(0, 0, -3)}, nil)), Failed, "ends in 0 days"},
		{"old", "account.password", but(account(Account{Set: noon.AddDate(-2, 0, 0)}, nil)), Failed, "the same for 730 days"},
		{"not told", "account.password", but(account(Account{DN: "CN=svc"}, nil)), Skipped, "does not say"},
		{"anonymous", "account.password", but(nobody), Skipped, "anonymous"},
		{"broken", "account.password", but(account(Account{}, down)), Failed, "lost"},
	})
	for _, c := range directoryChecks {
		f := Run(t.Context(), &Env{}, []Check{c}, nil, nil).Findings[0]
		if f.Status != Skipped {
			t.Errorf("%s without a directory: %s %s", c.ID, f.Status, fmt.Sprint(f.Detail))
		}
	}
}
