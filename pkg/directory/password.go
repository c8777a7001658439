package directory

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"unicode/utf16"

	"ad-ldap-connector/pkg/identity"

	"github.com/go-ldap/ldap/v3"
)

// errInClear is the cause of not even trying: Active Directory takes unicodePwd
// over an encrypted connection only, and nobody else should read it.
var errInClear = errors.New("unicodePwd needs TLS, and the connection is in clear")

// SetPassword replaces the password of dn under the service account, in one
// modification (RFC 4511, section 4.6). A directory that does not take it, or
// not from this account, makes the error an *identity.Refusal.
func (c *Client) SetPassword(ctx context.Context, dn string, password identity.Password) error {
	// Replacing a password with nothing would delete it, and the root DSE has
	// none.
	if password == "" {
		return &identity.Refusal{Reason: identity.PasswordTooWeak, Detail: "the new password is empty"}
	}
	if dn == "" {
		return &Error{Doing: "set the password", Err: errors.New("the DN is empty")}
	}
	var after uint64
	for try := 0; ; try++ {
		cn, err := c.work.get(ctx, after)
		if err != nil {
			return fault("set the password of "+dn, "", err)
		}
		if c.o.UnicodePassword && !cn.secure {
			c.work.put(cn, nil, c.o.Now())
			return &Error{Doing: "set the password of " + dn, Server: cn.server.url, Err: errInClear,
				hint: inClearHint}
		}
		sent, err := c.modifyOn(ctx, cn, dn, password)
		c.work.put(cn, err, c.o.Now())
		// Only what was surely not sent, or not done, is sent again: a password
		// history refuses the same password twice.
		if !lost(err) || !sent {
			if next, again := c.again(ctx, cn, err, try); again {
				after = next
				continue
			}
		}
		identity.Note(ctx, cn.server.url, "set the password of "+dn)
		if r := refusedPassword(err); r != nil {
			return r
		}
		if err != nil {
			return fault("set the password of "+dn, cn.server.url, err)
		}
		return nil
	}
}

func (c *Client) modifyOn(ctx context.Context, cn *conn, dn string, password identity.Password) (sent bool, err error) {
	req := ldap.NewModifyRequest(dn, nil)
	if c.o.UnicodePassword {
		req.Replace("unicodePwd", []string{unicodePassword(password)})
	} else {
		req.Replace("userPassword", []string{string(password)})
	}
	if c.o.UnlockOnChange {
		req.Replace("lockoutTime", []string{"0"})
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.o.Timeout, overdue(c.o.Timeout))
	defer cancel()
	before := cn.line.writes.Load()
	_, err = alone(ctx, cn, func(l *ldap.Conn) (struct{}, error) { return struct{}{}, l.Modify(req) })
	return cn.line.writes.Load() != before, err
}

// unicodePassword returns the octets of unicodePwd: the password in quotes, as
// UTF-16, little-endian (MS-ADTS, section 3.1.1.3.1.5).
func unicodePassword(password identity.Password) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune(`"` + string(password) + `"`)) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	return string(b)
}

// refusedPassword returns the directory's no to a new password, if err is one.
func refusedPassword(err error) *identity.Refusal {
	code, message, ok := result(err)
	switch {
	case !ok:
		return nil
	case code == ldap.LDAPResultInsufficientAccessRights:
		return &identity.Refusal{Reason: identity.InsufficientAccess, Detail: message}
	case code == ldap.LDAPResultConstraintViolation, code == ldap.LDAPResultUnwillingToPerform && policyText(message):
		return &identity.Refusal{Reason: identity.PasswordTooWeak, Detail: message}
	}
	return nil
}

// policyText reports whether Active Directory's unwillingness is about the
// password (ERROR_PASSWORD_RESTRICTION is 0000052D).
func policyText(message string) bool {
	return strings.Contains(message, "WILL_NOT_PERFORM") || strings.Contains(strings.ToUpper(message), "0000052D")
}
