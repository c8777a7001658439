package sandbox

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Kinds of change (RFC 4511, section 4.6).
const (
	changeAdd     = 0
	changeDelete  = 1
	changeReplace = 2
)

// ldapChange is one change of a modify request.
type ldapChange struct {
	kind   int
	name   string
	values []string
}

func parseModify(body []byte) (dn string, changes []ldapChange, err error) {
	r := berReader(body)
	if dn, err = r.text(); err != nil {
		return "", nil, err
	}
	list, err := r.want(berSequence)
	if err != nil {
		return "", nil, err
	}
	for rest := berReader(list); len(rest) > 0; {
		one, err := rest.want(berSequence)
		if err != nil {
			return "", nil, err
		}
		change, err := parseChange(one)
		if err != nil {
			return "", nil, err
		}
		changes = append(changes, change)
	}
	return dn, changes, nil
}

func parseChange(body []byte) (ch ldapChange, err error) {
	r := berReader(body)
	if ch.kind, err = r.number(berEnumerated); err != nil {
		return ch, err
	}
	if ch.kind < changeAdd || ch.kind > changeReplace {
		return ch, errors.New("unknown kind of change")
	}
	attr, err := r.want(berSequence)
	if err != nil {
		return ch, err
	}
	a := berReader(attr)
	if ch.name, err = a.text(); err != nil {
		return ch, err
	}
	set, err := a.want(berSet)
	if err != nil {
		return ch, err
	}
	for vs := berReader(set); len(vs) > 0; {
		v, err := vs.text()
		if err != nil {
			return ch, err
		}
		ch.values = append(ch.values, v)
	}
	if ch.kind == changeAdd && len(ch.values) == 0 {
		return ch, errors.New("nothing to add")
	}
	return ch, nil
}

// ldapRefused carries a result through a function that returns errors.
type ldapRefused ldapResult

func (r ldapRefused) Error() string { return fmt.Sprintf("result %d: %s", r.code, r.text) }

func refuse(code int, text string) error { return ldapRefused{code: code, text: text} }

// modify changes an entry: all of the changes, or none.
func (c *ldapConn) modify(m *ldapMessage) ldapResult {
	dn, changes, err := parseModify(m.body)
	if err != nil {
		return ldapMalformed(err)
	}
	norm, err := normaliseDN(dn)
	if err != nil {
		return ldapResult{code: ldapInvalidDNSyntax, text: c.say("0000208F: NameErr: DSID-03100225, problem 2006 (BAD_NAME), data 8350, best match of:\n\t''\n", "invalid DN")}
	}
	e := c.d.byName(norm)
	if e == nil {
		return c.noObject(norm)
	}
	c.mu.Lock()
	who, must, secure := c.who, c.must, c.secure
	c.mu.Unlock()
	change := isPasswordChange(changes)
	own := change && c.d.ad() || who == e && (change || !c.d.ad() && onlyPasswords(changes))
	if !own && (must || !c.d.mayWrite(who)) {
		return ldapResult{code: ldapInsufficientAccess, text: c.say("00002098: SecErr: DSID-03150F94, problem 4003 (INSUFF_ACCESS_RIGHTS), data 0", "")}
	}
	edit := directoryEdit{d: c.d, e: e, secure: secure, change: change}
	err = c.d.store.update(e, func(as []storeAttr) ([]storeAttr, error) {
		for _, ch := range changes {
			if as, err = edit.apply(as, ch); err != nil {
				return nil, err
			}
		}
		return as, nil
	})
	var no ldapRefused
	switch {
	case errors.As(err, &no):
		return ldapResult(no)
	case err != nil:
		return ldapResult{code: ldapOther, text: err.Error()}
	}
	edit.settled()
	if must {
		c.become(who, false)
	}
	return ldapResult{}
}

// isPasswordChange reports whether all that is asked for is a change of the
// password by who knows the old one: it is deleted, and the new one added.
func isPasswordChange(changes []ldapChange) bool {
	return len(changes) == 2 && changes[0].kind == changeDelete && changes[1].kind == changeAdd &&
		len(changes[0].values) == 1 && len(changes[1].values) == 1 &&
		isPasswordName(changes[0].name) && strings.EqualFold(changes[0].name, changes[1].name)
}

