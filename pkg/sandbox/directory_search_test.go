package sandbox

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
)

func TestFilters(t *testing.T) {
	d := startDirectory(t, DirectoryOptions{Traits: adTraits})
	c := bindDirectory(t, d)
	people := "Alice Adams|Bob Johnson|Mary Smith|Müller, Jörg (Ext\\ern) \"Q\" #1 + <x> 😀|Carol Clark|Twin One|Twin Two|Norma Groups|Lock Ed|Dis Abled|Ex Pired|Sta Le|Must Change|connector"
	jorg := strings.Split(people, "|")[3]
	for _, tt := range []struct{ filter, want string }{
		{"(cn=alice adams)", "Alice Adams"},
		{"(cn= ALICE   ADAMS )", "Alice Adams"},
		{"(2.5.4.3=alice adams)", "Alice Adams"},
		{"(displayName=alice adams)", "Alice Adams"}, // no index
		{"(sn=MÜLLER)", jorg},
		{"(sn=Muller)", ""},
		{`(cn=Müller, Jörg \28Ext\5cern\29 "Q" #1 + <x> 😀)`, jorg},
		{"(objectCategory=person)", people},
		{"(objectCategory=CN=Person,CN=Schema,CN=Configuration,DC=example,DC=test)", people},
		{"(&(objectCategory=person)(!(userAccountControl:1.2.840.113556.1.4.803:=2))(department=IT))", "Mary Smith"},
		{"(userAccountControl:1.2.840.113556.1.4.803:=2)", "Dis Abled"},
		{"(userAccountControl:1.2.840.113556.1.4.804:=65538)", "Dis Abled|connector"},
		{"(department=*)", "Alice Adams|Bob Johnson|Mary Smith|" + jorg + "|Carol Clark|Twin One|Twin Two|Norma Groups"},
		{"(&(objectCategory=person)(!(department=*)))", "Lock Ed|Dis Abled|Ex Pired|Sta Le|Must Change|connector"},
		{"(cn=*ring*)", "Engineering|Ring One|Ring Two"},
		{"(cn=r*ng*t*)", "Ring Two"},
		{"(cn=ring two*two)", ""}, // the parts may not share letters
		{"(cn=*TWO)", "Twin Two|Ring Two"},
		{"(cn~=carol clark)", "Carol Clark"},
		{"(employeeNumber>=1012)", "Must Change"},
		{"(lockoutTime>=1)", "Lock Ed"},
		{"(&(lockoutTime>=1)(lockoutTime>=99999999999))", "Lock Ed"}, // as numbers, not as text
		{"(&(objectCategory=person)(pwdLastSet<=1))", "Must Change"}, // 0
		{"(|(cn=alice adams)(cn=bob johnson))", "Alice Adams|Bob Johnson"},
		{"(|(uid=bob.johnson)(mail=alice@example.test)(uid=alice))", "Alice Adams|Bob Johnson"},
		{"(mail=twins@example.test)", "Twin One|Twin Two"},
		{"(&)", "all"}, {"(|)", ""},
		{"(noSuchType=x)", ""}, {"(!(noSuchType=x))", ""}, {"(noSuchType=*)", ""}, {"(!(noSuchType=*))", ""},
		{"(|(noSuchType=x)(cn=alice adams))", "Alice Adams"},
		{"(&(!(&(noSuchType=x)(cn=nobody)))(cn=alice adams))", "Alice Adams"}, // undefined and false are false
		{"(!(userAccountControl=many))", ""},
		{"(userPassword=*)", ""}, {"(!(userPassword=*))", ""}, {"(userPassword=" + DemoPassword + ")", ""},
		{"(distinguishedName=cn=Alice Adams, ou=Users,DC=example,dc=TEST)", "Alice Adams"},
		{"(memberOf=CN=Engineering,OU=Groups,DC=example,DC=test)", "Alice Adams|" + jorg},
		{"(&(objectCategory=group)(memberOf=*))", "Staff|Engineering|Accounting|IT|Ring One|Ring Two"},
		{"(member=CN=Alice Adams,OU=Users,DC=example,DC=test)", "Engineering"},
		{"(member:1.2.840.113556.1.4.1941:=CN=Alice Adams,OU=Users,DC=example,DC=test)", "Everyone|Staff|Engineering"},
		{"(member:1.2.840.113556.1.4.1941:=CN=Ring One,OU=Groups,DC=example,DC=test)", "Ring One|Ring Two"},
		{"(member:1.2.840.113556.1.4.1941:=not a DN)", ""},
		{"(member:1.2.840.113556.1.4.1941:=" + ldap.EscapeFilter(`CN=Müller\, Jörg (Ext\\ern) \"Q\" \#1 \+ \<x\> 😀,OU=Users,DC=example,DC=test`) + ")", "Everyone|Staff|Engineering"},
		{"(&(objectCategory=person)(memberOf:1.2.840.113556.1.4.1941:=CN=Everyone,OU=Groups,DC=example,DC=test))", "Alice Adams|Bob Johnson|Mary Smith|" + jorg + "|Carol Clark"},
		{"(&(objectCategory=person)(!(memberOf:1.2.840.113556.1.4.1941:=CN=Everyone,OU=Groups,DC=example,DC=test))(department=*))", "Twin One|Twin Two|Norma Groups"},
		{"(anr=ali)", "Alice Adams"}, {"(anr=alice ad)", "Alice Adams"}, {"(anr=adams ali)", "Alice Adams"}, {"(anr=ali*)", "Alice Adams"},
		{"(anr==ali)", ""}, {"(anr==alice)", "Alice Adams"}, {"(anr=lice)", ""}, {"(anr=*)", ""},
		{"(ou:dn:=groups)", "Groups|Everyone|Staff|Engineering|Accounting|IT|Ring One|Ring Two|Sales (EMEA), North*|States"},
		{"(cn:caseExactMatch:=alice adams)", ""}, {"(cn:2.5.13.5:=Alice Adams)", "Alice Adams"},
		{"(:caseIgnoreMatch:=ALICE ADAMS)", "Alice Adams"}, {"(cn:1.2.3.4:=x)", ""}, {"(!(cn:1.2.3.4:=x))", ""},
		{"(noSuchType:caseIgnoreMatch:=alice adams)", ""}, {"(!(noSuchType:caseIgnoreMatch:=alice adams))", ""},
		{"(:1.2.3.4:=x)", ""}, {"(!(:1.2.3.4:=x))", ""},
		{"(objectSid=S-1-5-21-1004336348-1177238915-682003330-1103)", "Alice Adams"},
		{"(canonicalName=example.test/Users/Alice Adams)", "Alice Adams"},
	} {
		got := names(ask(t, c, d, tt.filter, "1.1"))
		if tt.want == "all" && strings.Count(got, "|") > 20 {
			continue
		}
		if got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.filter, got, tt.want)
		}
	}
	d.SetTraits(Traits{})
	for _, filter := range []string{"(member:1.2.840.113556.1.4.1941:=CN=Alice Adams,OU=Users,DC=example,DC=test)", "(anr=ali)"} {
		if got := ask(t, c, d, filter); len(got) != 0 {
			t.Errorf("OpenLDAP finds nothing for %s: %v", filter, names(got))
		}
	}
}

