package lab

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// The users of a Samba server whom it refuses, right password or not. They are
// in OU=special and have SpecialPassword; what it says to them is a Win32 error
// code, such as 775.
const (
	LockedUser      = "ad-locked"      // 775, by wrong passwords at the start
	DisabledUser    = "ad-disabled"    // 533
	ExpiredUser     = "ad-expired"     // 701, the account
	StaleUser       = "ad-stale"       // 532, the password
	MustChangeUser  = "ad-mustchange"  // 773
	HoursUser       = "ad-hours"       // 530, outside the logon hours
	WorkstationUser = "ad-workstation" // 531, not from here
)

// SambaCode is what a Samba server says of each user it refuses.
var SambaCode = map[string]string{
	LockedUser: "775", DisabledUser: "533", ExpiredUser: "701", StaleUser: "532",
	MustChangeUser: "773", HoursUser: "530", WorkstationUser: "531",
}

// TangledName is the name of a user and of a group with all that a DN escapes.
const TangledName = `Müller, Jörg (Ext\ern) "Q" #1 + <x>; 😀`

// sambaLockout is how many wrong passwords lock LockedUser. Nobody else is
// locked, ever.
const sambaLockout = 3

// passwordOctets are those of unicodePwd (MS-ADTS, section 3.1.1.3.1.5).
func passwordOctets(password string) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune(`"` + password + `"`)) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	return string(b)
}

// adName is a sAMAccountName: the name, or another where Active Directory does
// not take it.
func adName(name string) string {
	if !strings.ContainsAny(name, `"[]:;|=+*?<>/\,`) && len(name) <= 20 {
		return name
	}
	return fmt.Sprintf("name-%x", []byte(name)[:min(6, len(name))])
}

// adUser adds a user.
func (l *ldif) adUser(ou, cn, uid, password string, more ...string) {
	name := adName(uid)
	l.entry("CN="+rdnValue(cn)+",OU="+ou+","+sambaBaseDN, append([]string{"objectClass", "user", "sAMAccountName", name,
		"userPrincipalName", fmt.Sprintf("%x@%s", name, sambaDomain), "uid", uid, "sn", "Special",
		"displayName", cn, "userAccountControl", "512", "unicodePwd", passwordOctets(password)}, more...)...)
}

// A sambaSeedText is what a new domain is filled with: before is applied, then
// people and groups are added, then after is applied, and aged past the checks
// that keep such values away.
type sambaSeedText struct{ before, people, groups, after, aged string }

