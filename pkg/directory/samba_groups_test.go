package directory_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/testdata/lab"

	"github.com/google/go-cmp/cmp"
)

// By a real domain controller's own answers: what the way by tokenGroups comes
// to is what the in-chain rule finds, and the primary group is counted alike.
func TestSambaTokenGroupsAreTheChain(t *testing.T) {
	people := make([]string, 8)
	for i := range people {
		people[i] = lab.ADUserDN(i + 1)
	}
	all := tangle(7, 60, "OU=tangle,"+sambaBase, []string{universal, universal, mailUniversal}, people, []string{"CN=Domain Users,CN=Users," + sambaBase})
	s := lab.Samba(t, lab.SambaOptions{LDIF: sambaGroups(all)})
	s.Modify(sambaMembers(all))
	for base, primary := range map[string]bool{"": true, "OU=groups,ou=tangle," + sambaBase: false, "CN=Users," + sambaBase: true} {
		with := func(o *directory.Options) {
			o.GroupBaseDN, o.PrimaryGroup, o.GroupsCache = base, primary, time.Minute
			o.UserFilter = filter(t, "(|(uid={0})(sAMAccountName={0}))")
		}
		fast, slow := sambaClient(t, s, with), sambaClient(t, s, with, byChain(t))
		// The rule takes its time: a few users for each, who are not alike.
		for _, name := range []string{"loopuser", "viadist", "tangled", "Administrator", lab.User(1), lab.User(2), lab.User(5)} {
			got, want := member(t, fast, name), member(t, slow, name)
			if !cmp.Equal(sorted(got), sorted(want)) {
				t.Errorf("base %q, primary %t, %s: %s", base, primary, name, cmp.Diff(sorted(want), sorted(got)))
			}
			if n := len(slices.Compact(sorted(got))); n != len(got) {
				t.Errorf("%s: %d groups, %d different", name, len(got), n)
			}
		}
		if said := how(t, fast, "viadist"); !strings.HasPrefix(said, "tokenGroups and memberOf of ") {
			t.Errorf("not by way of tokenGroups: %s", said)
		}
	}
	c := sambaClient(t, s, func(o *directory.Options) { o.PrimaryGroup, o.UserFilter = true, filter(t, "(uid={0})") })
	want := []string{"CN=Domain Users,CN=Users," + sambaBase, "CN=Users,CN=Builtin," + sambaBase}
	got := member(t, c, "nogroups")
	for _, dn := range want {
		if !slices.Contains(got, dn) {
			t.Errorf("%s is not in %q", dn, got)
		}
	}
}

const (
	sambaBase     = "DC=corp,DC=example,DC=test"
	universal     = "-2147483640" // these may hold one another
	mailUniversal = "8"
)

// sambaGroups are groups without members: those may come before their groups.
func sambaGroups(all []tangled) string {
	var b strings.Builder
	for _, ou := range []string{"", "OU=groups,", "OU=mail,"} {
		fmt.Fprintf(&b, "dn: %sOU=tangle,%s\nobjectClass: organizationalUnit\n\n", ou, sambaBase)
	}
	for _, g := range all {
		fmt.Fprintf(&b, "dn:: %s\nobjectClass: group\nsAMAccountName: %s\ngroupType: %s\n\n", base64.StdEncoding.EncodeToString([]byte(g.dn)), g.cn, g.kind)
	}
	return b.String()
}

// sambaMembers puts the members in.
func sambaMembers(all []tangled) string {
	var b strings.Builder
	for _, g := range all {
		if len(g.members) == 0 {
			continue
		}
		fmt.Fprintf(&b, "dn:: %s\nchangetype: modify\nadd: member\n", base64.StdEncoding.EncodeToString([]byte(g.dn)))
		for _, m := range g.members {
			fmt.Fprintf(&b, "member:: %s\n", base64.StdEncoding.EncodeToString([]byte(m)))
		}
		b.WriteString("\n")
	}
	return b.String()
}
