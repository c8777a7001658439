package directory_test

import (
	"crypto/x509"
	"os"
	"testing"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/testdata/lab"

	"github.com/go-ldap/ldap/v3"
)

// A target is a directory server that the suite runs over. All hold the same
// people.
type target interface {
	Options(t *testing.T) directory.Options
	Traits() traits
	// DenyWrites takes the right to set the password of locked1 from the
	// service account until the test ends.
	DenyWrites(t *testing.T)
}

// A breakable target can be killed, started again and made to hang.
type breakable interface {
	Stop()
	Start()
	Pause()
	Resume()
}

// traits are how a target differs from others.
type traits struct {
	userDN      func(i int) string // of the i-th generated user
	nobodyDN    string             // of nobody, where there might be somebody
	operational string             // an attribute that no search for all attributes shows
	several     string             // an attribute of multi that has two values
	groups      int                // how many there are
	loopA       string             // the group loop-a as an object of cn, dn, none and objectClass
	// members are the groups of users, nested ones as well.
	members map[string][]string
	// nesting are the ways to read nested groups.
	nesting map[string]func(*directory.Options)
	// refuses are the users who are refused although the password is right.
	refuses []refusal
	// weak are passwords that it does not take, tooWeak and noRight what it
	// says of these, and of ones that it takes from others.
	weak             []identity.Password
	tooWeak, noRight string
	unlocks          bool // UnlockOnChange does something
	// empty is the result of a bind with a DN and no password, and limits says
	// whether it heeds the size limit of a search.
	empty   uint16
	limits  bool
	clients int // how many log in at once
}

// A refusal is a user whom a target refuses, and what it says, if anything, to
// who knows the password.
type refusal struct {
	user   string
	reason identity.Reason // "" when it does not, although a policy has something to say
	says   string
	// wrong is the reason for who does not know it.
	wrong identity.Reason
}

// users is how many generated users each target has.
const users = 60

func filter(t testing.TB, template string) directory.Filter {
	t.Helper()
	f, err := directory.ParseFilter(template)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// client returns a client of a target, closed with the test.
func client(t *testing.T, on target, change ...func(*directory.Options)) *directory.Client {
	t.Helper()
	o := on.Options(t)
	for _, f := range change {
		f(&o)
	}
	c := directory.New(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// caPool reads a CA's certificate.
func caPool(t *testing.T, file string) *x509.CertPool {
	t.Helper()
	pem, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		t.Fatalf("no certificate in %s", file)
	}
	return pool
}

// looped are the groups of those that are the same everywhere.
func looped(more map[string][]string) map[string][]string {
	out := map[string][]string{"loopuser": {"Grp (with) *stars*, commas", "loop-a", "loop-b"}, "nogroups": {}}
	for user, groups := range more {
		out[user] = groups
	}
	return out
}

// slapd is OpenLDAP.
type slapd struct{ *lab.SlapdServer }

func (s slapd) DenyWrites(*testing.T) {} // its access rules always do

func (s slapd) Options(t *testing.T) directory.Options {
	return directory.Options{
		URLs: []string{s.URL}, BaseDN: s.BaseDN, BindUser: s.BindUser, BindPassword: identity.Password(s.BindPassword),
		UserFilter:       filter(t, "(uid={0})"),
		SearchFilter:     filter(t, "(&(objectClass=inetOrgPerson)(|(uid={0})(cn={0}*)))"),
		SearchAllFilter:  filter(t, "(&(objectClass=inetOrgPerson)(mail=*))"),
		ListGroupsFilter: filter(t, "(objectClass=groupOfNames)"),
		GroupsFilter:     filter(t, "(member={0})"),
		HeartbeatFilter:  filter(t, "(objectClass=*)"),
	}
}

func (s slapd) Traits() traits {
	return traits{
		userDN:      func(i int) string { return "uid=" + lab.User(i) + ",ou=people,dc=lab,dc=test" },
		nobodyDN:    "uid=nobody,ou=people,dc=lab,dc=test",
		operational: "entryUUID", several: "mail", groups: 79,
		loopA:   `{"cn":"loop-a","dn":"cn=loop-a,ou=groups,dc=lab,dc=test","objectClass":"groupOfNames"}`,
		members: looped(nil),
		nesting: map[string]func(*directory.Options){"here": func(o *directory.Options) { o.NestedGroups = true }},
		refuses: []refusal{
			{"ppolicy-locked", identity.AccountLocked, "", identity.AccountLocked},
			{"ppolicy-expired", identity.PasswordExpired, "", identity.WrongPassword},
			{"ppolicy-reset", identity.PasswordChangeRequired, "", identity.WrongPassword},
			{"ppolicy-warned", "", "", identity.WrongPassword},
		},
		weak: []identity.Password{"short", ""}, tooWeak: "Password fails quality checking policy",
		empty: ldap.LDAPResultUnwillingToPerform, limits: true, clients: 64,
	}
}