func TestScopesAndBases(t *testing.T) {
	d := startDirectory(t, DirectoryOptions{Traits: adTraits})
	c := bindDirectory(t, d)
	guid := fmt.Sprintf("<GUID=%x>", guidOf("cn=it,ou=groups,dc=example,dc=test"))
	for _, tt := range []struct {
		base  string
		scope int
		count int
		code  int
		near  string
	}{
		{"DC=example,DC=test", ldap.ScopeBaseObject, 1, 0, ""},
		{"DC=example,DC=test", ldap.ScopeSingleLevel, 3, 0, ""},
		{"dc=EXAMPLE, dc=test", ldap.ScopeWholeSubtree, 27, 0, ""},
		{"OU=Groups,DC=example,DC=test", ldap.ScopeSingleLevel, 9, 0, ""},
		{"OU=Groups,DC=example,DC=test", ldap.ScopeWholeSubtree, 10, 0, ""},
		{guid, ldap.ScopeBaseObject, 1, 0, ""},
		{"<GUID=00>", ldap.ScopeBaseObject, 0, 32, ""},
		{"OU=None,OU=Users,DC=example,DC=test", ldap.ScopeWholeSubtree, 0, 32, "OU=Users,DC=example,DC=test"},
		{"DC=elsewhere", ldap.ScopeWholeSubtree, 0, 32, ""},
		{"", ldap.ScopeWholeSubtree, 0, 32, ""},
		{"not a DN", ldap.ScopeWholeSubtree, 0, 34, ""},
	} {
		res, err := c.Search(ldap.NewSearchRequest(tt.base, tt.scope, 0, 0, 0, false, "(objectClass=*)", []string{"cn"}, nil))
		code, _ := ldapCode(t, err)
		if code != tt.code || res != nil && len(res.Entries) != tt.count {
			t.Errorf("%q scope %d: code %d, %d entries", tt.base, tt.scope, code, len(res.Entries))
		}
		if le, ok := err.(*ldap.Error); ok && le.MatchedDN != tt.near {
			t.Errorf("%q: matched %q", tt.base, le.MatchedDN)
		}
	}
}

