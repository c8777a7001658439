package lab

import "fmt"

// adGroups are the groups of People, and some that only Active Directory has:
// a chain through a distribution group. Members are users and groups.
func adGroups(users []string) string {
	l := &ldif{}
	dn := adGroup
	n := 0
	group := func(cn, kind string, members ...string) {
		n++
		attributes := []string{"objectClass", "group", "sAMAccountName", fmt.Sprintf("grp-%03d", n), "groupType", kind, "description", "Lab"}
		for _, m := range members {
			attributes = append(attributes, "member", m)
		}
		l.entry(dn(cn), attributes...)
	}
	const (
		security     = "-2147483646" // global
		distribution = "2"           // for mail alone: it gives no rights
	)
	in := map[string][]string{}
	for i, user := range users {
		direct, _ := Groups(i + 1)
		for _, cn := range direct {
			in[cn] = append(in[cn], user)
		}
	}
	// A member must be there before its group is.
	group("all-staff", security, in["all-staff"]...)
	for i := range projects {
		cn := fmt.Sprintf("project-%03d", i)
		group(cn, security, in[cn]...)
	}
	for i := range teams {
		cn, dept := fmt.Sprintf("team-%03d", i), fmt.Sprintf("dept-%02d", i%depts)
		group(cn, security, in[cn]...)
		in[dept] = append(in[dept], dn(cn))
	}
	for i := range depts {
		cn, division := fmt.Sprintf("dept-%02d", i), fmt.Sprintf("division-%d", i%divisions)
		group(cn, security, in[cn]...)
		in[division] = append(in[division], dn(cn))
	}
	for i := range divisions {
		cn := fmt.Sprintf("division-%d", i)
		group(cn, security, in[cn]...)
		in["company"] = append(in["company"], dn(cn))
	}
	group("company", security, in["company"]...)
	group("loop-b", security)
	group("loop-a", security, sambaUser("loopuser"), dn("loop-b"))
	group("Grp (with) *stars*, commas", security, sambaUser("loopuser"), sambaUser("comma,name"))
	group("leaf", security, sambaUser("viadist"), sambaUser(TangledName))
	group("mid", distribution, dn("leaf"))
	group("top", security, dn("mid"))
	group(TangledName, security, sambaUser(TangledName))
	return l.String()
}

// adGroup is the DN of a group.
func adGroup(cn string) string { return "CN=" + rdnValue(cn) + ",OU=groups," + sambaBaseDN }
