package directory

import (
	"strconv"
	"strings"
	"unicode"

	"ad-ldap-connector/pkg/identity"

	"github.com/go-ldap/ldap/v3"
)

// A meaning is what a directory's answer to a bind means: the reason the tenant
// is given, and the words for the log and the operator.
type meaning struct {
	reason identity.Reason
	words  string
}

// subCodes are Active Directory's reasons, which it gives in result 49: Win32
// error codes and security statuses, in hexadecimal (MS-ERREF). The tenant has
// no name of its own for some of them.
var subCodes = map[uint64]meaning{
	0x525:      {identity.WrongPassword, "the account does not exist any more"},
	0x52e:      {identity.WrongPassword, ""},
	0x52f:      {identity.WrongPassword, "a restriction of the account (protected user, authentication policy) does not let it log on in this way"},
	0x530:      {identity.WrongPassword, "outside the hours in which the account may log on"},
	0x531:      {identity.WrongPassword, "the account may log on at certain workstations only"},
	0x532:      {identity.PasswordExpired, "the password has expired"},
	0x533:      {identity.AccountDisabled, "the account is disabled"},
	0x534:      {identity.AccountDisabled, "the account has no right to log on in this way"},
	0x568:      {identity.WrongPassword, "the account is in more groups than a logon can hold"},
	0x569:      {identity.WrongPassword, "the account has no right to log on in this way"},
	0x701:      {identity.AccountExpired, "the account has expired"},
	0x773:      {identity.PasswordChangeRequired, "the password must be changed at the next logon"},
	0x775:      {identity.AccountLocked, "the account is locked after too many wrong passwords"},
	0x80090346: {identity.WrongPassword, "the server wants channel binding, which the connection does not have"},
}

// subCode returns the number in "... error, data 52e, v1db1", or 0.
func subCode(message string) uint64 {
	for rest := message; ; {
		_, after, found := strings.Cut(rest, "data ")
		if !found {
			return 0
		}
		word := after // up to what belongs to no word
		if end := strings.IndexFunc(after, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }); end >= 0 {
			word = after[:end]
		}
		if n, err := strconv.ParseUint(word, 16, 32); err == nil {
			return n
		}
		rest = after
	}
}

// inText are the answers of the other directories that say in their text alone
// why, with results that elsewhere mean that the server would not even try: 389
// Directory Server and, after it, FreeIPA and RadiantOne.
var inText = []struct {
	code uint16
	text string // in lower case
	meaning
}{
	{ldap.LDAPResultConstraintViolation, "exceed password retry limit", meaning{identity.AccountLocked, "the account is locked after too many wrong passwords"}},
	{ldap.LDAPResultConstraintViolation, "password failure limit", meaning{identity.AccountLocked, "the account is locked after too many wrong passwords"}},
	{ldap.LDAPResultConstraintViolation, "inactivity limit", meaning{identity.AccountExpired, "the account was not used for too long"}},
	{ldap.LDAPResultUnwillingToPerform, "account inactivated", meaning{identity.AccountDisabled, "the account is disabled"}},
	{ldap.LDAPResultUnwillingToPerform, "too many failed logins", meaning{identity.AccountLocked, "the account is locked after too many wrong passwords"}},
	{ldap.LDAPResultUnwillingToPerform, "permanently locked", meaning{identity.AccountLocked, "the account is locked after too many wrong passwords"}},
	{ldap.LDAPResultUnwillingToPerform, "(kerberos principal) is expired", meaning{identity.AccountExpired, "the account has expired"}},
	{ldap.LDAPResultInvalidCredentials, "password expired", meaning{identity.PasswordExpired, "the password has expired"}},
}

// meaningOf reads the answer to a bind that was refused. It reports false for
// what does not refuse: that the server was busy, say.
func meaningOf(code uint16, message string) (meaning, bool) {
	lower := strings.ToLower(message)
	for _, m := range inText {
		if code == m.code && strings.Contains(lower, m.text) {
			return m.meaning, true
		}
	}
	if code != ldap.LDAPResultInvalidCredentials {
		return meaning{}, false
	}
	if m, ok := subCodes[subCode(message)]; ok {
		return m, true
	}
	return meaning{reason: identity.WrongPassword}, true
}

// refusal says no, in words as far as there are any, with the server's own text
// in brackets.
func (m meaning) refusal(message string) *identity.Refusal {
	detail := m.words
	switch {
	case detail == "":
		detail = message
	case message != "":
		detail += " (" + message + ")"
	}
	return &identity.Refusal{Reason: m.reason, Detail: detail}
}

// denialHint says what to do about a service account that a server does not
// take.
func denialHint(err error) string {
	code, message, _ := result(err)
	if m, ok := meaningOf(code, message); ok && m.words != "" {
		return "an administrator of the directory must look at the account of LDAP_BIND_USER: " + m.words
	}
	return "check LDAP_BIND_USER and LDAP_BIND_PASSWORD"
}