func TestSelection(t *testing.T) {
	for _, tt := range []struct {
		ad        bool
		ask, want string
	}{
		{true, "1.1", ""},
		{true, "MAIL,nosuch,userPassword,unicodePwd", "mail"},
		{true, "mail,memberof", "mail,memberOf"},
		{true, "mail,mail", "mail"},
		{true, "1.1,cn", "cn"},
		{true, "canonicalName", "canonicalName"},
		{true, "*,canonicalName", "accountExpires,canonicalName,cn,department,displayName,distinguishedName,employeeNumber,givenName,mail,memberOf,name,objectCategory,objectClass,objectGUID,objectSid,primaryGroupID,pwdLastSet,sAMAccountName,sn,telephoneNumber,thumbnailPhoto,title,uid,userAccountControl,userPrincipalName,whenChanged,whenCreated"},
		{false, "+", "canonicalName,entryDN,entryUUID,memberOf"},
		{false, "cn,entryUUID", "cn,entryUUID"},
		{false, "", "accountExpires,cn,department,displayName,employeeNumber,givenName,mail,objectCategory,objectClass,objectGUID,objectSid,primaryGroupID,pwdLastSet,sAMAccountName,sn,telephoneNumber,thumbnailPhoto,title,uid,userAccountControl,userPrincipalName,whenChanged,whenCreated"},
	} {
		d := startDirectory(t, DirectoryOptions{Traits: Traits{ActiveDirectory: tt.ad}})
		var attrs []string
		if tt.ask != "" {
			attrs = strings.Split(tt.ask, ",")
		}
		es := ask(t, bindDirectory(t, d), d, "(uid=alice)", attrs...)
		var got []string
		for _, a := range es[0].Attributes {
			got = append(got, a.Name)
		}
		slices.Sort(got)
		if strings.Join(got, ",") != tt.want {
			t.Errorf("ad=%v %q:\n got %s\nwant %s", tt.ad, tt.ask, strings.Join(got, ","), tt.want)
		}
	}
	d := startDirectory(t, DirectoryOptions{Traits: adTraits})
	c := bindDirectory(t, d)
	res, err := c.Search(ldap.NewSearchRequest("CN=Alice Adams,OU=Users,DC=example,DC=test", 0, 0, 0, 0, true, "(cn=*)", []string{"cn"}, nil))
	if err != nil || len(res.Entries) != 1 || len(res.Entries[0].Attributes) != 1 || len(res.Entries[0].Attributes[0].Values) != 0 {
		t.Errorf("types only: %v %v", res, err)
	}
	res, err = c.Search(ldap.NewSearchRequest("CN=Alice Adams,OU=Users,DC=example,DC=test", 0, 0, 0, 0, false, "(cn=*)", []string{"tokenGroups"}, nil))
	if err != nil || len(res.Entries[0].GetRawAttributeValues("tokenGroups")) != 3 {
		t.Errorf("tokenGroups: %v %v", res, err)
	}
}

