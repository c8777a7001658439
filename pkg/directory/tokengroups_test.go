package directory_test

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/sandbox"
	"ad-ldap-connector/testdata/lab"

	"github.com/go-ldap/ldap/v3"
	"github.com/google/go-cmp/cmp"
)

// However the groups are nested, the way by tokenGroups comes to what the
// in-chain rule finds, and the primary group is counted alike.
func TestTokenGroupsAreTheChain(t *testing.T) {
	for seed := range uint64(4) {
		d := tangledDomain(seed, 10, 60)
		traits := sandbox.Traits{MaxEntries: 1000, TrailingNUL: true}
		if seed%2 == 1 {
			traits.RangeSize = 2 // of tokenGroups, memberOf and member
		}
		open, _ := d.start(t, traits)
		for _, base := range []string{"", "OU=groups, dc=LAB,dc=test", "OU=mail," + domainDN} {
			for _, primary := range []bool{true, false} {
				with := func(o *directory.Options) {
					o.GroupBaseDN, o.PrimaryGroup, o.GroupsCache = base, primary, time.Duration(seed/2)*time.Minute
				}
				fast, slow := open(with), open(with, byChain(t))
				for i := range 10 {
					name := fmt.Sprintf("p%03d", i)
					got, want := member(t, fast, name), member(t, slow, name)
					if !cmp.Equal(sorted(got), sorted(want)) {
						t.Errorf("seed %d, base %q, primary %t, %s: %s", seed, base, primary, name, cmp.Diff(sorted(want), sorted(got)))
					}
				}
				if got, again := member(t, fast, "p001"), member(t, open(with), "p001"); !cmp.Equal(got, again) {
					t.Errorf("another order: %s", cmp.Diff(got, again))
				}
				if said := how(t, fast, "p003"); !strings.HasPrefix(said, "tokenGroups and memberOf of CN=p003,") {
					t.Errorf("not by way of tokenGroups: %s", said)
				}
				if said := how(t, slow, "p003"); !strings.HasPrefix(said, "(&(member:1.2.840.") {
					t.Errorf("not by the rule: %s", said)
				}
			}
		}
	}
}

// simple is a user in two groups, one of them a distribution group in another,
// whose primary group is in a third.
func simple() *domain {
	d := newDomain()
	d.person("u", "513")
	d.group(groupDN("b-direct"), "b-direct", global, 0, personDN("u"))
	d.group(groupDN("z-above"), "z-above", global, 0, groupDN("b-direct"))
	d.group(groupDN("a-mail"), "a-mail", distribution, 0, personDN("u"))
	d.group(groupDN("c-overmail"), "c-overmail", global, 0, groupDN("a-mail"))
	d.group(groupDN("Domain Users"), "Domain Users", global, 513)
	d.group(groupDN("d-all"), "d-all", local, 0, groupDN("Domain Users"))
	return d
}

func dns(cns ...string) []string {
	out := make([]string, len(cns))
	for i, cn := range cns {
		out[i] = groupDN(cn)
	}
	return out
}

// The direct groups come first, then the primary one, then the rest by DN.
func TestTokenGroupsOrder(t *testing.T) {
	open, _ := simple().start(t, sandbox.Traits{})
	want := dns("b-direct", "a-mail", "Domain Users", "c-overmail", "d-all", "z-above")
	if got := member(t, open(), "u"); !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
	want = dns("b-direct", "a-mail", "c-overmail", "z-above")
	if got := member(t, open(noPrimary), "u"); !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
}

