package sandbox

// compare asks whether an entry has a value (RFC 4511, section 4.10).
func (c *ldapConn) compare(m *ldapMessage) ldapResult {
	r := berReader(m.body)
	dn, err := r.text()
	if err != nil {
		return ldapMalformed(err)
	}
	body, err := r.want(berSequence)
	if err != nil {
		return ldapMalformed(err)
	}
	ava := berReader(body)
	name, err := ava.text()
	if err != nil {
		return ldapMalformed(err)
	}
	value, err := ava.text()
	if err != nil {
		return ldapMalformed(err)
	}
	norm, err := normaliseDN(dn)
	if err != nil {
		return ldapResult{code: ldapInvalidDNSyntax, text: "invalid DN"}
	}
	s := c.d.store
	e, t := s.find(norm), s.schema.lookup(name)
	switch {
	case e == nil:
		return c.noObject(norm)
	case t == nil:
		return ldapResult{code: ldapUndefinedType, text: c.say("00000057: LdapErr: DSID-0C090DCF, comment: Error in attribute conversion operation, data 0, v4563", "attribute type undefined")}
	case t.kind == kindHidden:
		return ldapResult{code: ldapInsufficientAccess}
	}
	want, ok := s.schema.normalise(t, value)
	if !ok {
		return ldapResult{code: ldapInvalidSyntax}
	}
	s.mu.RLock()
	values := s.values(e, t)
	s.mu.RUnlock()
	if len(values) == 0 {
		return ldapResult{code: ldapNoSuchAttribute}
	}
	for _, v := range values {
		if got, ok := s.schema.normalise(t, v); ok && got == want {
			return ldapResult{code: ldapCompareTrue}
		}
	}
	return ldapResult{code: ldapCompareFalse}
}