func TestRanges(t *testing.T) {
	d := startDirectory(t, DirectoryOptions{Traits: adTraits, Users: 1000}) // ten in each team
	c := bindDirectory(t, d)
	get := func(want string, attr ...string) *ldap.Entry {
		e := ask(t, c, d, "(cn=Team 07)", attr...)[0]
		var got []string
		for _, a := range e.Attributes {
			got = append(got, fmt.Sprintf("%s(%d)", a.Name, len(a.Values)))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%v: %v, want %s", attr, got, want)
		}
		return e
	}
	get("member(10)", "member")
	get("member;range=0-3(4)", "member;range=0-3")
	get("member;range=8-*(2)", "member;range=8-11")
	get("member;range=4-*(6)", "Member;Range=4-*")
	get("", "member;range=10-*")
	get("member(10)", "member;range=bad")
	d.SetTraits(Traits{ActiveDirectory: true, RangeSize: 4})
	get("member(0) member;range=0-3(4)", "member")
	get("member;range=4-7(4)", "member;range=4-*")
	get("member;range=8-*(2)", "member;range=8-*")
}

func TestLimits(t *testing.T) {
	d := startDirectory(t, DirectoryOptions{Traits: Traits{ActiveDirectory: true, MaxEntries: 30}, Users: 100})
	c := bindDirectory(t, d)
	for _, tt := range []struct {
		filter          string
		size, code, got int
	}{
		{"(sn=last*)", 0, 4, 30},
		{"(sn=last*)", 7, 4, 7},
		{"(sn=last0000*)", 10, 0, 10},
		{"(sn=last0000*)", 0, 0, 10},
	} {
		res, err := c.Search(ldap.NewSearchRequest(d.BaseDN(), 2, 0, tt.size, 0, false, tt.filter, []string{"cn"}, nil))
		if code, _ := ldapCode(t, err); code != tt.code || len(res.Entries) != tt.got {
			t.Errorf("%s size %d: code %d, %d entries", tt.filter, tt.size, code, len(res.Entries))
		}
	}
	res, err := c.SearchWithPaging(ldap.NewSearchRequest(d.BaseDN(), 2, 0, 0, 0, false, "(sn=last*)", []string{"cn"}, nil), 500)
	if err != nil || len(res.Entries) != 100 {
		t.Errorf("paged: %d %v", len(res.Entries), err)
	}
	res, err = c.SearchWithPaging(ldap.NewSearchRequest(d.BaseDN(), 2, 0, 45, 0, false, "(sn=last*)", []string{"cn"}, nil), 20)
	if code, _ := ldapCode(t, err); code != 4 {
		t.Errorf("paged with a size limit: %d %v", len(res.Entries), err)
	}
}

