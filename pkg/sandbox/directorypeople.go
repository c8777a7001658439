package sandbox

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"strconv"
	"strings"
	"time"
)

// demoUser is a user of the demo population. extra are "name: value" lines that
// replace the ordinary values.
type demoUser struct {
	login, given, sn, cn, department, title string
	extra                                   []string
}

// demoUsers are the people one can sign in as; the last ones each in a state
// that a directory refuses.
var demoUsers = []demoUser{
	{login: "alice", given: "Alice", sn: "Adams", department: "Engineering", title: "Engineer"},
	{login: "bob.johnson", given: "Bob", sn: "Johnson", department: "Accounting", title: "Accountant"},
	{login: "mary.smith", given: "Mary", sn: "Smith", department: "IT", title: "Administrator"},
	{login: "jmueller", given: "Jörg", sn: "Müller", cn: `Müller, Jörg (Ext\ern) "Q" #1 + <x> 😀`, department: "Engineering",
		title: "Contractor", extra: []string{"userPassword: " + DemoPasswordUmlaut}},
	{login: "carol", given: "Carol", sn: "Clark", department: "Sales", title: "Representative"},
	{login: "twin.one", given: "Twin", sn: "One", department: "Sales", extra: []string{"mail: twins@example.test"}},
	{login: "twin.two", given: "Twin", sn: "Two", department: "Sales", extra: []string{"mail: twins@example.test"}},
	{login: "nogroups", given: "Norma", sn: "Groups", department: "Sales"},
	{login: "locked", given: "Lock", sn: "Ed", extra: []string{"lockoutTime: now"}},
	{login: "disabled", given: "Dis", sn: "Abled", extra: []string{"userAccountControl: 514"}},
	{login: "expired", given: "Ex", sn: "Pired", extra: []string{"accountExpires: past"}},
	{login: "stale", given: "Sta", sn: "Le", extra: []string{"pwdLastSet: past"}},
	{login: "mustchange", given: "Must", sn: "Change", extra: []string{"pwdLastSet: 0"}},
}

// DemoUser is somebody of the demo population to sign in as.
type DemoUser struct {
	Login, Password string
	Note            string // what is special: "locked", "nested groups"
}

// DemoUsers lists the demo population, those whom nothing hinders first.
func DemoUsers() []DemoUser {
	notes := map[string]string{
		"alice": "nested groups, photo", "jmueller": "a name full of special characters", "carol": "groups in a loop",
		"twin.one": "shares its mail address", "twin.two": "shares its mail address", "nogroups": "no groups",
		"locked": "account locked", "disabled": "account disabled", "expired": "account expired",
		"stale": "password expired", "mustchange": "password must be changed",
	}
	var users []DemoUser
	for _, u := range demoUsers {
		one := DemoUser{Login: u.login, Password: DemoPassword, Note: notes[u.login]}
		if u.login == "jmueller" {
			one.Password = DemoPasswordUmlaut
		}
		users = append(users, one)
	}
	return users
}

// demoGroups name their members by login or, with a leading "@", group.
// Engineering lies in Staff lies in Everyone; Ring One and Two in one another.
var demoGroups = []struct{ name, members string }{
	{"Everyone", "@Staff"},
	{"Staff", "@Engineering @Accounting @IT carol"},
	{"Engineering", "alice jmueller"},
	{"Accounting", "bob.johnson"},
	{"IT", "mary.smith"},
	{"Ring One", "@Ring_Two carol"},
	{"Ring Two", "@Ring_One"},
	{"Sales (EMEA), North*", "carol twin.one"},
	{"States", "locked disabled expired stale mustchange"},
}

