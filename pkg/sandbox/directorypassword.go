package sandbox

import (
	"encoding/binary"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// directoryMinPassword is the shortest password that may be set, in characters.
const directoryMinPassword = 8

// mayWrite reports whether who may change entries: the service account may,
// unless that right was taken from it.
func (d *Directory) mayWrite(who *storeEntry) bool {
	return who != nil && who == d.service && !d.traits.Load().NoWriteAccess
}

// knows reports whether a password is an entry's, whatever the account's state.
func (d *Directory) knows(e *storeEntry, password string) bool {
	for _, stored := range e.get(d.store.userPassword) {
		if passwordMatches(stored, password) {
			return true
		}
	}
	return e == d.service && samePassword(password, d.password)
}

// password applies a change of unicodePwd or userPassword.
func (x *directoryEdit) password(as []storeAttr, ch ldapChange) ([]storeAttr, error) {
	if len(ch.values) != 1 {
		return nil, refuse(ldapUnwilling, x.say(adUnwilling("0000001F"), "a password has one value"))
	}
	value := ch.values[0]
	if strings.EqualFold(ch.name, "unicodePwd") {
		if !x.d.ad() {
			return nil, refuse(ldapUndefinedType, "unicodePwd: attribute type undefined")
		}
		if !x.secure {
			return nil, refuse(ldapUnwilling, adUnwilling("0000001F"))
		}
		plain, ok := unicodePassword(value)
		if !ok {
			return nil, refuse(ldapUnwilling, adUnwilling("0000001F"))
		}
		value = plain
	}
	if x.d.traits.Load().OnlyExtendedPasswords {
		return nil, refuse(ldapUnwilling, "passwords are changed by the extended operation")
	}
	switch {
	case ch.kind == changeDelete && x.change:
		if !x.d.knows(x.e, value) {
			return nil, refuse(ldapConstraintViolation, x.say(
				"00000056: AtrErr: DSID-03191083, #1:\n\t0: 00000056: DSID-03191083, problem 1005 (CONSTRAINT_ATT_TYPE), data 0, Att 9005a (unicodePwd)\n", "old password does not match"))
		}
		return as, nil // the new one replaces it
	case ch.kind == changeReplace, ch.kind == changeAdd && x.change:
	default:
		return nil, refuse(ldapUnwilling, x.say(adUnwilling("0000001F"), "passwords are replaced"))
	}
	if res, ok := x.d.refusePassword(x.e, value, x.change); !ok {
		return nil, ldapRefused(res)
	}
	x.reset = true
	return x.d.withPassword(as, value), nil
}

// settled is called once the changes hold.
func (x *directoryEdit) settled() {
	if x.reset || !x.d.isLocked(x.e) {
		x.d.forgetWrong(x.e)
	}
}

// forgetWrong begins anew to count an account's wrong passwords.
func (d *Directory) forgetWrong(e *storeEntry) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.wrong, e)
}

// withPassword sets a password, and what is remembered along with it.
func (d *Directory) withPassword(as []storeAttr, password string) []storeAttr {
	types := d.store.schema.types
	as = withAttr(as, d.store.userPassword, password)
	as = withAttr(as, types["pwdreset"])
	as = withAttr(as, types["pwdaccountlockedtime"])
	for _, a := range as {
		if a.kind == types["useraccountcontrol"] && len(a.values) == 1 {
			if n, err := strconv.ParseInt(a.values[0], 10, 64); err == nil && n&uacPasswordExpired != 0 {
				as = withAttr(as, a.kind, strconv.FormatInt(n&^uacPasswordExpired, 10))
				break
			}
		}
	}
	return withAttr(as, types["pwdlastset"], strconv.FormatInt(fileTime(d.now()), 10))
}

func (d *Directory) setPassword(e *storeEntry, password string) error {
	return d.store.update(e, func(as []storeAttr) ([]storeAttr, error) { return d.withPassword(as, password), nil })
}

// unicodePassword reads the form that Active Directory wants: in double quotes,
// as UTF-16 in little-endian order (MS-ADTS, section 3.1.1.3.1.5).
func unicodePassword(v string) (string, bool) {
	if len(v)%2 != 0 {
		return "", false
	}
	units := make([]uint16, len(v)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16([]byte(v[2*i : 2*i+2]))
	}
	s, ok := strings.CutPrefix(string(utf16.Decode(units)), `"`)
	if !ok {
		return "", false
	}
	return strings.CutSuffix(s, `"`)
}

// refusePassword applies the domain's policy to a new password. A change by the
// user is refused in other words than a reset.
func (d *Directory) refusePassword(e *storeEntry, password string, change bool) (ldapResult, bool) {
	t := d.traits.Load()
	weak := utf8.RuneCountInString(password) < directoryMinPassword
	if !t.ActiveDirectory {
		if weak {
			return ldapResult{code: ldapConstraintViolation, text: "Password fails quality checking policy"}, false
		}
		return ldapResult{}, true
	}
	if !weak && d.complexEnough(e, password) {
		return ldapResult{}, true
	}
	if change || t.ConstraintViolation {
		return ldapResult{code: ldapConstraintViolation,
			text: "0000052D: AtrErr: DSID-03191083, #1:\n\t0: 0000052D: DSID-03191083, problem 1005 (CONSTRAINT_ATT_TYPE), data 0, Att 9005a (unicodePwd)\n"}, false
	}
	return ldapResult{code: ldapUnwilling, text: adUnwilling("0000052D")}, false
}

// complexEnough is Active Directory's rule: three of five kinds of characters,
// and neither the account's name nor a part of the display name.
func (d *Directory) complexEnough(e *storeEntry, password string) bool {
	kinds := map[string]bool{}
	for _, r := range password {
		switch {
		case unicode.IsUpper(r):
			kinds["upper"] = true
		case unicode.IsLower(r):
			kinds["lower"] = true
		case r >= '0' && r <= '9':
			kinds["digit"] = true
		case unicode.IsLetter(r):
			kinds["letter"] = true
		default:
			kinds["sign"] = true
		}
	}
	lower := strings.ToLower(password)
	for _, part := range strings.FieldsFunc(d.text(e, "displayName"), func(r rune) bool { return strings.ContainsRune(",.-_ #\t", r) }) {
		if utf8.RuneCountInString(part) > 2 && strings.Contains(lower, part) {
			return false
		}
	}
	name := d.text(e, "sAMAccountName")
	return len(kinds) >= 3 && (len(name) <= 2 || !strings.Contains(lower, name))
}
