package directory

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"unicode"

	"ad-ldap-connector/pkg/identity"

	"github.com/go-ldap/ldap/v3"
)

// Bind tries a user's password on a connection of its own. A refusal is an
// *identity.Refusal; that the server could not be asked, or would not say, is
// any other error.
func (c *Client) Bind(ctx context.Context, dn string, password identity.Password) error {
	// An empty password is an unauthenticated bind, an empty DN an anonymous
	// one, and both succeed at many servers (RFC 4513, section 5.1).
	if password == "" {
		return &identity.Refusal{Reason: identity.WrongPassword, Detail: "the password is empty"}
	}
	if dn == "" {
		return &Error{Doing: "bind", Err: errors.New("the DN is empty")}
	}
	var after uint64
	for try := 0; ; try++ {
		cn, err := c.binds.get(ctx, after)
		if err != nil {
			return fault("bind as "+dn, "", err)
		}
		policy, err := c.bindOn(ctx, cn, dn, password)
		c.binds.put(cn, err, c.o.Now())
		// A connection that idled may have been cut long ago. The bind that
		// learns of it was not answered, so trying again changes nothing but,
		// at worst, a count of wrong passwords.
		if lost(err) && try == 0 && ctx.Err() == nil {
			after = c.newest()
			continue
		}
		return bound(ctx, dn, cn.server.url, policy, err)
	}
}

func (c *Client) bindOn(ctx context.Context, cn *conn, dn string, password identity.Password) (*ldap.ControlBeheraPasswordPolicy, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.o.Timeout, overdue(c.o.Timeout))
	defer cancel()
	var controls []ldap.Control
	if c.hasPolicy(ctx, cn.server) {
		controls = []ldap.Control{ldap.NewControlBeheraPasswordPolicy()}
	}
	answer, err := alone(ctx, cn, func(l *ldap.Conn) (*ldap.SimpleBindResult, error) {
		return l.SimpleBind(ldap.NewSimpleBindRequest(dn, string(password), controls))
	})
	if answer == nil {
		return nil, err
	}
	policy, _ := ldap.FindControl(answer.Controls, policyOID).(*ldap.ControlBeheraPasswordPolicy) // nil when there is none
	return policy, err
}

// hasPolicy reports whether the server tells the state of an account in a
// control, which a connection bound as the service account learns. Not to know
// is to do without.
func (c *Client) hasPolicy(ctx context.Context, s *server) bool {
	if s.traits.Load() == nil {
		if cn, err := c.shared.get(ctx, 0); err == nil {
			c.shared.put(cn, nil, c.o.Now())
		}
	}
	t := s.traits.Load()
	return t != nil && t.policy
}

// bound sorts the outcome of a bind.
func bound(ctx context.Context, dn, server string, policy *ldap.ControlBeheraPasswordPolicy, err error) error {
	refusal := refusedBind(policy, err)
	if refusal == nil && err != nil {
		identity.Note(ctx, server, "bind as "+dn)
		return fault("bind as "+dn, server, err)
	}
	if refusal == nil {
		identity.Note(ctx, server, "bind as "+dn+": right")
		return nil
	}
	identity.Note(ctx, server, "bind as "+dn+": "+string(refusal.Reason))
	return refusal
}

// subCodes are Active Directory's reasons (Win32 error codes, in hexadecimal)
// beyond a wrong name or password: 52e, 525, 530 (hours), 531 (workstation).
var subCodes = map[uint64]identity.Reason{
	0x532: identity.PasswordExpired,
	0x533: identity.AccountDisabled,
	0x534: identity.AccountDisabled, // no right to log on in this way
	0x701: identity.AccountExpired,
	0x773: identity.PasswordChangeRequired,
	0x775: identity.AccountLocked,
}

// refusedBind returns the directory's no, if the outcome of a bind is one. A
// password policy's word counts beside every result: with a success the password
// was right, but must be changed before anything else is allowed; and 389
// Directory Server says no to locked accounts by other results than OpenLDAP.
func refusedBind(policy *ldap.ControlBeheraPasswordPolicy, err error) *identity.Refusal {
	code, message, answered := result(err)
	if err != nil && !answered {
		return nil
	}
	if policy != nil {
		switch policy.Error { // -1 when there is none
		case 0:
			return &identity.Refusal{Reason: identity.PasswordExpired, Detail: message}
		case 1:
			return &identity.Refusal{Reason: identity.AccountLocked, Detail: message}
		case 2:
			return &identity.Refusal{Reason: identity.PasswordChangeRequired, Detail: message}
		}
	}
	if err == nil || code != ldap.LDAPResultInvalidCredentials {
		return nil
	}
	reason, ok := subCodes[subCode(message)]
	if !ok {
		reason = identity.WrongPassword
	}
	return &identity.Refusal{Reason: reason, Detail: message}
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