func TestPaging(t *testing.T) {
	d := startDirectory(t, DirectoryOptions{Traits: adTraits, Users: 100})
	c := bindDirectory(t, d)
	page := func(c *ldap.Conn, size uint32, cookie []byte) (int, []byte, int) {
		k := ldap.NewControlPaging(size)
		k.SetCookie(cookie)
		res, err := c.Search(ldap.NewSearchRequest(d.BaseDN(), 2, 0, 0, 0, false, "(sn=last*)", []string{"cn"}, []ldap.Control{k}))
		code, _ := ldapCode(t, err)
		if code != 0 {
			return 0, nil, code
		}
		return len(res.Entries), ldap.FindControl(res.Controls, ldap.ControlTypePaging).(*ldap.ControlPaging).Cookie, 0
	}
	n, cookie, code := page(c, 60, nil)
	if n != 60 || len(cookie) == 0 || code != 0 {
		t.Fatal(n, cookie, code)
	}
	if _, _, code := page(bindDirectory(t, d), 60, cookie); code != 53 {
		t.Errorf("cookie of another connection: %d", code)
	}
	if n, rest, code := page(c, 60, cookie); n != 40 || len(rest) != 0 || code != 0 {
		t.Error(n, rest, code)
	}
	if _, _, code := page(c, 60, cookie); code != 53 {
		t.Errorf("cookie used twice: %d", code)
	}
	_, cookie, _ = page(c, 60, nil)
	if n, rest, code := page(c, 0, cookie); n != 0 || len(rest) != 0 || code != 0 {
		t.Errorf("given up: %d %q %d", n, rest, code)
	}
	if _, _, code := page(c, 60, cookie); code != 53 {
		t.Errorf("cookie given up: %d", code)
	}
	_, cookie, _ = page(c, 60, nil)
	if err := c.Bind(d.BindUser(), d.BindPassword()); err != nil {
		t.Fatal(err)
	}
	if _, _, code := page(c, 60, cookie); code != 53 {
		t.Errorf("cookie of who was bound before: %d", code)
	}
	for range 2 * ldapMaxCursors { // they are bounded, and the newest is good
		_, cookie, _ = page(c, 60, nil)
	}
	if n, _, _ := page(c, 60, cookie); n != 40 {
		t.Errorf("%d after many searches", n)
	}
}

func TestControls(t *testing.T) {
	d := startDirectory(t, DirectoryOptions{Traits: adTraits})
	c := bindDirectory(t, d)
	with := func(k ldap.Control) int {
		_, err := c.Search(ldap.NewSearchRequest(d.BaseDN(), 0, 0, 0, 0, false, "(dc=*)", nil, []ldap.Control{k}))
		code, _ := ldapCode(t, err)
		return code
	}
	if code := with(ldap.NewControlString("1.2.3.4", true, "")); code != 12 {
		t.Errorf("unknown and critical: %d", code)
	}
	if code := with(ldap.NewControlString("1.2.3.4", false, "")); code != 0 {
		t.Errorf("unknown: %d", code)
	}
	if code := with(ldap.NewControlManageDsaIT(true)); code != 0 {
		t.Errorf("known: %d", code)
	}
	if code := with(ldap.NewControlString(ldap.ControlTypePaging, true, "x")); code != 2 {
		t.Errorf("malformed paging: %d", code)
	}
}

func TestReferencesAndRootDSE(t *testing.T) {
	refs := []string{"ldap://corp.example.test/CN=Configuration,DC=example,DC=test"}
	d := startDirectory(t, DirectoryOptions{Traits: Traits{ActiveDirectory: true, References: refs}})
	c := bindDirectory(t, d)
	for base, want := range map[string]int{d.BaseDN(): 1, "OU=Users," + d.BaseDN(): 0} {
		res, err := c.Search(ldap.NewSearchRequest(base, 2, 0, 0, 0, false, "(uid=alice)", nil, nil))
		if err != nil || len(res.Referrals) != want || len(res.Entries) != 1 {
			t.Errorf("%s: %v %v", base, res, err)
		}
	}
	root := func(attrs ...string) *ldap.Entry {
		res, err := c.Search(ldap.NewSearchRequest("", 0, 0, 0, 0, false, "(objectClass=*)", attrs, nil))
		if err != nil {
			t.Fatal(err)
		}
		if len(res.Entries) == 0 {
			return ldap.NewEntry("", nil)
		}
		return res.Entries[0]
	}
	ad := root()
	if ad.GetAttributeValue("defaultNamingContext") != d.BaseDN() || !slices.Contains(ad.GetAttributeValues("supportedCapabilities"), "1.2.840.113556.1.4.800") {
		t.Errorf("%v", ad)
	}
	d.SetTraits(Traits{})
	if e := root(); len(e.Attributes) != 1 || e.GetAttributeValue("objectClass") == "" {
		t.Errorf("all but operational: %v", e)
	}
	if e := root("+", "namingcontexts"); e.GetAttributeValue("namingContexts") != d.BaseDN() || e.GetAttributeValue("supportedLDAPVersion") != "3" {
		t.Errorf("operational: %v", e)
	}
}
