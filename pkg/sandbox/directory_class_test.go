package sandbox

import (
	"strings"
	"testing"
)

// An entry is of its class and of all classes above it (RFC 4512, section
// 2.4.2), whether its file says so or not.
func TestSuperiorClasses(t *testing.T) {
	d := startDirectory(t, DirectoryOptions{LDIF: strings.NewReader(`dn: dc=lab,dc=test
objectClass: dcObject
objectClass: organization
dc: lab

dn: uid=inet,dc=lab,dc=test
objectClass: inetOrgPerson
uid: inet

dn: uid=org,dc=lab,dc=test
objectClass: organizationalPerson
uid: org

dn: uid=user,dc=lab,dc=test
objectClass: USER
uid: user

dn: uid=posix,dc=lab,dc=test
objectClass: account
objectClass: posixAccount
uid: posix

dn: cn=group,dc=lab,dc=test
objectClass: groupOfNames
cn: group
member: uid=inet,dc=lab,dc=test
`)})
	c := bindDirectory(t, d)
	for filter, want := range map[string]string{
		"(objectClass=person)":                                          "inet|org|user|connector",
		"(objectClass=PERSON)":                                          "inet|org|user|connector",
		"(objectClass~=person)":                                         "inet|org|user|connector",
		"(objectClass=organizationalPerson)":                            "inet|org|user|connector",
		"(objectClass=inetOrgPerson)":                                   "inet|connector",
		"(objectClass=user)":                                            "user|connector",
		"(&(!(objectClass=person))(|(cn=*)(uid=*)))":                    "posix|group",
		"(&(objectClass=top)(|(uid=posix)(uid=inet)(cn=group)))":        "inet|posix|group",
		"(objectClass=noSuchClass)":                                     "",
		"(objectClass=perso*)":                                          "connector", // a part of a name is no class
		"(&(objectClass=groupOfNames)(member=uid=inet,dc=lab,dc=test))": "group",
	} {
		if got := names(ask(t, c, d, filter)); got != want {
			t.Errorf("%s\n got %s\nwant %s", filter, got, want)
		}
	}
	if got := ask(t, c, d, "(uid=inet)")[0].GetAttributeValues("objectClass"); len(got) != 1 {
		t.Errorf("classes are shown that the entry does not name: %q", got)
	}
}
