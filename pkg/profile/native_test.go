package profile

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/identity"
)

// entry builds an entry from name, value pairs; a name that repeats in a row
// gets several values, "name!" none.
func entry(dn string, pairs ...string) *identity.Entry {
	e := &identity.Entry{DN: dn}
	for i := 0; i < len(pairs); i += 2 {
		name, none := strings.CutSuffix(pairs[i], "!")
		if n := len(e.Attributes); n > 0 && e.Attributes[n-1].Name == name {
			e.Attributes[n-1].Values = append(e.Attributes[n-1].Values, []byte(pairs[i+1]))
			continue
		}
		a := identity.Attribute{Name: name}
		if !none {
			a.Values = [][]byte{[]byte(pairs[i+1])}
		}
		e.Attributes = append(e.Attributes, a)
	}
	return e
}

func labels(texts ...string) []identity.Group {
	groups := []identity.Group{}
	for _, text := range texts {
		label := json.RawMessage(text)
		if !json.Valid(label) {
			label, _ = json.Marshal(text) // a string always marshals
		}
		groups = append(groups, identity.Group{Label: label})
	}
	return groups
}

// alice is the user of an Active Directory as the existing connector met her.
func alice() *identity.Entry {
	return entry("CN=alice Person,OU=Users,DC=corp,DC=test",
		"objectClass", "top", "objectClass", "person", "objectClass", "organizationalPerson", "objectClass", "user",
		"objectCategory", "person", "cn", "alice Person", "sn", "Person", "givenName", "alice",
		"displayName", "alice Person", "sAMAccountName", "alice", "sAMAccountType", "805306368",
		"userPrincipalName", "alice@corp.test", "distinguishedName", "CN=alice Person,OU=Users,DC=corp,DC=test",
		"mail", "alice@corp.test", "mailNickname", "alice", "department", "R&D", "company", "Corp", "co", "Nowhere",
		"manager", "CN=boss Person,OU=Users,DC=corp,DC=test", "objectGUID", "9b8f8479-b0a5-c6bb-d1dc-e7f2fd08131e",
		"objectSid", "S-1-5-21-2760448373-3043275772-2455121042-1001",
		"thumbnailPhoto", "\xff\xd8\xff\xe0\x00\x10JF", "memberOf", "CN=Platform,OU=Groups,DC=corp,DC=test",
		"memberOf", "CN=Staff,OU=Groups,DC=corp,DC=test")
}

// user42 is a user of an OpenLDAP as the existing connector met them.
func user42() *identity.Entry {
	return entry("uid=user00042,ou=people,dc=lab,dc=test",
		"objectClass", "inetOrgPerson", "uid", "user00042", "cn", "User 00042", "sn", "Number00042",
		"givenName", "Given42", "displayName", "Given42 Number00042", "mail", "user00042@lab.test",
		"telephoneNumber", "+1 555 00042", "postalCode", "98004", "st", "WA", "description", "employee 42")
}

const (
	aliceProfile = `{"id":"9b8f8479-b0a5-c6bb-d1dc-e7f2fd08131e","displayName":"alice Person","name":{"familyName":"Person","givenName":"alice"},"nickname":"alice","groups":["Everyone","Staff"],"emails":[{"value":"alice@corp.test"}],"dn":"CN=alice Person,OU=Users,DC=corp,DC=test","distinguishedName":"CN=alice Person,OU=Users,DC=corp,DC=test","co":"Nowhere","department":"R&D","company":"Corp","mailNickname":"alice","sAMAccountName":"alice","sAMAccountType":"805306368","userPrincipalName":"alice@corp.test","manager":"CN=boss Person,OU=Users,DC=corp,DC=test","organizationUnits":"CN=alice Person,OU=Users,DC=corp,DC=test"}`
	// The two answers that the existing connector gave for the OpenLDAP user,
	// with names and with objects for groups.
	user42Head    = `{"id":"user00042","displayName":"Given42 Number00042","name":{"familyName":"Number00042","givenName":"Given42"},"nickname":"User 00042","groups":`
	user42Tail    = `,"emails":[{"value":"user00042@lab.test"}],"dn":"uid=user00042,ou=people,dc=lab,dc=test","st":"WA","description":"employee 42","postalCode":"98004","telephoneNumber":"+1 555 00042","organizationUnits":"uid=user00042,ou=people,dc=lab,dc=test"}`
	user42Names   = `["team-041","project-090","all-staff"]`
	user42Objects = `[{"cn":"team-041","dn":"cn=team-041,ou=groups,dc=lab,dc=test","memberOf":"cn=dept-01,ou=groups,dc=lab,dc=test"},{"cn":"project-090","dn":"cn=project-090,ou=groups,dc=lab,dc=test"},{"cn":"all-staff","dn":"cn=all-staff,ou=groups,dc=lab,dc=test"}]`
)