// demo adds the domain and the demo population.
func (p *population) demo() error {
	s := p.d.store
	if _, err := s.add(p.base, []storeAttr{
		s.attr("objectClass", "top", "domain", "domainDNS"), s.attr("dc", "example"),
		s.attr("objectCategory", p.category("Domain-DNS")), s.attr("objectGUID", guidOf(p.base)),
		s.attr("maxPwdAge", "-36288000000000"), s.attr("minPwdLength", "8"), // 42 days
		s.attr("lockoutDuration", "-18000000000"), s.attr("whenCreated", p.then),
	}); err != nil {
		return err
	}
	for _, unit := range []string{"Users", "Groups"} {
		if err := p.unit(unit); err != nil {
			return err
		}
	}
	names := map[string]string{}
	for i, u := range demoUsers {
		dn, err := p.demoUser(i, u)
		if err != nil {
			return err
		}
		names[u.login] = dn
	}
	for _, g := range demoGroups {
		names["@"+g.name] = "CN=" + escapeDN(g.name) + ",OU=Groups," + p.base
	}
	for _, g := range demoGroups {
		var members []string
		for _, m := range strings.Fields(g.members) {
			members = append(members, names[strings.ReplaceAll(m, "_", " ")])
		}
		if err := p.group(g.name, members); err != nil {
			return err
		}
	}
	return nil
}

// group adds a group below OU=Groups.
func (p *population) group(name string, members []string) error {
	s := p.d.store
	_, err := p.add("CN="+escapeDN(name)+",OU=Groups,"+p.base,
		s.attr("objectClass", "top", "group", "groupOfNames"), s.attr("cn", name), s.attr("sAMAccountName", name),
		s.attr("objectCategory", p.category("Group")), s.attr("groupType", groupGlobalSecurity),
		s.attr("description", "The group "+name), s.attr("member", members...))
	return err
}

func (p *population) demoUser(i int, u demoUser) (dn string, err error) {
	s := p.d.store
	if u.cn == "" {
		u.cn = u.given + " " + u.sn
	}
	dn = "CN=" + escapeDN(u.cn) + ",OU=Users," + p.base
	attrs := []storeAttr{
		s.attr("objectClass", "top", "person", "organizationalPerson", "user", "inetOrgPerson"),
		s.attr("objectCategory", p.category("Person")),
		s.attr("cn", u.cn), s.attr("sn", u.sn), s.attr("givenName", u.given), s.attr("displayName", u.cn),
		s.attr("uid", u.login), s.attr("sAMAccountName", u.login), s.attr("userPrincipalName", u.login+"@example.test"),
		s.attr("mail", u.login+"@example.test"), s.attr("employeeNumber", strconv.Itoa(1000+i)),
		s.attr("telephoneNumber", fmt.Sprintf("+49 30 1000%02d", i)),
		s.attr("userAccountControl", strconv.Itoa(uacNormal)), s.attr("accountExpires", strconv.FormatInt(fileTimeNever, 10)),
		s.attr("pwdLastSet", p.now), s.attr("primaryGroupID", "513"), s.attr("userPassword", DemoPassword),
	}
	if u.department != "" {
		attrs = append(attrs, s.attr("department", u.department))
	}
	if u.title != "" {
		attrs = append(attrs, s.attr("title", u.title))
	}
	for _, line := range u.extra {
		name, value, _ := strings.Cut(line, ": ")
		switch value {
		case "now":
			value = p.now
		case "past":
			value = p.fileTime(400 * 24 * time.Hour)
		}
		attrs = withAttr(attrs, s.schema.learn(name), value)
	}
	if u.login == "alice" {
		photo, err := demoPhoto()
		if err != nil {
			return "", err
		}
		attrs = append(attrs, s.attr("thumbnailPhoto", photo))
	}
	_, err = p.add(dn, attrs...)
	return dn, err
}

// demoPhoto is a small JPEG, a real one, so that it can be shown.
func demoPhoto() (string, error) {
	img := image.NewRGBA(image.Rect(0, 0, 16, 16))
	for i := range 16 {
		img.Set(i, i, color.RGBA{R: 0xeb, G: 0x54, B: 0x24, A: 0xff})
	}
	var b bytes.Buffer
	err := jpeg.Encode(&b, img, nil)
	return b.String(), err
}
