package sandbox

import (
	"encoding/binary"
	"strconv"
	"strings"
)

// schemaSyntax says how values of an attribute compare.
type schemaSyntax uint8

const (
	syntaxText     schemaSyntax = iota // case and repeated spaces do not matter
	syntaxExact                        // case matters
	syntaxDN                           // distinguished names
	syntaxInteger                      // whole numbers
	syntaxOctets                       // bytes
	syntaxSID                          // bytes that may be asked for as S-1-...
	syntaxCategory                     // a DN of the schema, or its short name
)

// schemaKind says where the values of an attribute come from.
type schemaKind uint8

const (
	kindStored schemaKind = iota
	kindHidden            // stored, never shown nor matched: passwords
	kindMemberOf
	kindDN
	kindCanonicalName
	kindTokenGroups
	kindUUID
	kindRDN
	kindANR // the ambiguous name resolution of Active Directory; filters only
)

// schemaType is an attribute type.
type schemaType struct {
	name        string
	syntax      schemaSyntax
	kind        schemaKind
	operational bool // only shown when asked for by name or "+"
	single      bool // has at most one value
	index       int  // number of its equality index, -1 for none
}

// schema knows the attribute types of one directory. It grows while entries are
// loaded, and is fixed from then on.
type schema struct {
	types   map[string]*schemaType // by lower-case name
	indexes int
	base    string // the base DN, normalised
}

func newSchema() *schema {
	s := &schema{types: map[string]*schemaType{}}
	add := func(syntax schemaSyntax, kind schemaKind, names string) {
		for _, name := range strings.Fields(names) {
			t := &schemaType{syntax: syntax, kind: kind, index: -1}
			t.name, t.single = strings.CutSuffix(name, "!")
			t.name, t.operational = strings.CutPrefix(t.name, "-")
			var indexed bool
			if t.name, indexed = strings.CutPrefix(t.name, "@"); indexed {
				t.index = s.indexes
				s.indexes++
			}
			s.types[strings.ToLower(t.name)] = t
		}
	}
	// "!" has one value, "-" is operational, "@" is indexed.
	add(syntaxText, kindStored, `objectClass @cn sn givenName displayName @uid @sAMAccountName! @userPrincipalName! @mail
		proxyAddresses description department! title company! telephoneNumber mobile o ou dc l st postalCode street
		streetAddress! c! co! initials employeeID! employeeNumber! employeeType physicalDeliveryOfficeName! info! url
		wWWHomePage! servicePrincipalName homeDirectory! uidObject preferredLanguage!`)
	add(syntaxDN, kindStored, "@member @uniqueMember manager! managedBy! owner seeAlso secretary roleOccupant -pwdPolicySubentry!")
	add(syntaxInteger, kindStored, `userAccountControl! accountExpires! pwdLastSet! lockoutTime! badPwdCount! groupType!
		primaryGroupID! instanceType! uidNumber! gidNumber! maxPwdAge! minPwdLength! lockoutDuration! uSNChanged! uSNCreated!
		logonCount! lastLogonTimestamp! sAMAccountType!`)
	add(syntaxText, kindStored, "whenCreated! whenChanged! -createTimestamp! -modifyTimestamp! -pwdChangedTime! -pwdAccountLockedTime! -pwdReset!")
	add(syntaxOctets, kindStored, "@objectGUID! thumbnailPhoto! jpegPhoto userCertificate logonHours!")
	add(syntaxSID, kindStored, "@objectSid! sIDHistory")
	add(syntaxCategory, kindStored, "objectCategory!")
	add(syntaxExact, kindStored, "gecos! loginShell! userWorkstations!")
	add(syntaxExact, kindHidden, "userPassword unicodePwd!")
	add(syntaxDN, kindMemberOf, "memberOf")
	add(syntaxDN, kindDN, "distinguishedName! -entryDN!")
	add(syntaxText, kindCanonicalName, "-canonicalName!")
	add(syntaxSID, kindTokenGroups, "-tokenGroups")
	add(syntaxText, kindUUID, "-entryUUID!")
	add(syntaxText, kindRDN, "name!")
	add(syntaxText, kindANR, "-anr!")
	for alias, name := range dnAliases {
		if t := s.types[name]; t != nil {
			s.types[alias] = t
		}
	}
	return s
}

// lookup finds a type by name, OID or with options ("cn;lang-de"); nil when it
// is not known.
func (s *schema) lookup(name string) *schemaType {
	name, _, _ = strings.Cut(name, ";")
	return s.types[strings.ToLower(name)]
}

// learn finds a type, or makes one for text. For loading only.
func (s *schema) learn(name string) *schemaType {
	if t := s.lookup(name); t != nil {
		return t
	}
	name, _, _ = strings.Cut(name, ";")
	t := &schemaType{name: name, index: -1}
	s.types[strings.ToLower(name)] = t
	return t
}

// normalise gives the form in which equal values are the same string. It
// reports false for what is no value of the type.
func (s *schema) normalise(t *schemaType, v string) (string, bool) {
	switch t.syntax {
	case syntaxText:
		return foldText(v), true
	case syntaxDN:
		norm, err := normaliseDN(v)
		return norm, err == nil
	case syntaxInteger:
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return "", false
		}
		return strconv.FormatInt(n, 10), true
	case syntaxSID:
		if strings.HasPrefix(v, "S-1-") {
			return sidFromText(v)
		}
	case syntaxCategory:
		return s.category(v)
	}
	return v, true
}

// schemaCategories are the schema's own names of classes, where they differ.
var schemaCategories = map[string]string{
	"user": "person", "inetorgperson": "person", "organizationalunit": "organizational-unit", "domaindns": "domain-dns",
}

// schemaSuperiors are the classes above those that occur in directories of
// people (RFC 4519, RFC 2798, RFC 2307; user and computer are Active
// Directory's). What is not named here is right below top.
var schemaSuperiors = map[string]string{
	"organizationalperson": "person", "inetorgperson": "organizationalperson", "residentialperson": "person",
	"user": "organizationalperson", "computer": "user", "domaindns": "domain",
}

// belowClass reports whether a class lies below another (RFC 4512, section
// 2.4.1). Both are normalised.
func belowClass(class, superior string) bool {
	if superior == "top" {
		return true
	}
	for class != "" {
		if class = schemaSuperiors[class]; class == superior {
			return class != ""
		}
	}
	return false
}

// category normalises an objectCategory: (objectCategory=person) asks for the
// DN of that class in the schema.
func (s *schema) category(v string) (string, bool) {
	if strings.Contains(v, "=") {
		norm, err := normaliseDN(v)
		return norm, err == nil
	}
	name := foldText(v)
	if other, ok := schemaCategories[name]; ok {
		name = other
	}
	return "cn=" + escapeDN(name) + ",cn=schema,cn=configuration," + s.base, true
}

// sidFromText gives the bytes of a security identifier (MS-DTYP, section 2.4.2).
func sidFromText(s string) (string, bool) {
	parts := strings.Split(s, "-")
	if len(parts) < 3 || len(parts) > 18 || parts[0] != "S" || parts[1] != "1" {
		return "", false
	}
	authority, err := strconv.ParseUint(parts[2], 10, 48)
	if err != nil {
		return "", false
	}
	b := binary.BigEndian.AppendUint64(nil, authority)
	b[0], b[1] = 1, byte(len(parts)-3)
	for _, p := range parts[3:] {
		sub, err := strconv.ParseUint(p, 10, 32)
		if err != nil {
			return "", false
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(sub))
	}
	return string(b), true
}
