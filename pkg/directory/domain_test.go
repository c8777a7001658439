package directory_test

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/pkg/sandbox"
)

// What groups are in Active Directory.
const (
	global       = "-2147483646"
	local        = "-2147483644"
	distribution = "2"
	mailLocal    = "4"
	inChainRule  = "1.2.840.113556.1.4.1941"
)

// A domain is the content of an Active Directory of a test's own, as LDIF.
type domain struct {
	strings.Builder
	rid uint32
}

const domainDN = "DC=lab,DC=test"

func newDomain() *domain {
	d := &domain{rid: 1100}
	d.WriteString("dn: " + domainDN + "\nobjectClass: domainDNS\ndc: lab\n\n")
	for _, ou := range []string{"people", "groups", "mail"} {
		d.WriteString("dn: OU=" + ou + "," + domainDN + "\nobjectClass: organizationalUnit\nou: " + ou + "\n\n")
	}
	return d
}

// entry adds an entry; attributes are name, value, name, value. It gets the
// next RID, unless rid says which.
func (d *domain) entry(dn string, rid uint32, attributes ...string) {
	if rid == 0 {
		d.rid++
		rid = d.rid
	}
	sid := []byte{1, 5, 0, 0, 0, 0, 0, 5}
	for _, sub := range []uint32{21, 11, 22, 33, rid} {
		sid = binary.LittleEndian.AppendUint32(sid, sub)
	}
	attributes = append(attributes, "dn", dn, "objectSid", string(sid))
	line := func(name, value string) {
		fmt.Fprintf(d, "%s:: %s\n", name, base64.StdEncoding.EncodeToString([]byte(value)))
	}
	line("dn", dn)
	for i := 0; i < len(attributes); i += 2 {
		if attributes[i] != "dn" {
			line(attributes[i], attributes[i+1])
		}
	}
	d.WriteString("\n")
}

func personDN(name string) string { return "CN=" + name + ",OU=people," + domainDN }
func groupDN(cn string) string    { return "CN=" + cn + ",OU=groups," + domainDN }

func (d *domain) person(name, primary string, more ...string) {
	d.entry(personDN(name), 0, append([]string{"objectClass", "user", "cn", name, "sAMAccountName", name, "primaryGroupID", primary}, more...)...)
}

func (d *domain) group(dn, cn, kind string, rid uint32, members ...string) {
	attributes := []string{"objectClass", "group", "cn", cn, "groupType", kind}
	for _, m := range members {
		attributes = append(attributes, "member", m)
	}
	d.entry(dn, rid, attributes...)
}

// start starts a directory of the domain, and counts its searches.
func (d *domain) start(t *testing.T, traits sandbox.Traits) (options func(...func(*directory.Options)) *directory.Client, searches *atomic.Int64) {
	t.Helper()
	searches = new(atomic.Int64)
	traits.ActiveDirectory = true
	if traits.Delay == nil {
		traits.Delay = func(op string) time.Duration {
			if op == "search" {
				searches.Add(1)
			}
			return 0
		}
	}
	on := startSandbox(t, traits, d.String())
	return func(change ...func(*directory.Options)) *directory.Client {
		t.Helper()
		o := directory.Options{URLs: []string{on.URL()}, BaseDN: domainDN, BindUser: on.BindUser(), BindPassword: identity.Password(on.BindPassword()),
			PrimaryGroup: true}
		for _, f := range change {
			f(&o)
		}
		c := directory.New(o)
		t.Cleanup(func() { _ = c.Close() })
		return c
	}, searches
}

// byChain has the server follow the links: by the same filter in other words,
// for which there is no shorter way.
func byChain(t *testing.T) func(*directory.Options) {
	return func(o *directory.Options) { o.GroupsFilter = filter(t, "(&(member:"+inChainRule+":={0}))") }
}

func noPrimary(o *directory.Options) { o.PrimaryGroup = false }

// member returns the DNs of a user's groups, as they came.
func member(t *testing.T, c *directory.Client, name string) []string {
	t.Helper()
	user, err := c.Find(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	groups, err := c.Groups(t.Context(), user)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	dns := make([]string, len(groups))
	for i, g := range groups {
		dns[i] = g.DN
	}
	return dns
}

// how returns what is noted of reading a user's groups.
func how(t *testing.T, c *directory.Client, name string) string {
	t.Helper()
	user, err := c.Find(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	var detail string
	a := identity.Authenticator{Directory: c, Mapper: noMapper{}}
	ctx := identity.WithTrace(t.Context(), func(s identity.Stage) {
		if s.Name == "groups" {
			detail = s.Detail
		}
	})
	if _, err := a.Resolve(ctx, identity.Principal{Name: user.Value("sAMAccountName")}); err != nil {
		t.Fatal(err)
	}
	return detail
}

// sorted is a set to compare.
func sorted(dns []string) []string {
	dns = slices.Clone(dns)
	slices.Sort(dns)
	return dns
}

// A tangled group is one of a tangle; its members are DNs.
type tangled struct {
	dn, cn, kind string
	members      []string
}

// tangle nests groups at random, in loops too, through distribution groups and
// groups with unusual names, in the OUs groups and mail below base. Some hold
// groups of everybody, which are somebody's primary group.
func tangle(seed uint64, groups int, base string, kinds, people, everybody []string) []tangled {
	r := rand.New(rand.NewPCG(seed, 1))
	odd := []string{`a\, b`, `\#1`, `x\+y`, `q\"q\"`, `back\\slash`, `lt\<gt\>`, `sem\;i`, `eq\=ual`, "st*r (1)", "ümläut", "😀", `sp\ `, "UPPER lower"}
	all := make([]tangled, groups)
	for i := range all {
		ou := "groups"
		if i%4 == 0 {
			ou = "mail"
		}
		all[i] = tangled{dn: fmt.Sprintf("CN=%s %03d,OU=%s,%s", odd[i%len(odd)], i, ou, base),
			cn: fmt.Sprintf("group %03d", i), kind: kinds[r.IntN(len(kinds))]}
	}
	for i := range all {
		var members []string
		for range r.IntN(4) {
			if n := r.IntN(groups); n != i {
				members = append(members, all[n].dn)
			}
		}
		for range r.IntN(3) {
			members = append(members, people[r.IntN(len(people))])
		}
		if i%17 == 3 {
			members = append(members, everybody[r.IntN(len(everybody))])
		}
		slices.Sort(members)
		all[i].members = slices.Compact(members)
	}
	return all
}

// tangledDomain is a domain of a tangle.
func tangledDomain(seed uint64, people, groups int) *domain {
	d := newDomain()
	dns := make([]string, people)
	for i := range dns {
		name := fmt.Sprintf("p%03d", i)
		dns[i] = personDN(name)
		d.person(name, []string{"513", "514", "777"}[i%3]) // nobody has 777
	}
	everybody := []string{groupDN("Domain Users"), groupDN("Domain Guests")}
	all := tangle(seed, groups, domainDN, []string{global, global, local, distribution, mailLocal}, dns, everybody)
	for _, g := range all {
		d.group(g.dn, g.cn, g.kind, 0, g.members...)
	}
	d.group(everybody[0], "Domain Users", global, 513)
	d.group(everybody[1], "Domain Guests", global, 514, all[0].dn)
	return d
}
