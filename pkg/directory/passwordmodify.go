package directory

import (
	"context"
	"encoding/binary"
	"unicode/utf16"

	"ad-ldap-connector/pkg/identity"

	"github.com/go-ldap/ldap/v3"
)

// How a password is set that does not go to unicodePwd.
const (
	// AutoPasswords replaces userPassword, which is what Active Directory's like
	// and 389 Directory Server's expect, but uses the extended operation where a
	// replaced password would be stored in clear (OpenLDAP, unless told to hash)
	// or is not taken.
	AutoPasswords = "auto"
	// ModifyPasswords replaces userPassword.
	ModifyPasswords = "modify"
	// ExtendedPasswords uses the password modify operation (RFC 3062).
	ExtendedPasswords = "extended"
)

// setOn sets a password and, if it is to, unlocks the account. The note says
// what of that could not be done.
func (c *Client) setOn(ctx context.Context, cn *conn, dn string, password identity.Password) (note string, sent bool, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.o.Timeout, overdue(c.o.Timeout))
	defer cancel()
	before := cn.line.writes.Load()
	t := cn.server.traits.Load()
	if t == nil {
		t = &traits{}
	}
	if c.o.UnicodePassword || t.activeDirectory {
		note, err = c.setActiveDirectory(ctx, cn, dn, password)
	} else {
		note, err = c.setPlain(ctx, cn, t, dn, password)
	}
	if note != "" {
		c.o.Log.Info("password set, account not unlocked", "dn", dn, "server", cn.server.url, "reason", note)
	}
	return note, cn.line.writes.Load() != before, err
}

// setActiveDirectory sets the password and unlocks in one request, as ever;
// where the right to unlock is missing, or the attribute, without that.
func (c *Client) setActiveDirectory(ctx context.Context, cn *conn, dn string, password identity.Password) (note string, err error) {
	replace := ldap.PartialAttribute{Type: "userPassword", Vals: []string{string(password)}}
	if c.o.UnicodePassword {
		replace = ldap.PartialAttribute{Type: "unicodePwd", Vals: []string{unicodePassword(password)}}
	}
	if !c.o.UnlockOnChange {
		return "", modify(ctx, cn, dn, replace)
	}
	err = modify(ctx, cn, dn, replace, ldap.PartialAttribute{Type: "lockoutTime", Vals: []string{"0"}})
	if !aboutUnlocking(err) {
		return "", err
	}
	if alone := modify(ctx, cn, dn, replace); alone != nil {
		return "", alone
	}
	return "lockoutTime stays as it is: " + describe(err), nil
}

// aboutUnlocking reports whether a request may have been refused because of the
// part of it that unlocks.
func aboutUnlocking(err error) bool {
	code, _, ok := result(err)
	return ok && (code == ldap.LDAPResultInsufficientAccessRights || code == ldap.LDAPResultUndefinedAttributeType ||
		code == ldap.LDAPResultObjectClassViolation || code == ldap.LDAPResultNoSuchAttribute)
}

// setPlain sets the password of an entry that is not Active Directory's.
func (c *Client) setPlain(ctx context.Context, cn *conn, t *traits, dn string, password identity.Password) (note string, err error) {
	auto := c.o.PasswordMethod != ModifyPasswords && c.o.PasswordMethod != ExtendedPasswords
	if c.o.PasswordMethod == ExtendedPasswords || auto && t.passwordModify && t.storesAsGiven {
		err = passwordModify(ctx, cn, dn, password)
	} else {
		err = modify(ctx, cn, dn, ldap.PartialAttribute{Type: "userPassword", Vals: []string{string(password)}})
		code, _, _ := result(err)
		if auto && t.passwordModify && code == ldap.LDAPResultUnwillingToPerform && refusedPassword(err) == nil {
			err = passwordModify(ctx, cn, dn, password)
		}
	}
	if err != nil || !c.o.UnlockOnChange {
		return "", err
	}
	// OpenLDAP does so by itself when an administrator sets the password, and
	// this is for the others.
	if unlock := modify(ctx, cn, dn, ldap.PartialAttribute{Type: "pwdAccountLockedTime"}); unlock != nil {
		return "pwdAccountLockedTime is left to the server: " + describe(unlock), nil
	}
	return "", nil
}

// modify replaces attributes, all or none; one without values is removed if it
// is there (RFC 4511, section 4.6).
func modify(ctx context.Context, cn *conn, dn string, replace ...ldap.PartialAttribute) error {
	req := ldap.NewModifyRequest(dn, nil)
	for _, a := range replace {
		req.Replace(a.Type, a.Vals)
	}
	_, err := alone(ctx, cn, func(l *ldap.Conn) (struct{}, error) { return struct{}{}, l.Modify(req) })
	return err
}

// passwordModify has the server set the password as it sees fit (RFC 3062).
func passwordModify(ctx context.Context, cn *conn, dn string, password identity.Password) error {
	req := ldap.NewPasswordModifyRequest(dn, "", string(password))
	_, err := alone(ctx, cn, func(l *ldap.Conn) (*ldap.PasswordModifyResult, error) { return l.PasswordModify(req) })
	return err
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
