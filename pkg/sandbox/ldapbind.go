package sandbox

import (
	"strings"
)

// Controls that the directory knows.
const (
	controlPaging       = "1.2.840.113556.1.4.319"
	controlPolicy       = "1.3.6.1.4.1.42.2.27.8.5.1" // password policy (draft-behera-ldap-password-policy)
	controlManageDsaIT  = "2.16.840.1.113730.3.4.2"   // RFC 3296
	controlDomainScope  = "1.2.840.113556.1.4.1339"   // no continuation references
	controlPolicyHints  = "1.2.840.113556.1.4.2239"   // password history also for resets
	controlPolicyHints0 = "1.2.840.113556.1.4.2066"   // its older number
	controlPermissive   = "1.2.840.113556.1.4.1413"   // permissive modify
)

// Controls of answers alone, older than the password policy's.
const (
	controlExpired  = "2.16.840.1.113730.3.4.4" // the password must be changed
	controlExpiring = "2.16.840.1.113730.3.4.5" // the seconds until then
)

var ldapControls = []string{controlPaging, controlPolicy, controlManageDsaIT, controlDomainScope, controlPolicyHints, controlPolicyHints0, controlPermissive}

// refuseControls refuses what the client says must be understood, and is not.
func (c *ldapConn) refuseControls(m *ldapMessage) (ldapResult, bool) {
	for _, k := range m.controls {
		known := false
		for _, oid := range ldapControls {
			known = known || oid == k.oid
		}
		if k.critical && !known {
			return ldapResult{code: ldapCriticalUnavailable, text: c.say(
				"00000057: LdapErr: DSID-0C090B28, comment: Error processing control, data 0, v4563", "critical extension is not recognized")}, true
		}
	}
	return ldapResult{}, false
}

// refuseStranger refuses operations before a bind, and to who has to change
// the password first.
func (c *ldapConn) refuseStranger(m *ldapMessage) (ldapResult, bool) {
	c.mu.Lock()
	who, must := c.who, c.must
	c.mu.Unlock()
	if m.op == ldapBindRequest || m.op == ldapExtendedRequest {
		return ldapResult{}, false
	}
	if must && m.op != ldapModifyRequest {
		if c.d.traits.Load().Server389 {
			return ldapResult{code: ldapUnwilling, control: []ldapControl{{oid: controlExpired, value: []byte("0")}}}, true
		}
		return ldapResult{code: ldapInsufficientAccess,
			text: "Operations are restricted to bind/unbind/abandon/StartTLS/modify password"}, true
	}
	read := m.op == ldapSearchRequest || m.op == ldapCompareRequest
	if who != nil || read && (c.d.traits.Load().AnonymousSearch || m.op == ldapSearchRequest && asksRootDSE(m)) {
		return ldapResult{}, false
	}
	if c.d.ad() {
		return ldapResult{code: ldapOperationsError, text: "000004DC: LdapErr: DSID-0C090A5C, comment: In order to perform this operation a successful bind must be completed on the connection., data 0, v4563"}, true
	}
	return ldapResult{code: ldapStrongerAuthRequired, text: "authentication required"}, true
}

// bind signs the client in. Until it has succeeded the connection is anonymous
// (RFC 4511, section 4.2.1).
func (c *ldapConn) bind(m *ldapMessage) ldapResult {
	c.become(nil, false)
	r := berReader(m.body)
	version, err := r.number(berInteger)
	if err != nil {
		return ldapMalformed(err)
	}
	name, err := r.text()
	if err != nil {
		return ldapMalformed(err)
	}
	method, body, err := r.next()
	if err != nil {
		return ldapMalformed(err)
	}
	if version != 3 {
		return ldapResult{code: ldapProtocolError, text: "only version 3 of the protocol is spoken"}
	}
	if method != berContext {
		return ldapResult{code: ldapAuthMethodNotSupported, text: c.say(
			"00002027: LdapErr: DSID-0C0904D8, comment: Invalid Authentication method, data 0, v4563", "only simple binds are supported")}
	}
	password := string(body)
	if password == "" {
		return c.bindAnonymous(name)
	}
	c.mu.Lock()
	secure := c.secure
	c.mu.Unlock()
	if c.d.traits.Load().RequireTLS && !secure {
		return ldapResult{code: ldapStrongerAuthRequired, text: c.say(
			`00002028: LdapErr: DSID-0C090202, comment: The server requires binds to turn on integrity checking if SSL\TLS are not already active on the connection, data 0, v4563`,
			"TLS confidentiality required")}
	}
	if !c.d.ad() {
		if _, err := normaliseDN(name); err != nil {
			return ldapResult{code: ldapInvalidDNSyntax, text: "invalid DN"}
		}
	}
	c.d.takeTurn()
	e := c.d.identify(name)
	state := c.d.try(e, password)
	c.d.log.Debug("bind", "name", name, "state", string(state))
	if c.d.ad() {
		if state != accountOK {
			return ldapResult{code: ldapInvalidCredentials,
				text: "80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data " + string(state) + ", v1db1"}
		}
		c.become(e, false)
		return ldapResult{}
	}
	if c.d.traits.Load().Server389 {
		return c.bind389(m, e, state)
	}
	return c.bindPlain(m, e, state)
}

// bindAnonymous answers binds without a password. With a name they are mistakes
// of the client, which Active Directory lets pass as anonymous (RFC 4513,
// section 5.1.2, warns of it).
func (c *ldapConn) bindAnonymous(name string) ldapResult {
	switch {
	case c.d.ad():
		return ldapResult{}
	case name != "":
		return ldapResult{code: ldapUnwilling, text: "unauthenticated bind (DN with no password) disallowed"}
	case c.d.traits.Load().AnonymousSearch:
		return ldapResult{}
	}
	return ldapResult{code: ldapInappropriateAuth, text: "anonymous bind disallowed"}
}

// become changes who the connection's operations are done as.
func (c *ldapConn) become(e *storeEntry, must bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.who, c.must = e, must
	clear(c.cursors) // they show what another was allowed to see
}

func ldapMalformed(err error) ldapResult {
	return ldapResult{code: ldapProtocolError, text: "request is malformed: " + err.Error()}
}

// asksRootDSE reports whether a search is for the server's own entry, which
// everybody may read.
func asksRootDSE(m *ldapMessage) bool {
	r := berReader(m.body)
	base, err := r.text()
	if err != nil || strings.TrimSpace(base) != "" {
		return false
	}
	scope, err := r.number(berEnumerated)
	return err == nil && scope == scopeBase
}
