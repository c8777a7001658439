package directory

import (
	"fmt"
	"slices"
	"time"

	"ad-ldap-connector/pkg/identity"

	"github.com/go-ldap/ldap/v3"
)

// A policy is what the directory's password policy said beside the outcome of a
// bind. Numbers that it did not say are -1.
type policy struct {
	err    int8  // draft-behera-ldap-password-policy, section 6.2
	grace  int64 // logins left with a password that has expired
	expire int64 // seconds until the password expires
	// change says that the password must be changed, or has expired, in the
	// older way of 389 Directory Server (and of OpenLDAP when told to).
	change bool
}

var noPolicy = policy{err: -1, grace: -1, expire: -1}

// policyOf reads the controls of a bind's answer.
func policyOf(controls []ldap.Control) policy {
	p := noPolicy
	for _, control := range controls {
		switch c := control.(type) {
		case *ldap.ControlBeheraPasswordPolicy:
			p.err, p.grace, p.expire = c.Error, c.Grace, max(p.expire, c.Expire)
		case *ldap.ControlVChuPasswordMustChange:
			p.change = true
		case *ldap.ControlVChuPasswordWarning:
			p.expire = max(p.expire, c.Expire)
		}
	}
	return p
}

// The meanings of the policy's errors at a bind.
var policyErrors = map[int8]meaning{
	0: {identity.PasswordExpired, "the password has expired"},
	1: {identity.AccountLocked, "the account is locked"},
	2: {identity.PasswordChangeRequired, "the password must be changed first"},
}

// policyResults are the results beside which a policy's word counts: success,
// because the password was right and yet must be changed before anything else
// is allowed, and those with which servers refuse. Any other means that the
// server could not do what it was asked.
var policyResults = []uint16{
	ldap.LDAPResultSuccess, ldap.LDAPResultConstraintViolation, ldap.LDAPResultInvalidCredentials, ldap.LDAPResultUnwillingToPerform,
}

// meaning returns what the policy says against a login, if anything.
func (p policy) meaning(code uint16) (meaning, bool) {
	if !slices.Contains(policyResults, code) {
		return meaning{}, false
	}
	if m, ok := policyErrors[p.err]; ok {
		if !p.proves(code) {
			m.reason = identity.WrongPassword
		}
		return m, true
	}
	switch {
	case !p.change:
		return meaning{}, false
	case code == ldap.LDAPResultInvalidCredentials:
		return policyErrors[0], true
	case code == ldap.LDAPResultSuccess && p.grace < 0: // else it has expired, and this login is one of the last
		return policyErrors[2], true
	}
	return meaning{}, false
}

// proves reports whether the policy's word means that the password was right,
// where that is the question: what must be changed is told beside success, and
// what has expired beside invalid credentials as well (section 8.1). An operator
// may have such logins accepted.
func (p policy) proves(code uint16) bool {
	switch p.err {
	case 0:
		return code == ldap.LDAPResultSuccess || code == ldap.LDAPResultInvalidCredentials
	case 2:
		return code == ldap.LDAPResultSuccess
	}
	return true
}

// warning says in words what an accepted user should hear, or "".
func (p policy) warning() string {
	switch {
	case p.grace == 0:
		return "the password has expired, and this was the last login with it"
	case p.grace > 0:
		return fmt.Sprintf("the password has expired, %d more logins are left", p.grace)
	case p.expire >= 0:
		return "the password expires in " + untilExpiry(p.expire)
	}
	return ""
}

// untilExpiry says a number of seconds as people do; a server may say any.
func untilExpiry(seconds int64) string {
	const most = int64(100 * 365 * 24 * 60 * 60)
	d := time.Duration(min(seconds, most)) * time.Second
	if days := d / (24 * time.Hour); days >= 2 {
		return fmt.Sprintf("%d days", days)
	}
	return d.String()
}