// How many searches a question takes is a promise: of a user whose groups are
// known two, and one when others have been asked about.
func TestGroupRoundTrips(t *testing.T) {
	d := simple()
	d.person("v", "513")
	d.group(groupDN("plain"), "plain", global, 0, personDN("v"), personDN("u"))
	open, searches := d.start(t, sandbox.Traits{})
	count := func(c *directory.Client, name string) int64 {
		t.Helper()
		user, err := c.Find(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		before := searches.Load()
		if _, err := c.Groups(t.Context(), user); err != nil {
			t.Fatal(err)
		}
		return searches.Load() - before
	}
	remember := func(o *directory.Options) { o.GroupsCache = time.Minute }
	c := open(remember)
	// The third reads what the distribution group is in.
	if got := []int64{count(c, "u"), count(c, "v"), count(c, "u")}; !cmp.Equal(got, []int64{3, 1, 0}) {
		t.Errorf("tokenGroups: %d searches", got)
	}
	if got := count(open(remember), "v"); got != 2 {
		t.Errorf("no distribution groups: %d searches", got)
	}
	c = open(remember, byChain(t))
	// One for the user, and once two for the primary group.
	if got := []int64{count(c, "u"), count(c, "v")}; !cmp.Equal(got, []int64{3, 1}) {
		t.Errorf("in-chain: %d searches", got)
	}
	if got := count(open(noPrimary, func(o *directory.Options) { o.GroupsFilter = filter(t, "(member={0})") }), "u"); got != 1 {
		t.Errorf("direct: %d searches", got)
	}
}

// A server that shows no tokenGroups is not asked for them at each login.
func TestTokenGroupsNotShown(t *testing.T) {
	d := simple()
	d.person("v", "513")
	open, searches := d.start(t, sandbox.Traits{NoTokenGroups: true})
	c := open()
	want := sorted(dns("b-direct", "a-mail", "Domain Users", "c-overmail", "d-all", "z-above"))
	for i, most := range []int64{4, 4, 4, 3, 3} { // and each time the primary group's two
		user, err := c.Find(t.Context(), "u")
		if err != nil {
			t.Fatal(err)
		}
		before := searches.Load()
		groups, err := c.Groups(t.Context(), user)
		if n := searches.Load() - before; err != nil || n != most {
			t.Errorf("question %d: %d searches, want %d; %v", i, n, most, err)
		}
		if got := labels(groups); len(got) != len(want) {
			t.Errorf("groups %q", got)
		}
	}
	if said := how(t, c, "u"); !strings.HasPrefix(said, "(member:") {
		t.Error(said)
	}
}

// The operator's own filter is never replaced.
func TestTokenGroupsOnlyForTheDefaultFilter(t *testing.T) {
	open, _ := simple().start(t, sandbox.Traits{})
	for template, want := range map[string][]string{
		"(member={0})": dns("b-direct", "a-mail", "Domain Users", "d-all"),
		"(&(cn=a*)(member:" + inChainRule + ":={0}))":               dns("a-mail"),
		"(&(!(cn=Domain*))(member:" + inChainRule + ":={0}))":       dns("b-direct", "z-above", "a-mail", "c-overmail", "d-all"),
		"(&(groupType=" + distribution + ")(member={0})(cn=*mail))": dns("a-mail"),
	} {
		c := open(func(o *directory.Options) { o.GroupsFilter = filter(t, template) })
		if got := member(t, c, "u"); !cmp.Equal(sorted(got), sorted(want)) {
			t.Errorf("%s: %s", template, cmp.Diff(sorted(want), sorted(got)))
		}
	}
	// Followed here, level by level, it comes to the same as the rule.
	c := open(func(o *directory.Options) { o.GroupsFilter, o.NestedGroups = filter(t, "(member={0})"), true })
	if got, want := member(t, c, "u"), member(t, open(byChain(t)), "u"); !cmp.Equal(sorted(got), sorted(want)) {
		t.Error(cmp.Diff(want, got))
	}
}

// A group of another domain is not read, those here that it is in are; and the
// trace says what was passed over.
func TestGroupsOfOtherDomains(t *testing.T) {
	const foreign = "CN=universal,DC=other,DC=test"
	d := newDomain()
	d.person("u", "513", "memberOf", foreign)
	d.group(groupDN("Domain Users"), "Domain Users", global, 513)
	d.group(groupDN("over-foreign"), "over-foreign", mailLocal, 0, foreign)
	open, _ := d.start(t, sandbox.Traits{})
	c := open()
	if got, want := member(t, c, "u"), dns("Domain Users", "over-foreign"); !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
	if said := how(t, c, "u"); !strings.HasSuffix(said, "2 found, 1 that are not here skipped") {
		t.Error(said)
	}
}

// Where memberOf does not lead to what tokenGroups names, the server follows
// the links: what cannot be seen might lead further.
func TestTokenGroupsWithoutMemberOf(t *testing.T) {
	d := simple()
	open, _ := d.start(t, sandbox.Traits{NoMemberOf: true})
	c := open()
	want := sorted(dns("b-direct", "a-mail", "Domain Users", "c-overmail", "d-all", "z-above"))
	if got := sorted(member(t, c, "u")); !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
	if said := how(t, c, "u"); !strings.HasPrefix(said, "(member:") {
		t.Error(said)
	}
}

// A group's new place shows although groups are remembered: what the server
// says of the user is always new.
func TestTokenGroupsOverrideWhatIsRemembered(t *testing.T) {
	d := newDomain()
	d.person("u", "513")
	d.person("v", "513")
	d.group(groupDN("Domain Users"), "Domain Users", global, 513)
	d.group(groupDN("low"), "low", global, 0, personDN("u"), personDN("v"))
	d.group(groupDN("high"), "high", global, 0)
	on := startSandbox(t, sandbox.Traits{ActiveDirectory: true}, d.String())
	c := client(t, on, func(o *directory.Options) {
		o.GroupsFilter, o.UserFilter = directory.Filter{}, directory.Filter{}
		o.GroupsCache, o.PrimaryGroup, o.BaseDN = time.Hour, true, domainDN
	})
	if got := member(t, c, "u"); slices.Contains(got, groupDN("high")) {
		t.Fatal(got)
	}
	modify(t, on, groupDN("high"), "member", groupDN("low"))
	if got := member(t, c, "v"); !slices.Contains(got, groupDN("high")) {
		t.Errorf("%q", got)
	}
	if said := how(t, c, "v"); !strings.HasPrefix(said, "tokenGroups and") {
		t.Errorf("not by way of tokenGroups: %s", said)
	}
}

// A base that is no entry is an error, as it is for a search.
func TestTokenGroupsWrongBase(t *testing.T) {
	open, _ := simple().start(t, sandbox.Traits{})
	c := open(func(o *directory.Options) { o.GroupBaseDN = "OU=none," + domainDN })
	user, err := c.Find(t.Context(), "u")
	if err != nil {
		t.Fatal(err)
	}
	groups, err := c.Groups(t.Context(), user)
	isFault(t, err, "no such object (32)")
	if groups != nil {
		t.Error(groups)
	}
}

// Whatever breaks on the way, whichever it is, no part of the groups is an
// answer.
func TestPartOfTheGroupsIsAFault(t *testing.T) {
	ways := map[string]func(*directory.Options){
		"tokenGroups":    func(*directory.Options) {},
		"in-chain":       byChain(t),
		"level by level": func(o *directory.Options) { o.GroupsFilter, o.NestedGroups = filter(t, "(member={0})"), true },
	}
	for way, change := range ways {
		for _, fault := range []sandbox.Fault{sandbox.FaultDrop, sandbox.FaultBusy, sandbox.FaultSilence} {
			for after := range int64(3) { // each way takes three searches at least
				if fault == sandbox.FaultSilence && way != "tokenGroups" {
					continue // it takes its time, and is a fault like others
				}
				t.Run(fmt.Sprintf("%s, fault %d after %d searches", way, fault, after), func(t *testing.T) {
					t.Parallel()
					testFaultAfter(t, change, fault, after)
				})
			}
		}
	}
}

func testFaultAfter(t *testing.T, change func(*directory.Options), fault sandbox.Fault, after int64) {
	var armed atomic.Bool
	var asked atomic.Int64
	open, _ := simple().start(t, sandbox.Traits{Fault: func(op string) sandbox.Fault {
		if op == "search" && armed.Load() && asked.Add(1) > after {
			return fault
		}
		return sandbox.FaultNone
	}})
	c := open(change, func(o *directory.Options) {
		if fault == sandbox.FaultSilence {
			o.GroupsTimeout = 300 * time.Millisecond
		}
	})
	user, err := c.Find(t.Context(), "u")
	if err != nil {
		t.Fatal(err)
	}
	armed.Store(true)
	if groups, err := c.Groups(t.Context(), user); err == nil || groups != nil {
		t.Errorf("%v, %v", groups, err)
	}
	if asked.Load() <= after {
		t.Errorf("only %d searches", asked.Load())
	}
	armed.Store(false)
	lab.Eventually(t, "the groups to be read again", func() bool {
		groups, err := c.Groups(t.Context(), user)
		return err == nil && len(groups) == 6
	})
}

// modify adds a value to an attribute of an entry.
func modify(t *testing.T, on inMemory, dn, attribute, value string) {
	t.Helper()
	c, err := ldap.DialURL(on.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.Bind(on.BindUser(), on.BindPassword()); err != nil {
		t.Fatal(err)
	}
	req := ldap.NewModifyRequest(dn, nil)
	req.Add(attribute, []string{value})
	if err := c.Modify(req); err != nil {
		t.Fatal(err)
	}
}
