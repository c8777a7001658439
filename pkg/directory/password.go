package directory

import (
	"context"
	"errors"
	"net"
	"strings"
	"unicode/utf8"

	"ad-ldap-connector/pkg/identity"

	"github.com/go-ldap/ldap/v3"
)

// Causes of not even trying: a new password never crosses a network in clear.
// Active Directory does not take one so from its own machine either.
var (
	errInClear = errors.New("unicodePwd needs TLS, and the connection is in clear")
	errExposed = errors.New("the new password would cross the network in clear")
)

// SetPassword replaces the password of dn under the service account. A directory
// that does not take it, or not from this account, makes the error an
// *identity.Refusal. With UnlockOnChange the account is unlocked as well, where
// the service account may; that it may not does not undo the change.
func (c *Client) SetPassword(ctx context.Context, dn string, password identity.Password) error {
	// Replacing a password with nothing would delete it, or have the server
	// make one up (RFC 3062, section 2), and the root DSE has none.
	if password == "" {
		return &identity.Refusal{Reason: identity.PasswordTooWeak, Detail: "the new password is empty"}
	}
	// What is not text would be set as something else than was typed.
	if !utf8.ValidString(string(password)) {
		return &identity.Refusal{Reason: identity.PasswordTooWeak, Detail: "the new password is not text"}
	}
	if dn == "" {
		return &Error{Doing: "set the password", Err: errors.New("the DN is empty")}
	}
	if other := c.places.of(dn); other != nil {
		return other.SetPassword(ctx, dn, password)
	}
	doing := "set the password of " + dn
	var after uint64
	for try := 0; ; try++ {
		cn, err := c.work.get(ctx, after)
		if err != nil {
			return fault(doing, "", err)
		}
		if err := c.carries(cn); err != nil {
			c.work.put(cn, nil, c.o.Now())
			return &Error{Doing: doing, Server: cn.server.url, Err: err, hint: inClearHint}
		}
		note, sent, err := c.setOn(ctx, cn, dn, password)
		c.work.put(cn, err, c.o.Now())
		// Only what was surely not sent, or not done, is sent again: a password
		// history refuses the same password twice.
		if !lost(err) || !sent {
			if next, again := c.again(ctx, cn, err, try); again {
				after = next
				continue
			}
		}
		if other, there := c.referred(err, dn, cn.server); other != nil {
			return other.SetPassword(ctx, there, password) // a replica that may only be read
		}
		return passwordSet(ctx, cn.server.url, doing, note, err)
	}
}

// passwordSet sorts the outcome of a change.
func passwordSet(ctx context.Context, server, doing, note string, err error) error {
	if note != "" {
		note = doing + "; " + note
	} else {
		note = doing
	}
	identity.Note(ctx, server, note)
	if r := refusedPassword(err); r != nil {
		return r
	}
	if err != nil {
		return fault(doing, server, err)
	}
	return nil
}

// carries returns why a connection must not carry a new password, or nil.
func (c *Client) carries(cn *conn) error {
	switch {
	case cn.secure:
		return nil
	case c.o.UnicodePassword:
		return errInClear
	case !cn.local():
		return errExposed
	}
	return nil
}

// local reports whether what the connection carries stays on this machine, by
// its name and by where it in fact leads.
func (c *conn) local() bool {
	if !loopback(c.server.host) {
		return false
	}
	peer, ok := c.line.tcp.RemoteAddr().(*net.TCPAddr)
	return ok && peer.IP.IsLoopback()
}

// refusedPassword returns the directory's no to a new password, if err is one.
func refusedPassword(err error) *identity.Refusal {
	code, message, ok := result(err)
	switch {
	case !ok:
		return nil
	case code == ldap.LDAPResultInsufficientAccessRights:
		return meaning{identity.InsufficientAccess, "the service account may not set this password"}.refusal(message)
	case code == ldap.LDAPResultNoSuchObject:
		return meaning{identity.WrongUsername, "the entry is not there any more"}.refusal(message)
	case code == ldap.LDAPResultConstraintViolation, code == ldap.LDAPResultUnwillingToPerform && policyText(message):
		return tooWeak(message)
	}
	return nil
}

// policyText reports whether Active Directory's unwillingness is about the
// password (ERROR_PASSWORD_RESTRICTION is 0000052D).
func policyText(message string) bool {
	return strings.Contains(message, "WILL_NOT_PERFORM") || strings.Contains(strings.ToUpper(message), "0000052D")
}

// tooWeak reads why a password policy said no. Active Directory does not tell
// which of its rules it was; the others say so when a password was used before.
func tooWeak(message string) *identity.Refusal {
	lower := strings.ToLower(message)
	for _, word := range []string{"history", "already used", "already been used", "reuse"} {
		if strings.Contains(lower, word) {
			return meaning{identity.PasswordReused, "the user had this password before"}.refusal(message)
		}
	}
	m := meaning{reason: identity.PasswordTooWeak}
	if strings.Contains(lower, "0000052d") && !strings.Contains(lower, "check_password_restrictions") {
		m.words = "too short, too simple, too soon or used before"
	}
	return m.refusal(message)
}
