package directory

import (
	"context"
	"errors"

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
	if other := c.places.of(dn); other != nil {
		return other.Bind(ctx, dn, password)
	}
	var after uint64
	lostBinds := 0
	for try := 0; ; try++ {
		cn, err := c.binds.get(ctx, after)
		if err != nil {
			return fault("bind as "+dn, "", err)
		}
		said, err := c.bindOn(ctx, cn, dn, password)
		c.binds.put(cn, err, c.o.Now())
		// A connection that idled may have been cut long ago, and a server may go
		// down over a bind. It was not answered, so trying again changes nothing
		// but a count: if the server did get a wrong password, it counts it
		// twice. Hence one repetition, and no more. A server that does no work
		// has not looked at the password, and that does not count.
		if lost(err) {
			lostBinds++
		}
		var judged *garbled // in words that cannot be read
		if lostBinds <= 1 && !errors.As(err, &judged) {
			if next, again := c.again(ctx, cn, err, try); again {
				after = next
				continue
			}
		}
		if other, there := c.referred(err, dn, cn.server); other != nil {
			return other.Bind(ctx, there, password)
		}
		return c.bound(ctx, dn, cn.server.url, said, err)
	}
}

func (c *Client) bindOn(ctx context.Context, cn *conn, dn string, password identity.Password) (policy, error) {
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
		return noPolicy, err
	}
	return policyOf(answer.Controls), err
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
func (c *Client) bound(ctx context.Context, dn, server string, said policy, err error) error {
	doing := "bind as " + dn
	if refusal := refusedBind(said, err); refusal != nil {
		identity.Note(ctx, server, doing)
		return refusal
	}
	if err != nil {
		identity.Note(ctx, server, doing)
		return fault(doing, server, err)
	}
	note := doing + ": right"
	if warning := said.warning(); warning != "" {
		note += "; " + warning
		c.o.Log.Info("password policy", "dn", dn, "server", server, "warning", warning)
	}
	identity.Note(ctx, server, note)
	return nil
}

// refusedBind returns the directory's no, if the outcome of a bind is one. A
// text that says more than the policy does goes first: to 389 Directory Server's
// policy, an account that is disabled is a locked one.
func refusedBind(said policy, err error) *identity.Refusal {
	code, message, answered := result(err)
	if err != nil && !answered {
		return nil
	}
	m, refused := said.meaning(code)
	if code != ldap.LDAPResultSuccess {
		if told, ok := meaningOf(code, message); ok && (!refused || told.words != "") {
			m, refused = told, true
		}
	}
	if !refused {
		return nil
	}
	return m.refusal(message)
}
