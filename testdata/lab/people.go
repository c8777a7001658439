package lab

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"strings"
	"time"
)

// The fixed accounts.
const (
	baseDN          = "dc=lab,dc=test"
	adminDN         = "cn=admin," + baseDN
	adminPassword   = "admin-Passw0rd"
	serviceDN       = "cn=svc,ou=service," + baseDN
	servicePassword = "svc-secret"
)

// User is the name of the i-th generated user, from 1.
func User(i int) string { return fmt.Sprintf("user%05d", i) }

// Password is the password of the i-th generated user.
func Password(i int) string { return fmt.Sprintf("Passw0rd-%05d", i) }

// SpecialPassword is that of every user who is not generated.
const SpecialPassword = "special-pw"

// Hostile are names of users that a filter or a DN must escape, or that a
// careless replacement rewrites. Each has SpecialPassword.
var Hostile = []string{
	"jd()e", "a*b", "o'brien", `back\slash`, "jürgen", "comma,name", "plus+sign", "#hash", "semi;colon", `dquo"te`,
	"white space", "a$$b", "a$&b", "a$'b", "a$`b", "lt<gt>eq=x", "a/b", "{0}", "(&)", "*)(uid=*", `\2a`, "😀", "a|b&c!d~e",
}

// Groups returns the names of the groups that the i-th generated user is in,
// and of those that these are in.
func Groups(i int) (direct, nested []string) {
	team := i % teams
	dept := team % depts
	return []string{"all-staff", fmt.Sprintf("project-%03d", (i*7+3)%projects), fmt.Sprintf("team-%03d", team)},
		[]string{"company", fmt.Sprintf("dept-%02d", dept), fmt.Sprintf("division-%d", dept%divisions)}
}

const teams, projects, depts, divisions = 40, 20, 10, 4

// ldif builds a data file.
type ldif struct{ strings.Builder }

// entry adds an entry; attributes are name, value, name, value.
func (l *ldif) entry(dn string, attributes ...string) {
	l.line("dn", dn)
	for i := 0; i < len(attributes); i += 2 {
		l.line(attributes[i], attributes[i+1])
	}
	l.WriteString("\n")
}

// line writes one attribute, encoded where text would be misread (RFC 2849).
func (l *ldif) line(name, value string) {
	for i, c := range []byte(value) {
		if c < ' ' || c > '~' || i == 0 && strings.ContainsRune(" :<", rune(c)) || c == ' ' && i == len(value)-1 {
			fmt.Fprintf(l, "%s:: %s\n", name, base64.StdEncoding.EncodeToString([]byte(value)))
			return
		}
	}
	fmt.Fprintf(l, "%s: %s\n", name, value)
}

