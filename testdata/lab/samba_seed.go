package lab

import (
	"context"
	"fmt"
	"strings"
)

// sambaLockout is how many wrong passwords lock LockedUser. Nobody else is
// locked, ever.
const sambaLockout = 3

// A seedStep is a program that applies LDIF to a new domain.
type seedStep struct {
	program, ldif string
	args          []string
}

// sambaSeed fills a new domain with ADPeople.
func sambaSeed() []seedStep {
	people, states, aged := adPeople(func(password string) (string, string) { return "unicodePwd", passwordOctets(password) })
	loose, strict, service := &ldif{}, &ldif{}, &ldif{}
	loose.change(adBaseDN, "pwdProperties", "0", "minPwdLength", "0", "minPwdAge", "0", "pwdHistoryLength", "3",
		"lockoutThreshold", "0", "maxPwdAge", adMaxAge)
	strict.change(adBaseDN, "pwdProperties", "1", "minPwdLength", "8")
	service.entry(sambaServiceDN, "objectClass", "user", "sAMAccountName", "svc", "userPrincipalName", sambaService,
		"userAccountControl", "66048", "unicodePwd", passwordOctets(sambaSecret)) // its password never expires
	return []seedStep{
		{program: ldbmodifyPath, ldif: loose.String()},
		{program: ldbaddPath, ldif: people + service.String()},
		{program: ldbaddPath, ldif: adGroups() + lockoutPolicy()},
		{program: ldbmodifyPath, ldif: states + strict.String()},
		// Samba's own control: the module for passwords leaves the entry alone.
		{program: ldbmodifyPath, ldif: aged, args: []string{"--controls=local_oid:1.3.6.1.4.1.7165.4.3.12:0"}},
	}
}

// lockoutPolicy is the password policy of LockedUser alone (MS-ADTS, section
// 3.1.1.1.9), for the suites try many wrong passwords of others. Who is locked
// stays so until somebody unlocks the account.
func lockoutPolicy() string {
	const never = "-9223372036854775808"
	l := &ldif{}
	l.entry("CN=lockout,CN=Password Settings Container,CN=System,"+adBaseDN, "objectClass", "msDS-PasswordSettings",
		"msDS-PasswordSettingsPrecedence", "1", "msDS-PasswordReversibleEncryptionEnabled", "FALSE",
		"msDS-PasswordHistoryLength", "3", "msDS-PasswordComplexityEnabled", "TRUE", "msDS-MinimumPasswordLength", "8",
		"msDS-MinimumPasswordAge", "0", "msDS-MaximumPasswordAge", never,
		"msDS-LockoutThreshold", fmt.Sprint(sambaLockout), "msDS-LockoutObservationWindow", "-18000000000", // half an hour
		"msDS-LockoutDuration", never, "msDS-PSOAppliesTo", adUserDN(LockedUser))
	return l.String()
}

// adBulk adds n users who have no password, in pieces: the cost of a user grows
// with how many came before in the same transaction.
func adBulk(n int) []seedStep {
	var steps []seedStep
	for i := 1; i <= n; {
		l := &ldif{}
		for end := min(i+200, n+1); i < end; i++ {
			uid := BulkUser(i)
			l.entry("CN="+uid+",OU=bulk,"+adBaseDN, "objectClass", "user", "sAMAccountName", uid, "uid", uid, "mail", uid+"@lab.test")
		}
		steps = append(steps, seedStep{program: ldbaddPath, ldif: l.String()})
	}
	return steps
}

// What the service account may do to users, as GUIDs of the schema.
const (
	usersClass    = "bf967aba-0de6-11d0-a285-00aa003049e2"
	resetPassword = "00299570-246d-11d0-a768-00aa006e0529"
	lockoutTime   = "28630ebf-41d5-11d1-a9c1-0000f80367c1"
	pwdLastSet    = "bf967a0a-0de6-11d0-a285-00aa003049e2"
)

// delegate lets the service account set passwords, unlock accounts and make
// users change their password, in these OUs: what the wizard "Delegate Control"
// of Active Directory does.
func (s sambaTree) delegate(ous ...string) error {
	sid, err := s.sid(sambaServiceDN)
	if err != nil {
		return err
	}
	sddl := fmt.Sprintf("(OA;CIIO;CR;%s;%s;%s)", resetPassword, usersClass, sid)
	for _, attribute := range []string{lockoutTime, pwdLastSet} {
		sddl += fmt.Sprintf("(OA;CIIO;WP;%s;%s;%s)", attribute, usersClass, sid)
	}
	for _, ou := range ous {
		if _, err := s.tool(context.Background(), "dsacl", "set", "--objectdn=OU="+ou+","+adBaseDN, "--sddl="+sddl); err != nil {
			return err
		}
	}
	return nil
}

// sid returns the SID of an entry as text.
func (s sambaTree) sid(dn string) (string, error) {
	out, err := s.run(context.Background(), "", ldbsearchPath, "--configfile="+s.conf, "-H", s.database(), "-b", dn, "-s", "base", "objectSid")
	if err != nil {
		return "", err
	}
	_, rest, ok := strings.Cut(out, "objectSid: ")
	if !ok {
		return "", fmt.Errorf("no objectSid of %s in %q", dn, out)
	}
	sid, _, _ := strings.Cut(rest, "\n")
	return sid, nil
}
