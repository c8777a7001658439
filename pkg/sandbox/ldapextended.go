package sandbox

import (
	"context"
	"crypto/rand"
)

// Extended operations that the directory knows.
const (
	oidStartTLS       = "1.3.6.1.4.1.1466.20037"  // RFC 4511, section 4.14
	oidWhoAmI         = "1.3.6.1.4.1.4203.1.11.3" // RFC 4532
	oidPasswordModify = "1.3.6.1.4.1.4203.1.11.1" // RFC 3062
)

// parseExtended reads the name and the value of an extended request.
func parseExtended(body []byte) (oid string, value []byte, err error) {
	r := berReader(body)
	name, err := r.want(berContext)
	if err != nil {
		return "", nil, err
	}
	if len(r) > 0 {
		value, err = r.want(berContext | 1)
	}
	return string(name), value, err
}

func isStartTLS(m *ldapMessage) bool {
	if m.op != ldapExtendedRequest {
		return false
	}
	oid, _, err := parseExtended(m.body)
	return err == nil && oid == oidStartTLS
}

// extended does an extended operation. It reports false when the connection is
// over.
func (c *ldapConn) extended(ctx context.Context, m *ldapMessage) bool {
	oid, value, err := parseExtended(m.body)
	switch {
	case err != nil:
		c.answer(ctx, m, ldapMalformed(err))
	case oid == oidStartTLS:
		return c.upgrade(ctx, m)
	case oid == oidWhoAmI:
		c.answer(ctx, m, c.whoAmI())
	case oid == oidPasswordModify && !c.d.ad():
		c.answer(ctx, m, c.passwordModify(value))
	default:
		c.answer(ctx, m, ldapResult{code: ldapProtocolError, text: c.say(
			"0000203D: LdapErr: DSID-0C090D28, comment: Unknown extended request OID, data 0, v4563", "unsupported extended operation")})
	}
	return true
}

// upgrade answers StartTLS. What was sent along with the request, before TLS,
// could be anybody's: such a connection is closed.
func (c *ldapConn) upgrade(ctx context.Context, m *ldapMessage) bool {
	c.mu.Lock()
	secure := c.secure
	c.mu.Unlock()
	switch {
	case c.d.tls == nil:
		res := ldapResult{code: ldapProtocolError, text: "unsupported extended operation"}
		if c.d.ad() {
			res = ldapResult{code: ldapUnavailable, text: "00000000: LdapErr: DSID-0C090F78, comment: Error initializing SSL/TLS, data 0, v4563"}
		}
		c.answer(ctx, m, res)
		return true
	case secure:
		c.answer(ctx, m, ldapResult{code: ldapOperationsError, text: "TLS already started", name: oidStartTLS})
		return true
	case c.br.Buffered() > 0:
		c.disconnect("data follows StartTLS")
		return false
	}
	c.answer(ctx, m, ldapResult{name: oidStartTLS})
	return c.startTLS()
}

// whoAmI tells the client who it is bound as.
func (c *ldapConn) whoAmI() ldapResult {
	c.mu.Lock()
	who := c.who
	c.mu.Unlock()
	me := ""
	switch {
	case who == nil:
	case c.d.ad():
		me = `u:` + c.d.netBIOS() + `\` + firstValue(who.get(c.d.store.schema.types["samaccountname"]))
	default:
		me = "dn:" + who.dn
	}
	return ldapResult{value: &me}
}

func firstValue(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// passwordModify changes a password by RFC 3062: the client's own, or with the
// right to write anybody's. Without a new one it makes one and returns it.
func (c *ldapConn) passwordModify(value []byte) ldapResult {
	var user, old, fresh string
	var given bool
	if len(value) > 0 {
		outer := berReader(value)
		body, err := outer.want(berSequence)
		if err != nil {
			return ldapMalformed(err)
		}
		for r := berReader(body); len(r) > 0; {
			tag, v, err := r.next()
			if err != nil {
				return ldapMalformed(err)
			}
			switch tag {
			case berContext:
				user = string(v)
			case berContext | 1:
				old = string(v)
			case berContext | 2:
				fresh, given = string(v), true
			}
		}
	}
	c.mu.Lock()
	who := c.who
	c.mu.Unlock()
	e := who
	if user != "" {
		norm, err := normaliseDN(user)
		if err != nil {
			return ldapResult{code: ldapInvalidDNSyntax, text: "Invalid DN"}
		}
		e = c.d.byName(norm)
	}
	switch {
	case who == nil:
		return ldapResult{code: ldapStrongerAuthRequired, text: "only authenticated users may change passwords"}
	case e == nil:
		return ldapResult{code: ldapNoSuchObject}
	case e != who && !c.d.mayWrite(who):
		return ldapResult{code: ldapInsufficientAccess}
	case old != "" && !c.d.knows(e, old):
		return ldapResult{code: ldapUnwilling, text: "unwilling to verify old password"}
	}
	res := ldapResult{}
	if !given {
		fresh = rand.Text()
		var w berWriter
		list := w.begin(berSequence)
		w.string(berContext, fresh)
		w.end(list)
		generated := string(w.b)
		res.value = &generated
	}
	if refused, ok := c.d.refusePassword(e, fresh, false); !ok {
		return refused
	}
	if err := c.d.setPassword(e, fresh); err != nil {
		return ldapResult{code: ldapOther, text: err.Error()}
	}
	c.d.forgetWrong(e)
	c.become(who, false)
	return res
}
