package lab

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf16"
)

// The users of Active Directory whom it refuses, right password or not. They
// are in OU=special and have SpecialPassword.
const (
	LockedUser      = "ad-locked"
	DisabledUser    = "ad-disabled"
	ExpiredUser     = "ad-expired" // the account
	StaleUser       = "ad-stale"   // the password
	MustChangeUser  = "ad-mustchange"
	HoursUser       = "ad-hours"       // outside the logon hours
	WorkstationUser = "ad-workstation" // not from here
)

// SambaCode is what a domain controller says of each user it refuses: a Win32 error
// code, in hexadecimal.
var SambaCode = map[string]string{
	LockedUser: "775", DisabledUser: "533", ExpiredUser: "701", StaleUser: "532",
	MustChangeUser: "773", HoursUser: "530", WorkstationUser: "531",
}

// TangledName is the name of the user "tangled", whose password is
// TangledPassword, and of a group, with all that a DN escapes.
const (
	TangledName     = `Müller, Jörg (Ext\ern) "Q" #1 + <x>; 😀`
	TangledPassword = "Pässw0rd!1"
)

// ADUsers is how many generated users (user00001 ...) ADPeople has.
const ADUsers = 60

// ADPeople is People as Active Directory has them, and what only it has, as
// LDIF with passwords in clear (userPassword). Who logs in is found by uid, for
// its own names of accounts may not hold all the others.
func ADPeople() string {
	l := &ldif{}
	l.entry(adBaseDN, "objectClass", "domainDNS", "dc", "corp", "maxPwdAge", adMaxAge)
	people, states, aged := adPeople(func(password string) (string, string) { return "userPassword", password })
	l.WriteString(people + adGroups() + states + aged)
	l.change(adUserDN(LockedUser), "lockoutTime", longAgo)
	return l.String()
}

// adBaseDN is the domain of ADPeople.
const adBaseDN = "DC=corp,DC=example,DC=test"

// ADUserDN is the DN of the i-th generated user, from 1.
func ADUserDN(i int) string { return fmt.Sprintf("CN=User %05d,OU=people,%s", i, adBaseDN) }

// adUserDN is the DN of a user who is not generated.
func adUserDN(cn string) string { return "CN=" + rdnValue(cn) + ",OU=special," + adBaseDN }

// longAgo is a day in 2019, in units of 100 ns since 1601; adMaxAge is 1,000
// days, after which a password expires: seeds are kept long.
const (
	longAgo  = "132000000000000000"
	adMaxAge = "-864000000000000"
)

// An adBuilder builds LDIF of users. Password says how a password is written:
// as an attribute and its value.
type adBuilder struct {
	ldif
	password func(string) (attribute, value string)
}

// adPeople returns the users, the modifications that put some of them into
// their states, and those of times that are the server's to set.
func adPeople(password func(string) (attribute, value string)) (people, states, aged string) {
	b := &adBuilder{password: password}
	for _, ou := range []string{"people", "people2", "special", "locked", "groups", "service", "bulk"} {
		b.entry("OU="+ou+","+adBaseDN, "objectClass", "organizationalUnit", "ou", ou)
	}
	for i := 1; i <= ADUsers; i++ {
		uid := User(i)
		b.user("people", fmt.Sprintf("User %05d", i), uid, Password(i), "userPrincipalName", uid+"@"+sambaDomain,
			"givenName", fmt.Sprintf("Given%d", i%997), "sn", fmt.Sprintf("Number%05d", i), "mail", uid+"@lab.test",
			"telephoneNumber", fmt.Sprintf("+1 555 %05d", i))
	}
	b.specials()
	return b.String(), adStates(), agedState()
}

// user adds a user.
func (b *adBuilder) user(ou, cn, uid, password string, more ...string) {
	attribute, value := b.password(password)
	b.entry("CN="+rdnValue(cn)+",OU="+ou+","+adBaseDN, append([]string{"objectClass", "user", "cn", cn, "uid", uid,
		"sAMAccountName", accountName(ou, uid), "displayName", cn, "userAccountControl", "512", attribute, value}, more...)...)
}

// accountName is a sAMAccountName: the uid, or another where that is not
// allowed or not unique.
func accountName(ou, uid string) string {
	if strings.ContainsAny(uid, `"[]:;|=+*?<>/\,`) || ou == "people2" {
		return fmt.Sprintf("%x", []byte(uid)[:min(10, len(uid))])
	}
	return uid
}

// specials adds the users whose names, passwords or states are unusual.
func (b *adBuilder) specials() {
	for _, uid := range append(slices.Clone(Hostile), slices.Sorted(maps.Keys(SambaCode))...) {
		b.user("special", uid, uid, SpecialPassword)
	}
	photo := string([]byte{0xff, 0xd8, 0, 1, 2, 0xfe})
	b.user("special", "multi", "multi", SpecialPassword, "mail", "m1@lab.test", "otherMailbox", "m1@lab.test",
		"otherMailbox", "m2@lab.test", "jpegPhoto", photo)
	for _, uid := range []string{"loopuser", "nogroups", "viadist"} {
		b.user("special", uid, uid, SpecialPassword)
	}
	b.user("special", TangledName, "tangled", TangledPassword)
	b.user("special", "unipw", "unipw", "pässwörd-😀")
	b.user("special", "chpw", "chpw", "old-Passw0rd")
	b.user("locked", "locked1", "locked1", SpecialPassword)
	b.user("people", "dup", "dup", SpecialPassword)
	b.user("people2", "dup", "dup", SpecialPassword)
}

func adStates() string {
	l := &ldif{}
	l.change(adUserDN(DisabledUser), "userAccountControl", "514")
	l.change(adUserDN(ExpiredUser), "accountExpires", longAgo)
	l.change(adUserDN(MustChangeUser), "pwdLastSet", "0")
	l.change(adUserDN(HoursUser), "logonHours", strings.Repeat("\x00", 21))
	l.change(adUserDN(WorkstationUser), "userWorkstations", "SOMEPC")
	l.change(adGroupDN("loop-b"), "member", adGroupDN("loop-a"))
	return l.String()
}

func agedState() string {
	l := &ldif{}
	l.change(adUserDN(StaleUser), "pwdLastSet", longAgo)
	return l.String()
}

// change adds a modification that replaces attributes.
func (l *ldif) change(dn string, attributes ...string) {
	l.line("dn", dn)
	l.line("changetype", "modify")
	for i := 0; i < len(attributes); i += 2 {
		l.line("replace", attributes[i])
		l.line(attributes[i], attributes[i+1])
		l.WriteString("-\n")
	}
	l.WriteString("\n")
}

// passwordOctets are those of unicodePwd (MS-ADTS, section 3.1.1.3.1.5).
func passwordOctets(password string) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune(`"` + password + `"`)) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	return string(b)
}

// BulkUser is the name of the i-th user without a password, from 1.
func BulkUser(i int) string { return fmt.Sprintf("bulk%05d", i) }