// mappings are what the existing connector's default mapper makes of entries.
var mappings = []struct {
	name   string
	entry  *identity.Entry
	groups []identity.Group
	units  Units
	want   string
}{
	{"active directory", alice(), labels("Everyone", "Staff"), UnitsDN, aliceProfile},
	{"openldap", user42(), labels("team-041", "project-090", "all-staff"), UnitsDN, user42Head + user42Names + user42Tail},
	{"groups as objects", user42(), labels(`{"cn":"team-041","dn":"cn=team-041,ou=groups,dc=lab,dc=test","memberOf":"cn=dept-01,ou=groups,dc=lab,dc=test"}`,
		`{"cn":"project-090","dn":"cn=project-090,ou=groups,dc=lab,dc=test"}`, `{"cn":"all-staff","dn":"cn=all-staff,ou=groups,dc=lab,dc=test"}`),
		UnitsDN, user42Head + user42Objects + user42Tail},
	{"nothing known", entry("cn=x"), nil, UnitsDN, `{"name":{},"dn":"cn=x","organizationUnits":"cn=x"}`},
	{"no groups is not unknown groups", entry("cn=x"), labels(), "", `{"name":{},"groups":[],"dn":"cn=x","organizationUnits":"cn=x"}`},
	{"units as a list", entry(`cn=x,OU=Staff\, Inc,ou=People,dc=org`), nil, UnitsList,
		`{"name":{},"dn":"cn=x,OU=Staff\\, Inc,ou=People,dc=org","organizationUnits":["Staff, Inc","People"]}`},
	{"several values", entry("", "mail", "a@x", "mail", "b@x", "sn", "A", "sn", "B", "cn", "c"), nil, "",
		`{"id":"c","name":{"familyName":["A","B"]},"nickname":"c","emails":[{"value":["a@x","b@x"]}],"dn":"","organizationUnits":""}`},
	{"no values is an array, which is true", entry("", "mail!", "", "objectGUID!", "", "uid", "u"), nil, "",
		`{"id":[],"name":{},"emails":[{"value":[]}],"dn":"","organizationUnits":""}`},
	{"an empty string is false", entry("", "mail", "", "objectGUID", "", "uid", "", "cn", "", "sAMAccountName", ""), nil, "",
		`{"id":"","name":{},"dn":"","sAMAccountName":"","organizationUnits":""}`},
	{"the last of the alternatives stands", entry("", "commonName", ""), nil, "", `{"name":{},"nickname":"","dn":"","organizationUnits":""}`},
	{"case counts", entry("", "CN", "x", "Mail", "m", "samaccountname", "s"), nil, "", `{"name":{},"dn":"","organizationUnits":""}`},
	{"the last of two counts", entry("", "cn", "a", "sn", "s", "cn", "b"), nil, "",
		`{"id":"b","name":{"familyName":"s"},"nickname":"b","dn":"","organizationUnits":""}`},
	{"attributes named like our own", entry("cn=x", "dn", "cn=y", "groups", "g"), nil, "",
		`{"name":{},"groups":"g","dn":"cn=y","organizationUnits":"cn=x"}`},
	{"asked groups win", entry("cn=x", "groups", "g"), labels("h"), "", `{"name":{},"groups":["h"],"dn":"cn=x","organizationUnits":"cn=x"}`},
	{"text is escaped as JSON.stringify does", entry("", "cn", "<&>\u2028\x7f\"\\/\b\f\n\r\t\x01\x1f\U0001F600"), labels("R\u0026D <x> \u2028\""), "",
		`{"id":"<&>` + "\u2028\x7f" + `\"\\/\b\f\n\r\t\u0001\u001f` + "\U0001F600" + `","name":{},"nickname":"<&>` + "\u2028\x7f" + `\"\\/\b\f\n\r\t\u0001\u001f` + "\U0001F600" +
			`","groups":["R&D <x> ` + "\u2028" + `\""],"dn":"","organizationUnits":""}`},
	{"octets that are no text", entry("", "sn", "a\xe2\x82b\xff\xed\xa0\x80\xf0\x9f\x98"), nil, "",
		`{"name":{"familyName":"a` + "\ufffd" + `b` + strings.Repeat("\ufffd", 5) + `"},"dn":"","organizationUnits":""}`},
}

func TestNative(t *testing.T) {
	for _, tt := range mappings {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Native(tt.units).Map(t.Context(), tt.entry, tt.groups, identity.Active)
			if err != nil {
				t.Fatal(err)
			}
			if p.String() != tt.want {
				t.Errorf("got  %s\nwant %s", p, tt.want)
			}
		})
	}
}

func TestNativeHonoursTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Native("").Map(ctx, alice(), nil, ""); err != context.Canceled {
		t.Errorf("err = %v", err)
	}
}

// A directory client that gives a group no proper label makes that login an
// error, not a frame that the tenant cannot parse.
func TestNativeRefusesLabelsThatAreNoJSON(t *testing.T) {
	if p, err := Native("").Map(t.Context(), alice(), []identity.Group{{Label: json.RawMessage(`"x`)}}, ""); err == nil {
		t.Errorf("got %s", p)
	}
	p, err := Native("").Map(t.Context(), entry(""), []identity.Group{{}}, "")
	if want := `{"name":{},"groups":[null],"dn":"","organizationUnits":""}`; err != nil || p.String() != want {
		t.Errorf("got %s, %v", p, err)
	}
}

func BenchmarkNative(b *testing.B) {
	user, groups, m := alice(), labels("Everyone", "Staff", "Engineering", "Platform"), Native(UnitsDN)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Map(b.Context(), user, groups, identity.Active); err != nil {
			b.Fatal(err)
		}
	}
}
