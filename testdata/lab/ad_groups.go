package lab

import "fmt"

// adGroupDN is the DN of a group of ADPeople.
func adGroupDN(cn string) string { return "CN=" + rdnValue(cn) + ",OU=groups," + adBaseDN }

// Types of groups (MS-ADTS, section 2.2.12).
const (
	securityGroup     = "-2147483646" // global
	distributionGroup = "2"           // global; for mail alone: it gives no rights
)

// adGroups are the groups of People, and some that only Active Directory has:
// a chain through a distribution group.
func adGroups() string {
	l := &ldif{}
	n := 0
	group := func(cn, kind string, members ...string) {
		n++
		attributes := []string{"objectClass", "top", "objectClass", "group", "cn", cn, "sAMAccountName", fmt.Sprintf("grp-%03d", n), "groupType", kind, "description", "Lab"}
		for _, m := range members {
			attributes = append(attributes, "member", m)
		}
		l.entry(adGroupDN(cn), attributes...)
	}
	// A member must be there before its group is: from the leaves up.
	in := map[string][]string{}
	for i := 1; i <= ADUsers; i++ {
		direct, _ := Groups(i)
		for _, cn := range direct {
			in[cn] = append(in[cn], ADUserDN(i))
		}
	}
	below := func(cn, up string) {
		group(cn, securityGroup, in[cn]...)
		in[up] = append(in[up], adGroupDN(cn))
	}
	group("all-staff", securityGroup, in["all-staff"]...)
	for i := range projects {
		cn := fmt.Sprintf("project-%03d", i)
		group(cn, securityGroup, in[cn]...)
	}
	for i := range teams {
		below(fmt.Sprintf("team-%03d", i), fmt.Sprintf("dept-%02d", i%depts))
	}
	for i := range depts {
		below(fmt.Sprintf("dept-%02d", i), fmt.Sprintf("division-%d", i%divisions))
	}
	for i := range divisions {
		below(fmt.Sprintf("division-%d", i), "company")
	}
	group("company", securityGroup, in["company"]...)
	group("loop-b", securityGroup)
	group("loop-a", securityGroup, adUserDN("loopuser"), adGroupDN("loop-b"))
	group("Grp (with) *stars*, commas", securityGroup, adUserDN("loopuser"), adUserDN("comma,name"))
	group("leaf", securityGroup, adUserDN("viadist"), adUserDN(TangledName))
	group("mid", distributionGroup, adGroupDN("leaf"))
	group("top", securityGroup, adGroupDN("mid"))
	group(TangledName, securityGroup, adUserDN(TangledName))
	return l.String()
}
