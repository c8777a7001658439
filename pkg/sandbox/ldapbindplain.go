package sandbox

import (
	"strconv"
	"strings"
	"time"
)

// The errors of the password policy (draft-behera-ldap-password-policy, section
// 6.2), and none.
const (
	policyNone       = -1
	policyExpired    = 0
	policyLocked     = 1
	policyMustChange = 2
)

// policyControl is the answer to a client that asks for the policy's word.
func policyControl(m *ldapMessage, reason int) []ldapControl {
	if _, asked := m.control(controlPolicy); !asked {
		return nil
	}
	var w berWriter
	list := w.begin(berSequence)
	if reason >= 0 {
		w.number(berContext|1, reason)
	}
	w.end(list)
	return []ldapControl{{oid: controlPolicy, value: w.b}}
}

// bindPlain answers as OpenLDAP with its password policy: without text; the
// reason is in a control, for clients that ask for it.
func (c *ldapConn) bindPlain(m *ldapMessage, e *storeEntry, state account) ldapResult {
	res := ldapResult{code: ldapInvalidCredentials}
	reason := policyNone
	switch state {
	case accountOK:
		res.code = ldapSuccess
		c.become(e, false)
	case accountMustChange:
		res.code, reason = ldapSuccess, policyMustChange
		c.become(e, true)
	case accountStale:
		reason = policyExpired
	case accountLocked:
		reason = policyLocked
	}
	res.control = policyControl(m, reason)
	return res
}

// bind389 answers as 389 Directory Server: what is wrong is said in a text, in
// the policy's control where it is asked for and, of passwords, in an older one
// that nobody need ask for. A disabled account is a locked one to its policy.
func (c *ldapConn) bind389(m *ldapMessage, e *storeEntry, state account) ldapResult {
	res := ldapResult{code: ldapInvalidCredentials}
	reason := policyNone
	switch state {
	case accountOK:
		res.code = ldapSuccess
		c.become(e, false)
	case accountMustChange:
		res.code, reason = ldapSuccess, policyMustChange
		c.become(e, true)
	case accountStale:
		res.text, reason = "password expired!", policyExpired
	case accountLocked:
		res.code, res.text, reason = ldapConstraintViolation, "Exceed password retry limit. Please try later.", policyLocked
	case accountDisabled:
		res.code, res.text, reason = ldapUnwilling, "Account inactivated. Contact system administrator.", policyLocked
	}
	if reason != policyNone {
		res.control = policyControl(m, reason)
	}
	if reason == policyMustChange || reason == policyExpired {
		res.control = append(res.control, ldapControl{oid: controlExpired, value: []byte("0")})
	}
	if left, soon := c.d.expiring(e); state == accountOK && soon {
		res.control = append(res.control, ldapControl{oid: controlExpiring, value: []byte(strconv.Itoa(left))})
	}
	return res
}

// expiring returns the seconds until the password of e expires, when that is
// within the day in which 389 Directory Server warns.
func (d *Directory) expiring(e *storeEntry) (seconds int, soon bool) {
	at, err := time.Parse("20060102150405Z", strings.ToUpper(d.text(e, "passwordExpirationTime")))
	left := at.Sub(d.now())
	return int(left / time.Second), err == nil && left > 0 && left <= 24*time.Hour
}
