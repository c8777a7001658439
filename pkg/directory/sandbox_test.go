package directory_test

import (
	"crypto/tls"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/pkg/sandbox"
	"ad-ldap-connector/testdata/lab"

	"github.com/go-ldap/ldap/v3"
)

// inMemory is the sandbox's directory, in the manner of another.
type inMemory struct {
	*sandbox.Directory
	behaves sandbox.Traits
	like    target
}

func (m inMemory) Traits() traits { return m.like.Traits() }

func (m inMemory) DenyWrites(t *testing.T) {
	traits := m.behaves
	traits.NoWriteAccess = true
	m.SetTraits(traits)
	t.Cleanup(func() { m.SetTraits(m.behaves) })
}

func (m inMemory) Options(t *testing.T) directory.Options {
	o := m.like.Options(t)
	o.BindUser, o.BindPassword = m.BindUser(), identity.Password(m.BindPassword())
	return o
}

// sandboxSlapd behaves like OpenLDAP, as far as it is a sandbox's business:
// without policies and access rules.
type sandboxSlapd struct{ slapd }

func (s sandboxSlapd) Traits() traits {
	like := s.slapd.Traits()
	like.refuses = []refusal{
		{"ppolicy-locked", identity.AccountLocked, "", identity.AccountLocked},
		{"ppolicy-reset", identity.PasswordChangeRequired, "", identity.WrongPassword},
	}
	return like
}

func TestConformanceSandbox(t *testing.T) {
	behaves := sandbox.Traits{MaxEntries: 20}
	suite(t, startSandbox(t, behaves, lab.People(users)))
}

// sandboxAD behaves like a domain controller of Microsoft's, where that
// differs from Samba.
type sandboxAD struct{ samba }

func (s sandboxAD) Traits() traits {
	like := activeDirectoryTraits()
	like.noRight = "00002098: SecErr: "
	like.empty, like.limits = ldap.LDAPResultSuccess, true
	return like
}

func TestConformanceSandboxAD(t *testing.T) {
	behaves := sandbox.Traits{ActiveDirectory: true, TrailingNUL: true, UnknownUser525: true, MaxEntries: 20,
		References: []string{"ldap://127.0.0.1:1/CN=Configuration,DC=corp,DC=example,DC=test"}}
	ca := lab.NewCA(t, t.TempDir())
	pair, err := tls.LoadX509KeyPair(ca.Issue(t, "127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	d := serve(t, sandbox.DirectoryOptions{LDIF: strings.NewReader(lab.ADPeople()), Traits: behaves,
		TLSListen: "127.0.0.1:0", TLS: &tls.Config{Certificates: []tls.Certificate{pair}}})
	suite(t, inMemory{d, behaves, sandboxAD{samba{&lab.SambaServer{TLSURL: d.TLSURL(), CAFile: ca.File}}}})
}

// startSandbox starts a directory like OpenLDAP.
func startSandbox(t *testing.T, behaves sandbox.Traits, data string) inMemory {
	t.Helper()
	d := serve(t, sandbox.DirectoryOptions{LDIF: strings.NewReader(data), Traits: behaves})
	return inMemory{d, behaves, sandboxSlapd{slapd{&lab.SlapdServer{URL: d.URL(), BaseDN: d.BaseDN()}}}}
}

func serve(t *testing.T, o sandbox.DirectoryOptions) *sandbox.Directory {
	t.Helper()
	d, err := sandbox.StartDirectory(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// demoClient asks a sandbox of the demo population.
func demoClient(t *testing.T, traits sandbox.Traits) *directory.Client {
	t.Helper()
	d, err := sandbox.StartDirectory(sandbox.DirectoryOptions{Traits: traits})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return ask(t, func(o *directory.Options) {
		*o = directory.Options{URLs: o.URLs, BaseDN: d.BaseDN(), BindUser: d.BindUser(), BindPassword: identity.Password(d.BindPassword())}
	}, d.URL())
}

// The demo population has a user in each state that Active Directory refuses.
func TestActiveDirectoryStates(t *testing.T) {
	c := demoClient(t, sandbox.Traits{ActiveDirectory: true, TrailingNUL: true})
	for name, want := range map[string]identity.Reason{
		"locked": identity.AccountLocked, "disabled": identity.AccountDisabled, "expired": identity.AccountExpired,
		"stale": identity.PasswordExpired, "mustchange": identity.PasswordChangeRequired,
	} {
		user, err := c.Find(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		refused(t, c.Bind(t.Context(), user.DN, sandbox.DemoPassword), want)
	}
	alice, err := c.Find(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	if id := alice.Value("objectGUID"); len(id) != 36 {
		t.Errorf("objectGUID %q", id)
	}
	if s := alice.Value("objectSid"); !strings.HasPrefix(s, "S-1-5-21-") {
		t.Errorf("objectSid %q", s)
	}
	if err := c.Bind(t.Context(), alice.DN, sandbox.DemoPassword); err != nil {
		t.Error(err)
	}
	groups, err := c.Groups(t.Context(), alice) // by the in-chain rule
	if err != nil {
		t.Fatal(err)
	}
	if got := labels(groups); len(got) != 3 || got[0] != "Engineering" || got[1] != "Everyone" || got[2] != "Staff" {
		t.Errorf("groups %q", got)
	}
}

// 389 Directory Server says why in results, texts and controls of its own.
func TestStates389(t *testing.T) {
	c := demoClient(t, sandbox.Traits{Server389: true})
	for name, want := range map[string]identity.Reason{
		"locked": identity.AccountLocked, "disabled": identity.AccountDisabled, "stale": identity.PasswordExpired,
		"mustchange": identity.PasswordChangeRequired, "alice": "",
	} {
		user, err := c.Find(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		err = c.Bind(t.Context(), user.DN, sandbox.DemoPassword)
		if want == "" && err != nil {
			t.Errorf("%s: %v", name, err)
		} else if want != "" {
			refused(t, err, want)
		}
		if name == "alice" || name == "stale" {
			refused(t, c.Bind(t.Context(), user.DN, "wrong-Passw0rd"), identity.WrongPassword)
		}
	}
}

// That a server is busy or unavailable is no word about a password.
func TestMisfortunesAreFaults(t *testing.T) {
	d := startSandbox(t, sandbox.Traits{ActiveDirectory: true}, lab.People(3))
	c := client(t, d)
	if err := login(t.Context(), c, 1); err != nil {
		t.Fatal(err)
	}
	for fault, text := range map[sandbox.Fault]string{sandbox.FaultBusy: "busy (51)", sandbox.FaultUnavailable: "unavailable (52)"} {
		d.SetTraits(sandbox.Traits{ActiveDirectory: true, Fault: func(string) sandbox.Fault { return fault }})
		user := "uid=" + lab.User(1) + ",ou=people,dc=lab,dc=test"
		isFault(t, c.Bind(t.Context(), user, "planted-Secret"), text)
		isFault(t, c.SetPassword(t.Context(), user, "planted-Secret"), text)
		_, err := c.Find(t.Context(), lab.User(1))
		isFault(t, err, text)
	}
}
