package directory_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/sandbox"

	"github.com/google/go-cmp/cmp"
)

// Who is in more groups than the server gives at once, of entries and of an
// attribute's values, is in all of them, whichever way they are read.
func TestMoreGroupsThanOneAnswerHolds(t *testing.T) {
	const n = 1203
	d := newDomain()
	d.person("u", "513")
	want := make([]string, 0, n+1)
	for i := range n {
		cn := fmt.Sprintf("g%04d", i)
		d.entry(groupDN(cn), 0, "objectClass", "group", "objectCategory", "CN=Group,CN=Schema,CN=Configuration,"+domainDN, "cn", cn,
			"groupType", []string{global, distribution}[i%2], "description", "Group "+cn, "member", personDN("u"))
		want = append(want, "Group "+cn)
	}
	d.group(groupDN("all"), "all", global, 0, groupDN("g0000"), groupDN("g1202")) // which says nothing of itself
	open, searches := d.start(t, sandbox.Traits{MaxEntries: 1000, RangeSize: 500})
	for way, change := range map[string]func(*directory.Options){
		"tokenGroups": func(*directory.Options) {},
		"in-chain":    byChain(t),
		"direct":      func(o *directory.Options) { o.GroupsFilter = filter(t, "(member={0})") },
		"level by level": func(o *directory.Options) {
			o.GroupsFilter, o.NestedGroups = filter(t, "(&(objectClass=group)(member={0}))"), true
		},
	} {
		c := open(change, func(o *directory.Options) { o.GroupProperty, o.GroupsTimeout = "description", time.Minute })
		user, err := c.Find(t.Context(), "u")
		if err != nil {
			t.Fatal(err)
		}
		before := searches.Load()
		groups, err := c.Groups(t.Context(), user)
		if got := labels(groups); err != nil || !cmp.Equal(got, want) {
			t.Errorf("%s: %d groups, %v", way, len(got), err)
		}
		t.Logf("%s: %d searches", way, searches.Load()-before)
		if way == "tokenGroups" {
			if said := how(t, c, "u"); !strings.HasPrefix(said, "tokenGroups and") {
				t.Errorf("not by way of tokenGroups: %s", said)
			}
		}
	}
	c := open(func(o *directory.Options) { o.GroupProperty = "description" })
	for limit, most := range map[int]int{0: n, 1: 1, 1001: 1001} {
		groups, err := c.ListGroups(t.Context(), limit)
		if got := labels(groups); err != nil || len(got) != most || len(slices.Compact(got)) != most {
			t.Errorf("limit %d: %d groups listed, %v", limit, len(groups), err)
		}
	}
}

// Beyond what a login can wait for there is an error, by each way.
func TestTooManyGroupsAreAFault(t *testing.T) {
	if testing.Short() {
		t.Skip("ten thousand groups")
	}
	d := newDomain()
	d.person("u", "513")
	for i := range 10_010 {
		cn := fmt.Sprintf("g%05d", i)
		d.group(groupDN(cn), cn, global, 0, personDN("u"))
	}
	open, _ := d.start(t, sandbox.Traits{})
	for way, change := range map[string]func(*directory.Options){"tokenGroups": func(*directory.Options) {}, "in-chain": byChain(t)} {
		c := open(change, func(o *directory.Options) { o.GroupsTimeout = time.Minute })
		user, err := c.Find(t.Context(), "u")
		if err != nil {
			t.Fatal(err)
		}
		groups, err := c.Groups(t.Context(), user)
		isFault(t, err, "more than 10000 groups")
		if groups != nil {
			t.Errorf("%s: %d groups", way, len(groups))
		}
	}
}