// onlyPasswords reports whether nothing but the password is changed, which
// OpenLDAP lets users do to themselves.
func onlyPasswords(changes []ldapChange) bool {
	return !slices.ContainsFunc(changes, func(ch ldapChange) bool { return !isPasswordName(ch.name) })
}

func isPasswordName(name string) bool {
	return strings.EqualFold(name, "unicodePwd") || strings.EqualFold(name, "userPassword")
}

// directoryEdit applies the changes of one request to one entry.
type directoryEdit struct {
	d      *Directory
	e      *storeEntry
	secure bool
	change bool // the old password proves the right
	reset  bool // a password was set
}

func (x *directoryEdit) say(ad, plain string) string {
	if x.d.ad() {
		return ad
	}
	return plain
}

func (x *directoryEdit) apply(as []storeAttr, ch ldapChange) ([]storeAttr, error) {
	if isPasswordName(ch.name) {
		return x.password(as, ch)
	}
	s := x.d.store
	t := s.schema.lookup(ch.name)
	switch {
	case t == nil:
		return nil, refuse(ldapUndefinedType, x.say("00000057: LdapErr: DSID-0C090DCF, comment: Error in attribute conversion operation, data 0, v4563", ch.name+": attribute type undefined"))
	case t.kind != kindStored || t == s.guid || t == s.objectSID:
		return nil, refuse(ldapUnwilling, x.say(adUnwilling("0000209A"), ch.name+": no user modification allowed"))
	case s.rdnType(x.e, t):
		return nil, refuse(ldapNotAllowedOnRDN, x.say("00002016: UpdErr: DSID-031B0D6E, problem 6004 (CANT_ON_RDN), data 0", "naming attribute"))
	}
	values := slices.Clone(ch.values)
	for i, v := range values {
		if t == s.schema.types["pwdlastset"] && v == "-1" { // as if it had been set now
			values[i] = strconv.FormatInt(fileTime(x.d.now()), 10)
		}
		if _, ok := s.schema.normalise(t, v); !ok || v == "" {
			return nil, refuse(ldapInvalidSyntax, x.say("00000057: LdapErr: DSID-0C090DCF, comment: Error in attribute conversion operation, data 0, v4563", ch.name+": value invalid per syntax"))
		}
	}
	var old []string
	for _, a := range as {
		if a.kind == t {
			old = a.values
		}
	}
	fresh, err := x.merge(t, old, ldapChange{ch.kind, ch.name, values})
	if err != nil {
		return nil, err
	}
	if t.single && len(fresh) > 1 {
		return nil, refuse(ldapConstraintViolation, x.say("00002081: AtrErr: DSID-031519BA, #1:\n\t0: 00002081: DSID-031519BA, problem 1005 (CONSTRAINT_ATT_TYPE)", ch.name+": multiple values provided"))
	}
	return withAttr(as, t, fresh...), nil
}

// merge gives the values of an attribute after a change.
func (x *directoryEdit) merge(t *schemaType, old []string, ch ldapChange) ([]string, error) {
	s := x.d.store.schema
	index := func(values []string, v string) int {
		want, _ := s.normalise(t, v)
		return slices.IndexFunc(values, func(o string) bool { got, _ := s.normalise(t, o); return got == want })
	}
	var fresh []string
	if ch.kind != changeReplace {
		fresh = slices.Clone(old)
	}
	if ch.kind == changeDelete {
		if len(old) == 0 {
			return nil, refuse(ldapNoSuchAttribute, x.say("00002085: AtrErr: DSID-0315174C, problem 1001 (NO_ATTRIBUTE_OR_VAL)", ch.name+": no such attribute"))
		}
		if len(ch.values) == 0 {
			return nil, nil
		}
		for _, v := range ch.values {
			i := index(fresh, v)
			if i < 0 {
				return nil, refuse(ldapNoSuchAttribute, x.say("00002085: AtrErr: DSID-0315174C, problem 1001 (NO_ATTRIBUTE_OR_VAL)", ch.name+": no such value"))
			}
			fresh = slices.Delete(fresh, i, i+1)
		}
		return fresh, nil
	}
	for _, v := range ch.values {
		if index(fresh, v) >= 0 {
			return nil, refuse(ldapValueExists, x.say("00002083: AtrErr: DSID-031519F7, problem 1006 (ATT_OR_VALUE_EXISTS)", ch.name+": value provided more than once"))
		}
		fresh = append(fresh, v)
	}
	return fresh, nil
}
