package directory_test

import (
	"crypto/tls"
	"testing"
	"time"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/testdata/lab"

	"github.com/go-ldap/ldap/v3"
)

// samba is a Samba domain controller.
type samba struct{ *lab.SambaServer }

func (s samba) DenyWrites(*testing.T) {} // the right was given for other users

func (s samba) Options(t *testing.T) directory.Options {
	o := activeDirectoryOptions(t)
	o.URLs, o.TLS = []string{s.TLSURL}, &tls.Config{RootCAs: caPool(t, s.CAFile)}
	o.BindUser, o.BindPassword = s.BindUser, identity.Password(s.BindPassword)
	return o
}

func (s samba) Traits() traits {
	a := activeDirectoryTraits()
	a.tooWeak, a.noRight = "0000052D: Constraint violation - check_password_restrictions: ", "insufficient access rights"
	a.empty, a.limits, a.clients = ldap.LDAPResultInvalidCredentials, false, 8
	return a
}

// activeDirectoryOptions are those of a directory with lab.ADPeople. Accounts
// are called there as they can be, so users log in by uid.
func activeDirectoryOptions(t *testing.T) directory.Options {
	return directory.Options{
		BaseDN:           "DC=corp,DC=example,DC=test",
		UserFilter:       filter(t, "(uid={0})"),
		SearchFilter:     filter(t, "(&(objectClass=user)(|(uid={0})(cn={0}*)))"),
		SearchAllFilter:  filter(t, "(&(objectClass=user)(mail=*))"),
		ListGroupsFilter: filter(t, "(&(objectClass=group)(description=Lab))"),
		GroupsFilter:     filter(t, "(member={0})"),
		UnicodePassword:  true,
		Timeout:          time.Minute, // Samba does one thing at a time, and slowly
	}
}

func activeDirectoryTraits() traits {
	says := func(user string, reason identity.Reason) refusal {
		return refusal{user, reason, "data " + lab.SambaCode[user] + ", v1db1", identity.WrongPassword}
	}
	locked := says(lab.LockedUser, identity.AccountLocked)
	locked.wrong = identity.AccountLocked
	chain := []string{"leaf", "mid", "top"}
	return traits{
		userDN:      lab.ADUserDN,
		nobodyDN:    "CN=nobody,OU=people,DC=corp,DC=example,DC=test",
		operational: "canonicalName", several: "otherMailbox", groups: 83,
		loopA:   `{"cn":"loop-a","dn":"CN=loop-a,OU=groups,DC=corp,DC=example,DC=test","objectClass":["top","group"]}`,
		members: looped(map[string][]string{"viadist": chain, "tangled": append([]string{lab.TangledName}, chain...)}),
		nesting: map[string]func(*directory.Options){
			"here":  func(o *directory.Options) { o.NestedGroups = true },
			"there": func(o *directory.Options) { o.GroupsFilter = directory.Filter{} }, // the default's in-chain rule
		},
		refuses: []refusal{
			locked,
			says(lab.DisabledUser, identity.AccountDisabled),
			says(lab.ExpiredUser, identity.AccountExpired),
			says(lab.StaleUser, identity.PasswordExpired),
			says(lab.MustChangeUser, identity.PasswordChangeRequired),
			// The tenant has no names for these two.
			says(lab.HoursUser, identity.WrongPassword),
			says(lab.WorkstationUser, identity.WrongPassword),
		},
		weak: []identity.Password{"short", "alllowercase", ""}, tooWeak: "0000052D: ",
		unlocks: true, clients: 64,
	}
}

func TestConformanceSamba(t *testing.T) { suite(t, samba{lab.Samba(t, lab.SambaOptions{})}) }