// rdnValue escapes a value for a DN (RFC 4514, section 2.4).
func rdnValue(v string) string {
	var b strings.Builder
	for i, r := range v {
		if strings.ContainsRune(`,+"\<>;=`, r) || r == '#' && i == 0 || r == ' ' && (i == 0 || i == len(v)-1) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// ssha hashes a password as OpenLDAP does.
func ssha(password, salt string) string {
	sum := sha1.Sum([]byte(password + salt))
	return "{SSHA}" + base64.StdEncoding.EncodeToString(append(sum[:], salt...))
}

// person adds a user and returns its DN.
func (l *ldif) person(ou, uid, password string, more ...string) string {
	dn := "uid=" + rdnValue(uid) + ",ou=" + ou + "," + baseDN
	l.entry(dn, append([]string{"objectClass", "inetOrgPerson", "uid", uid, "cn", uid, "sn", "Special",
		"userPassword", ssha(password, fmt.Sprintf("%.8s", uid+"saltsalt"))}, more...)...)
	return dn
}

// People is the content of the directory with n generated users, as LDIF.
func People(n int) string {
	l := &ldif{}
	l.entry(baseDN, "objectClass", "dcObject", "objectClass", "organization", "dc", "lab", "o", "Lab")
	for _, ou := range []string{"people", "people2", "special", "locked", "groups", "service", "policies"} {
		l.entry("ou="+ou+","+baseDN, "objectClass", "organizationalUnit", "ou", ou)
	}
	l.entry(serviceDN, "objectClass", "simpleSecurityObject", "objectClass", "organizationalRole",
		"cn", "svc", "userPassword", ssha(servicePassword, "saltsalt"))
	l.policies()

	dns := make([]string, n)
	for i := range dns {
		number := i + 1
		uid := User(number)
		dns[i] = fmt.Sprintf("uid=%s,ou=people,%s", uid, baseDN)
		l.entry(dns[i], "objectClass", "inetOrgPerson", "uid", uid,
			"cn", fmt.Sprintf("User %05d", number), "sn", fmt.Sprintf("Number%05d", number),
			"givenName", fmt.Sprintf("Given%d", number%997), "mail", uid+"@lab.test",
			"telephoneNumber", fmt.Sprintf("+1 555 %05d", number),
			"userPassword", ssha(Password(number), fmt.Sprintf("%08d", number)))
	}
	l.specials()
	l.groups(dns)
	return l.String()
}

// specials adds the users whose names or passwords are unusual.
func (l *ldif) specials() {
	for _, uid := range Hostile {
		l.person("special", uid, SpecialPassword)
	}
	photo := string([]byte{0xff, 0xd8, 0, 1, 2, 0xfe})
	l.person("special", "multi", SpecialPassword, "mail", "m1@lab.test", "mail", "m2@lab.test", "jpegPhoto", photo)
	l.person("special", "loopuser", SpecialPassword)
	l.person("special", "nogroups", SpecialPassword)
	l.person("special", "unipw", "pässwörd-😀")
	l.person("special", "chpw", "old-Passw0rd")
	l.person("locked", "locked1", SpecialPassword)
	l.person("people", "dup", SpecialPassword)
	l.person("people2", "dup", SpecialPassword)
	// Account states, which slapadd takes as they are.
	l.person("special", "ppolicy-locked", SpecialPassword, "pwdAccountLockedTime", "000001010000Z")
	l.person("special", "ppolicy-reset", SpecialPassword, "pwdReset", "TRUE")
	l.person("special", "ppolicy-expired", SpecialPassword, "pwdPolicySubentry", "cn=expiring,ou=policies,"+baseDN,
		"pwdChangedTime", "20200101000000Z")
	l.person("special", "ppolicy-warned", SpecialPassword, "pwdPolicySubentry", "cn=expiring,ou=policies,"+baseDN,
		"pwdChangedTime", time.Now().UTC().Add(-30*time.Minute).Format("20060102150405Z"))
}

func (l *ldif) policies() {
	policy := func(cn string, more ...string) {
		l.entry("cn="+cn+",ou=policies,"+baseDN, append([]string{"objectClass", "pwdPolicy", "objectClass", "person",
			"cn", cn, "sn", cn, "pwdAttribute", "userPassword"}, more...)...)
	}
	policy("default", "pwdLockout", "TRUE", "pwdMinLength", "8", "pwdCheckQuality", "2", "pwdMustChange", "TRUE")
	policy("expiring", "pwdMaxAge", "3600", "pwdExpireWarning", "3000", "pwdGraceAuthNLimit", "0")
}

// groups adds the groups: a team, a project and all-staff for each user, teams
// in departments in divisions in the company, and two that hold each other.
func (l *ldif) groups(users []string) {
	dn := func(cn string) string { return "cn=" + rdnValue(cn) + ",ou=groups," + baseDN }
	group := func(cn string, members ...string) {
		attributes := []string{"objectClass", "groupOfNames", "cn", cn}
		for _, m := range members {
			attributes = append(attributes, "member", m)
		}
		if len(members) == 0 { // groupOfNames must have one
			attributes = append(attributes, "member", adminDN)
		}
		l.entry(dn(cn), attributes...)
	}
	members := map[string][]string{}
	for i, user := range users {
		direct, _ := Groups(i + 1)
		for _, cn := range direct[1:] {
			members[cn] = append(members[cn], user)
		}
	}
	special := "uid=loopuser,ou=special," + baseDN
	group("all-staff", users...)
	for i := range projects {
		cn := fmt.Sprintf("project-%03d", i)
		group(cn, members[cn]...)
	}
	up := map[string][]string{}
	for i := range teams {
		cn := fmt.Sprintf("team-%03d", i)
		group(cn, members[cn]...)
		dept := fmt.Sprintf("dept-%02d", i%depts)
		up[dept] = append(up[dept], dn(cn))
	}
	for i := range depts {
		cn := fmt.Sprintf("dept-%02d", i)
		group(cn, up[cn]...)
		division := fmt.Sprintf("division-%d", i%divisions)
		up[division] = append(up[division], dn(cn))
	}
	for i := range divisions {
		cn := fmt.Sprintf("division-%d", i)
		group(cn, up[cn]...)
		up["company"] = append(up["company"], dn(cn))
	}
	group("company", up["company"]...)
	group("loop-a", special, dn("loop-b"))
	group("loop-b", dn("loop-a"))
	group("Grp (with) *stars*, commas", special, "uid=comma\\,name,ou=special,"+baseDN)
}
