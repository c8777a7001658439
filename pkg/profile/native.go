package profile

import (
	"context"

	"ad-ldap-connector/pkg/identity"
)

// Native returns the default mapping, done in Go: the same bytes that the
// default script gives, without a script. It is safe for concurrent use.
func Native(u Units) identity.Mapper { return native{u} }

type native struct{ units Units }

var _ identity.Mapper = native{}

// The attributes that the default mapping reads.
const (
	cn = iota
	commonName
	company
	department
	description
	displayName
	distinguishedName
	dn
	co
	givenName
	groupsAttribute
	mail
	mailNickname
	manager
	objectGUID
	postalCode
	sAMAccountName
	sAMAccountType
	sn
	st
	telephoneNumber
	uid
	userPrincipalName
	attributes // how many
)

// members are the profile's members after emails, in their order on the wire.
var members = [...]struct {
	name      string
	attribute int
}{
	{"st", st}, {"description", description}, {"postalCode", postalCode},
	{"telephoneNumber", telephoneNumber}, {"distinguishedName", distinguishedName}, {"co", co},
	{"department", department}, {"company", company}, {"mailNickname", mailNickname},
	{"sAMAccountName", sAMAccountName}, {"sAMAccountType", sAMAccountType},
	{"userPrincipalName", userPrincipalName}, {"manager", manager},
}

// index returns the number of an attribute that the mapping reads. Names are
// compared with case: the script it stands for does so.
func index(name string) int {
	switch name {
	case "cn":
		return cn
	case "commonName":
		return commonName
	case "company":
		return company
	case "department":
		return department
	case "description":
		return description
	case "displayName":
		return displayName
	case "distinguishedName":
		return distinguishedName
	case "dn":
		return dn
	case "co":
		return co
	case "givenName":
		return givenName
	case "groups":
		return groupsAttribute
	case "mail":
		return mail
	case "mailNickname":
		return mailNickname
	case "manager":
		return manager
	case "objectGUID":
		return objectGUID
	case "postalCode":
		return postalCode
	case "sAMAccountName":
		return sAMAccountName
	case "sAMAccountType":
		return sAMAccountType
	case "sn":
		return sn
	case "st":
		return st
	case "telephoneNumber":
		return telephoneNumber
	case "uid":
		return uid
	case "userPrincipalName":
		return userPrincipalName
	}
	return -1
}

// Map returns the profile of user.
func (n native) Map(ctx context.Context, user *identity.Entry, groups []identity.Group, _ identity.Status) (identity.Profile, error) {
	if err := ctx.Err(); err != nil {
		return identity.Profile{}, err
	}
	var found [attributes]*identity.Attribute
	for i := range user.Attributes {
		if at := index(user.Attributes[i].Name); at >= 0 {
			found[at] = &user.Attributes[i] // of two, the last counts
		}
	}
	p := object{b: make([]byte, 0, 1024)}
	p.begin()
	p.member("id", either(found[objectGUID], found[uid], found[cn]))
	p.member("displayName", found[displayName])
	p.name("name")
	p.begin()
	p.member("familyName", found[sn])
	p.member("givenName", found[givenName])
	p.end()
	p.member("nickname", either(found[sAMAccountName], found[cn], found[commonName]))
	if groups != nil {
		p.name("groups")
		p.b = appendGroups(p.b, groups)
	} else {
		p.member("groups", found[groupsAttribute])
	}
	if truthy(found[mail]) {
		p.name("emails")
		p.b = append(p.b, '[')
		p.begin()
		p.member("value", found[mail])
		p.end()
		p.b = append(p.b, ']')
	}
	if found[dn] != nil {
		p.member("dn", found[dn])
	} else {
		p.name("dn")
		p.b = appendString(p.b, user.DN)
	}
	for _, m := range members {
		p.member(m.name, found[m.attribute])
	}
	p.name("organizationUnits")
	p.b = appendUnits(p.b, n.units, user.DN)
	p.end()
	return identity.ParseProfile(p.b)
}

// either is JavaScript's a || b || c: the first that counts as true, else the
// last, whatever it is.
func either(choices ...*identity.Attribute) *identity.Attribute {
	for _, a := range choices[:len(choices)-1] {
		if truthy(a) {
			return a
		}
	}
	return choices[len(choices)-1]
}

// truthy is JavaScript's idea of what an attribute becomes: undefined and the
// empty string are false, and any array is true.
func truthy(a *identity.Attribute) bool {
	return a != nil && (len(a.Values) != 1 || len(a.Values[0]) > 0)
}

// An object is JSON under way.
type object struct {
	b     []byte
	comma bool // the next member needs one
}

func (o *object) begin() {
	o.b = append(o.b, '{')
	o.comma = false
}

func (o *object) end() {
	o.b = append(o.b, '}')
	o.comma = true
}

func (o *object) name(name string) {
	if o.comma {
		o.b = append(o.b, ',')
	}
	o.comma = true
	o.b = append(o.b, '"')
	o.b = append(o.b, name...)
	o.b = append(o.b, '"', ':')
}

// member appends an attribute under its name; undefined ones vanish.
func (o *object) member(name string, a *identity.Attribute) {
	if a == nil {
		return
	}
	o.name(name)
	o.b = appendValues(o.b, a.Values, appendString[[]byte])
}