func sambaSeed() sambaSeedText {
	var s sambaSeedText
	policy := &ldif{}
	policy.change(sambaBaseDN, "pwdProperties", "0", "minPwdLength", "0", "minPwdAge", "0", "pwdHistoryLength", "3",
		"lockoutThreshold", "0", "maxPwdAge", "-864000000000000") // 1,000 days: seeds are kept long
	s.before = policy.String()

	people := &ldif{}
	for _, ou := range []string{"people", "people2", "special", "locked", "groups", "service", "bulk"} {
		people.entry("OU="+ou+","+sambaBaseDN, "objectClass", "organizationalUnit")
	}
	people.entry(sambaServiceDN, "objectClass", "user", "sAMAccountName", "svc", "userPrincipalName", sambaService,
		"userAccountControl", "66048", "unicodePwd", passwordOctets(sambaSecret)) // its password never expires
	dns := make([]string, SambaUsers)
	for i := range dns {
		uid := User(i + 1)
		dns[i] = fmt.Sprintf("CN=User %05d,OU=people,%s", i+1, sambaBaseDN)
		people.entry(dns[i], "objectClass", "user", "sAMAccountName", uid, "userPrincipalName", uid+"@"+sambaDomain,
			"uid", uid, "givenName", fmt.Sprintf("Given%d", i+1), "sn", fmt.Sprintf("Number%05d", i+1),
			"displayName", fmt.Sprintf("User %05d", i+1), "mail", uid+"@lab.test",
			"userAccountControl", "512", "unicodePwd", passwordOctets(Password(i+1)))
	}
	people.adSpecials()
	s.people = people.String()
	s.groups = adGroups(dns)
	s.after, s.aged = adStates()
	return s
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

// adSpecials adds the users whose names, passwords or states are unusual.
func (l *ldif) adSpecials() {
	for _, uid := range Hostile {
		l.adUser("special", uid, uid, SpecialPassword)
	}
	photo := string([]byte{0xff, 0xd8, 0, 1, 2, 0xfe})
	l.adUser("special", "multi", "multi", SpecialPassword, "mail", "m1@lab.test", "otherMailbox", "m1@lab.test",
		"otherMailbox", "m2@lab.test", "jpegPhoto", photo)
	l.adUser("special", TangledName, "tangled", "Pässw0rd!1")
	l.adUser("special", "unipw", "unipw", "pässwörd-😀")
	l.adUser("special", "chpw", "chpw", "old-Passw0rd")
	for _, uid := range append([]string{"loopuser", "nogroups", "viadist"}, sambaRefused()...) {
		l.adUser("special", uid, uid, SpecialPassword)
	}
	l.adUser("locked", "locked1", "locked1", SpecialPassword)
	for i, ou := range []string{"people", "people2"} { // two with one uid, which only the name of the account forbids
		l.entry("CN=dup,OU="+ou+","+sambaBaseDN, "objectClass", "user", "sAMAccountName", fmt.Sprintf("dup-%d", i),
			"uid", "dup", "userAccountControl", "512", "unicodePwd", passwordOctets(SpecialPassword))
	}
}

// sambaRefused returns the users whom the server refuses, sorted.
func sambaRefused() []string {
	names := make([]string, 0, len(SambaCode))
	for name := range SambaCode {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// adStates are the modifications that make the users of SambaCode what they
// are, and the password policy strict; aged needs the control that lets a
// time be set which is the server's to set.
func adStates() (after, aged string) {
	l := &ldif{}
	l.change(sambaUser(DisabledUser), "userAccountControl", "514")
	l.change(sambaUser(ExpiredUser), "accountExpires", longAgo)
	l.change(sambaUser(MustChangeUser), "pwdLastSet", "0")
	l.change(sambaUser(HoursUser), "logonHours", strings.Repeat("\x00", 21))
	l.change(sambaUser(WorkstationUser), "userWorkstations", "SOMEPC")
	l.change(adGroup("loop-b"), "member", adGroup("loop-a"))
	l.change(sambaBaseDN, "pwdProperties", "1", "minPwdLength", "8")
	old := &ldif{}
	old.change(sambaUser(StaleUser), "pwdLastSet", longAgo)
	return l.String(), old.String()
}

// longAgo is a day in 2019, in units of 100 ns since 1601.
const longAgo = "132000000000000000"

// sambaBulk adds n users who have no password.
func sambaBulk(n int) string {
	l := &ldif{}
	for i := range n {
		uid := BulkUser(i + 1)
		l.entry("CN="+uid+",OU=bulk,"+sambaBaseDN, "objectClass", "user", "sAMAccountName", uid, "uid", uid, "mail", uid+"@lab.test")
	}
	return l.String()
}

// BulkUser is the name of the i-th user without a password, from 1.
func BulkUser(i int) string { return fmt.Sprintf("bulk%05d", i) }

// seed fills a new domain.
func (s sambaTree) seed() error {
	text := sambaSeed()
	for _, step := range []struct {
		program, ldif string
		args          []string
	}{
		{ldbmodifyPath, text.before, nil},
		{ldbaddPath, text.people, nil},
		{ldbaddPath, text.groups, nil},
		{ldbaddPath, adLockoutPolicy(), nil},
		{ldbmodifyPath, text.after, nil},
		// Samba's own control: the password module leaves the entry alone.
		{ldbmodifyPath, text.aged, []string{"--controls=local_oid:1.3.6.1.4.1.7165.4.3.12:0"}},
	} {
		if err := s.ldb(step.program, step.ldif, step.args...); err != nil {
			return err
		}
	}
	return s.delegate("people", "special")
}

// delegate lets the service account set passwords, unlock accounts and make
// users change their password, in these OUs: what the wizard "Delegate Control"
// of Active Directory does.
func (s sambaTree) delegate(ous ...string) error {
	sid, err := s.sid(sambaServiceDN)
	if err != nil {
		return err
	}
	const (
		users         = "bf967aba-0de6-11d0-a285-00aa003049e2"
		resetPassword = "00299570-246d-11d0-a768-00aa006e0529"
		lockoutTime   = "28630ebf-41d5-11d1-a9c1-0000f80367c1"
		pwdLastSet    = "bf967a0a-0de6-11d0-a285-00aa003049e2"
	)
	var sddl strings.Builder
	fmt.Fprintf(&sddl, "(OA;CIIO;CR;%s;%s;%s)", resetPassword, users, sid)
	for _, attribute := range []string{lockoutTime, pwdLastSet} {
		fmt.Fprintf(&sddl, "(OA;CIIO;WP;%s;%s;%s)", attribute, users, sid)
	}
	for _, ou := range ous {
		if _, err := s.tool(context.Background(), "dsacl", "set", "--objectdn=OU="+ou+","+sambaBaseDN, "--sddl="+sddl.String()); err != nil {
			return err
		}
	}
	return nil
}

// adLockoutPolicy is the password policy of LockedUser alone (MS-ADTS, section
// 3.1.1.1.9): the suites try many wrong passwords of others.
func adLockoutPolicy() string {
	const never = "-9223372036854775808"
	l := &ldif{}
	l.entry("CN=lockout,CN=Password Settings Container,CN=System,"+sambaBaseDN, "objectClass", "msDS-PasswordSettings",
		"msDS-PasswordSettingsPrecedence", "1", "msDS-PasswordReversibleEncryptionEnabled", "FALSE",
		"msDS-PasswordHistoryLength", "3", "msDS-PasswordComplexityEnabled", "TRUE", "msDS-MinimumPasswordLength", "8",
		"msDS-MinimumPasswordAge", "0", "msDS-MaximumPasswordAge", never,
		"msDS-LockoutThreshold", fmt.Sprint(sambaLockout), "msDS-LockoutObservationWindow", "-18000000000", // half an hour
		"msDS-LockoutDuration", never, "msDS-PSOAppliesTo", sambaUser(LockedUser))
	return l.String()
}
