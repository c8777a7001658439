package directory

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/identity"

	"github.com/go-ldap/ldap/v3"
)

// adMessage is what a domain controller says of a refused bind.
func adMessage(data string) string {
	return "80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data " + data + ", v1db1\x00"
}

func said(code uint16, message string) error { return ldap.NewError(code, errors.New(message)) }

func TestRefusedBind(t *testing.T) {
	says := func(number int8) []ldap.Control {
		p := ldap.NewControlBeheraPasswordPolicy()
		p.Error = number
		return []ldap.Control{p}
	}
	older := []ldap.Control{&ldap.ControlVChuPasswordMustChange{MustChange: true}}
	grace := []ldap.Control{&ldap.ControlBeheraPasswordPolicy{Error: -1, Grace: 0, Expire: -1}, older[0]}
	for _, test := range []struct {
		name     string
		controls []ldap.Control
		err      error
		want     identity.Reason // "" is no refusal: success or a fault
	}{
		{"right", nil, nil, ""},
		{"right, policy silent", says(-1), nil, ""},
		{"wrong", nil, said(49, ""), identity.WrongPassword},
		{"568", nil, said(49, adMessage("568")), identity.WrongPassword},
		{"channel binding", nil, said(49, adMessage("80090346")), identity.WrongPassword},
		{"52e", nil, said(49, adMessage("52e")), identity.WrongPassword},
		{"525", nil, said(49, adMessage("525")), identity.WrongPassword},
		{"530", nil, said(49, adMessage("530")), identity.WrongPassword},
		{"531", nil, said(49, adMessage("531")), identity.WrongPassword},
		{"532", nil, said(49, adMessage("532")), identity.PasswordExpired},
		{"533", nil, said(49, adMessage("533")), identity.AccountDisabled},
		{"534", nil, said(49, adMessage("534")), identity.AccountDisabled},
		{"701", nil, said(49, adMessage("701")), identity.AccountExpired},
		{"773", nil, said(49, adMessage("773")), identity.PasswordChangeRequired},
		{"775", nil, said(49, adMessage("775")), identity.AccountLocked},
		{"end of text", nil, said(49, "data 775\x00"), identity.AccountLocked},
		{"not the code", nil, said(49, "data 7750"), identity.WrongPassword},
		{"no number", nil, said(49, "data , data xyz"), identity.WrongPassword},
		{"no space", nil, said(49, "error, data 775,v1db1"), identity.AccountLocked},
		{"an earlier word", nil, said(49, "bad data at the end, data 775, v1db1"), identity.AccountLocked},
		{"an earlier data", nil, said(49, "data data 775"), identity.AccountLocked},
		{"endless number", nil, said(49, "data "+strings.Repeat("5", 400)), identity.WrongPassword},
		{"policy: expired", says(0), said(49, ""), identity.PasswordExpired},
		{"policy: locked", says(1), said(49, ""), identity.AccountLocked},
		{"policy: must change", says(2), nil, identity.PasswordChangeRequired},
		{"policy: must change, and no proof of the password", says(2), said(49, ""), identity.WrongPassword},
		{"policy: expired, and no proof of the password", says(0), said(53, ""), identity.WrongPassword},
		{"policy: only wrong", says(-1), said(49, ""), identity.WrongPassword},
		// 389 Directory Server says no to locked accounts by other results.
		{"policy: retry limit", says(1), said(19, "Exceed password retry limit. Please try later."), identity.AccountLocked},
		{"retry limit, policy not asked", nil, said(19, "Exceed password retry limit. Contact system administrator to reset."), identity.AccountLocked},
		{"policy: inactivated", says(1), said(53, "Account inactivated. Contact system administrator."), identity.AccountDisabled},
		{"inactivated, policy not asked", nil, said(53, "Account inactivated. Contact system administrator."), identity.AccountDisabled},
		{"inactive", nil, said(19, "Account inactivity limit exceeded. Contact system administrator to reset."), identity.AccountExpired},
		{"older: expired", older, said(49, "password expired!"), identity.PasswordExpired},
		{"older: expired, no text", older, said(49, ""), identity.PasswordExpired},
		{"older: must change", older, nil, identity.PasswordChangeRequired},
		{"older and grace", grace, nil, ""},
		{"older, busy", older, said(51, ""), ""},
		{"FreeIPA, failed logins", nil, said(53, "Too many failed logins.\n"), identity.AccountLocked},
		{"FreeIPA, locked", nil, said(53, "Entry permanently locked.\n"), identity.AccountLocked},
		{"FreeIPA, expired", nil, said(53, "Account (Kerberos principal) is expired"), identity.AccountExpired},
		{"some other constraint", nil, said(19, "what else"), ""},
		{"policy, busy", says(1), said(51, ""), ""},
		{"policy, unavailable", says(0), said(52, ""), ""},
		{"policy: about new passwords only", says(5), nil, ""},
		{"policy silent, unwilling", says(-1), said(53, ""), ""},
		{"policy, connection lost", says(1), io.EOF, ""},
		{"busy", nil, said(51, ""), ""},
		{"unavailable", nil, said(52, ""), ""},
		{"unwilling", nil, said(53, adMessage("775")), ""},
		{"protocol error", nil, said(2, ""), ""},
		{"TLS wanted", nil, said(8, "BindSimple: Transport encryption required."), ""},
		{"connection lost", nil, io.EOF, ""},
		{"library trouble", nil, said(200, "data 775"), ""},
	} {
		var got identity.Reason
		if r := refusedBind(policyOf(test.controls), test.err); r != nil {
			got = r.Reason
			if strings.ContainsRune(r.Detail, 0) {
				t.Errorf("%s: NUL in %q", test.name, r.Detail)
			}
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// What has no name at the tenant is said to the operator, sub-code and words.
func TestRefusalSaysWhy(t *testing.T) {
	for code, words := range map[string]string{
		"525": "does not exist", "530": "outside the hours", "531": "certain workstations", "532": "password has expired",
		"533": "disabled", "534": "no right", "568": "more groups", "701": "account has expired", "773": "must be changed",
		"775": "locked", "80090346": "channel binding", "52f": "restriction",
	} {
		r := refusedBind(noPolicy, said(49, adMessage(code)))
		if r == nil || !strings.Contains(r.Detail, words) || !strings.Contains(r.Detail, "data "+code) {
			t.Errorf("%s: %v", code, r)
		}
	}
	if r := refusedBind(noPolicy, said(49, "")); r.Detail != "" {
		t.Errorf("nothing said: %q", r.Detail)
	}
	if r := refusedBind(policy{err: 1, grace: -1, expire: -1}, said(49, "")); r.Detail != "the account is locked" {
		t.Errorf("policy: %q", r.Detail)
	}
}

// An accepted user's password may be about to end. Servers may say any number.
func TestPolicyWarning(t *testing.T) {
	for _, test := range []struct {
		p    policy
		want string
	}{
		{noPolicy, ""},
		{policy{err: -1, grace: 0, expire: -1}, "the password has expired, and this was the last login with it"},
		{policy{err: -1, grace: 2, expire: -1}, "the password has expired, 2 more logins are left"},
		{policy{err: -1, grace: -1, expire: 1799}, "the password expires in 29m59s"},
		{policy{err: -1, grace: -1, expire: 864000}, "the password expires in 10 days"},
		{policy{err: -1, grace: -1, expire: 1<<63 - 1}, "the password expires in 36500 days"},
		{policy{err: -1, grace: -1 << 63, expire: -1 << 63}, ""},
		{policyOf([]ldap.Control{&ldap.ControlVChuPasswordWarning{Expire: 60}}), "the password expires in 1m0s"},
	} {
		if got := test.p.warning(); got != test.want {
			t.Errorf("%+v: %q, want %q", test.p, got, test.want)
		}
	}
}

func TestRefusedPassword(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want identity.Reason
	}{
		{"taken", nil, ""},
		{"AD, no right", said(50, "00002098: SecErr: DSID-03150E8A, problem 4003 (INSUFF_ACCESS_RIGHTS), data 0\x00"), identity.InsufficientAccess},
		{"no right, no marker", said(50, ""), identity.InsufficientAccess},
		{"constraint", said(19, "Password fails quality checking policy"), identity.PasswordTooWeak},
		{"AD", said(53, "0000001F: SvcErr: DSID-031A12D2, problem 5003 (WILL_NOT_PERFORM), data 0"), identity.PasswordTooWeak},
		{"AD policy", said(53, "0000052d: whatever"), identity.PasswordTooWeak},
		{"unwilling for another reason", said(53, "shadow context; no update referral"), ""},
		{"AD reset", said(53, "0000052D: SvcErr: DSID-031A12D2, problem 5003 (WILL_NOT_PERFORM), data 0\x00"), identity.PasswordTooWeak},
		{"Samba", said(19, "0000052D: Constraint violation - check_password_restrictions: the password is too short. It should be equal or longer than 8 characters!"), identity.PasswordTooWeak},
		{"Samba, history", said(19, "0000052D: Constraint violation - check_password_restrictions: the password was already used (in history)!"), identity.PasswordReused},
		{"OpenLDAP, history", said(19, "Password is in history of old passwords"), identity.PasswordReused},
		{"389, syntax", said(19, "invalid password syntax: password must be at least 8 characters long"), identity.PasswordTooWeak},
		{"389, history", said(19, "password in history"), identity.PasswordReused},
		{"gone", said(32, ""), identity.WrongUsername},
		{"unavailable", said(52, ""), ""},
		{"TLS wanted", said(13, "Operation requires a secure connection"), ""},
		{"busy", said(51, ""), ""},
		{"lost", io.EOF, ""},
	} {
		var got identity.Reason
		if r := refusedPassword(test.err); r != nil {
			got = r.Reason
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestUnicodePassword(t *testing.T) {
	got := unicodePassword("Pä€😀")
	want := "\"\x00P\x00\xe4\x00\xac\x20\x3d\xd8\x00\xde\"\x00"
	if got != want {
		t.Errorf("%x, want %x", got, want)
	}
}

// An error says what and where, and what to do; a server's text cannot break
// the line or fill the disk.
func TestErrorText(t *testing.T) {
	for _, test := range []struct {
		err        error
		text, hint string
	}{
		{said(8, "BindSimple: Transport encryption required."), "strong auth required (8): BindSimple: Transport encryption required.", "LDAP_STARTTLS"},
		{said(32, ""), "no such object (32)", "LDAP_BASE"},
		{said(4711, "what"), "unknown result (4711): what", ""},
		{said(53, "two\r\nlines\x00"), "unwilling to perform (53): two  lines", ""},
		{said(200, "ldap: response channel closed"), "the connection was lost", ""},
		{errors.New("unable to read LDAP response packet: EOF"), "the connection was lost: EOF", ""},
		{&net.OpError{Op: "dial", Err: errors.New("refused")}, "dial: refused", ""},
	} {
		e := &Error{Doing: "ask", Server: "ldap://x", Err: test.err}
		if got, want := e.Error(), "ask at ldap://x: "+test.text; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if got := e.Hint(); !strings.Contains(got, test.hint) || test.hint == "" && got != "" {
			t.Errorf("%v: hint %q, want %q", e, got, test.hint)
		}
	}
	if long := clean(strings.Repeat("ä", 5000)); len(long) > 510 {
		t.Errorf("%d octets of a server's text", len(long))
	}
}

// A service account that is refused says what is wrong with it.
func TestDenialHint(t *testing.T) {
	for code, want := range map[string]string{"52e": "LDAP_BIND_PASSWORD", "775": "the account is locked", "533": "the account is disabled", "530": "outside the hours"} {
		if got := denialHint(said(49, adMessage(code))); !strings.Contains(got, want) {
			t.Errorf("%s: %q", code, got)
		}
	}
}
