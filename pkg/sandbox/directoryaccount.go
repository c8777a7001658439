package sandbox

import (
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// Bits of userAccountControl (MS-ADTS, section 2.2.16).
const (
	uacDisabled        = 0x2
	uacLockout         = 0x10
	uacNormal          = 0x200
	uacDontExpire      = 0x10000
	uacPasswordExpired = 0x800000
)

// account is what Active Directory's sub-code says of a bind.
type account string

const (
	accountOK         account = ""
	accountUnknown    account = "525"
	accountWrong      account = "52e"
	accountStale      account = "532" // the password has expired
	accountDisabled   account = "533"
	accountExpired    account = "701"
	accountMustChange account = "773"
	accountLocked     account = "775"
	accountNoWhere    account = "531" // may not sign in from here
	accountNotNow     account = "530" // may not sign in at this hour
)

// File times count units of 100 ns since 1601.
const (
	fileTimeNever     = 0x7FFFFFFFFFFFFFFF
	fileTimeUnixEpoch = 116444736000000000
	fileTimePerSecond = 10_000_000
)

// fileTime is a time as Active Directory writes it.
func fileTime(t time.Time) int64 {
	return t.Unix()*fileTimePerSecond + int64(t.Nanosecond()/100) + fileTimeUnixEpoch
}

// identify finds the entry that a bind name means: a DN, and where Active
// Directory's ways are on also a user principal name or DOMAIN\name.
func (d *Directory) identify(name string) *storeEntry {
	if norm, err := normaliseDN(name); err == nil && norm != "" {
		return d.byName(norm)
	}
	if !d.ad() {
		return nil
	}
	types := d.store.schema.types
	if domain, user, ok := strings.Cut(name, `\`); ok {
		if !strings.EqualFold(domain, d.netBIOS()) {
			return nil
		}
		return onlyEntry(d.store.equal(types["samaccountname"], user))
	}
	if e := onlyEntry(d.store.equal(types["userprincipalname"], name)); e != nil {
		return e
	}
	if user, domain, ok := strings.Cut(name, "@"); ok && strings.EqualFold(domain, d.domain()) {
		return onlyEntry(d.store.equal(types["samaccountname"], user))
	}
	return nil
}

func onlyEntry(es []*storeEntry) *storeEntry {
	if len(es) == 1 {
		return es[0]
	}
	return nil
}

// domain is the DNS name of the base DN, "" when it has none; netBIOS its
// short form.
func (d *Directory) domain() string {
	name, _, _ := strings.Cut(canonicalName(d.base), "/")
	return name
}

func (d *Directory) netBIOS() string {
	first, _, _ := strings.Cut(d.domain(), ".")
	return strings.ToUpper(first)
}

// try checks a password and the state of the account, in the order in which
// Active Directory does: a locked account does not tell whether the password
// was right, all else is only told to who knows it.
func (d *Directory) try(e *storeEntry, password string) account {
	if e == nil {
		if d.traits.Load().UnknownUser525 {
			return accountUnknown
		}
		return accountWrong
	}
	if e == d.service && samePassword(password, d.password) {
		return accountOK
	}
	if d.isLocked(e) {
		return accountLocked
	}
	right := false
	for _, stored := range e.get(d.store.userPassword) {
		right = passwordMatches(stored, password) || right
	}
	if !right {
		d.countWrong(e)
		return accountWrong
	}
	d.forgetWrong(e)
	return d.state(e)
}

// state says what else keeps an account from signing in.
func (d *Directory) state(e *storeEntry) account {
	now := fileTime(d.now())
	control := d.number(e, "userAccountControl", uacNormal)
	expires := d.number(e, "accountExpires", 0)
	set := d.number(e, "pwdLastSet", now)
	maxAge := int64(0)
	if base := d.byName(d.baseNorm); base != nil {
		maxAge = -d.number(base, "maxPwdAge", 0) // stored negative, as a duration
	}
	switch {
	case control&uacDisabled != 0, d.text(e, "nsAccountLock") == "true":
		return accountDisabled
	case expires != 0 && expires != fileTimeNever && expires <= now:
		return accountExpired
	case d.noHours(e):
		return accountNotNow
	case len(e.get(d.store.schema.lookup("userWorkstations"))) > 0:
		return accountNoWhere
	case control&uacPasswordExpired != 0:
		return accountStale
	case control&uacDontExpire != 0:
		return accountOK
	case set == 0, d.text(e, "pwdReset") == "true":
		return accountMustChange
	case maxAge > 0 && set+maxAge <= now:
		return accountStale
	}
	return accountOK
}

// noHours reports whether no hour of the week is allowed: the sandbox does not
// look at single hours.
func (d *Directory) noHours(e *storeEntry) bool {
	hours := e.get(d.store.schema.types["logonhours"])
	return len(hours) == 1 && strings.Trim(hours[0], "\x00") == ""
}

func (d *Directory) isLocked(e *storeEntry) bool {
	return d.number(e, "lockoutTime", 0) > 0 ||
		d.number(e, "userAccountControl", 0)&uacLockout != 0 ||
		d.text(e, "pwdAccountLockedTime") != ""
}

// countWrong locks an account after LockoutAfter wrong passwords.
func (d *Directory) countWrong(e *storeEntry) {
	limit := d.traits.Load().LockoutAfter
	if limit <= 0 || e == d.service {
		return
	}
	d.mu.Lock()
	d.wrong[e]++
	lock := d.wrong[e] >= limit
	d.mu.Unlock()
	if !lock {
		return
	}
	kind, value := d.store.schema.types["lockouttime"], strconv.FormatInt(fileTime(d.now()), 10)
	if !d.ad() {
		kind, value = d.store.schema.types["pwdaccountlockedtime"], d.now().UTC().Format("20060102150405Z")
	}
	// The change can not be refused: it fails only when its function does.
	_ = d.store.update(e, func(as []storeAttr) ([]storeAttr, error) { return withAttr(as, kind, value), nil })
}

// number reads a whole number of an entry, or gives the default.
func (d *Directory) number(e *storeEntry, name string, none int64) int64 {
	for _, v := range e.get(d.store.schema.lookup(name)) {
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			return n
		}
	}
	return none
}

// text reads the first value of an attribute, folded.
func (d *Directory) text(e *storeEntry, name string) string {
	for _, v := range e.get(d.store.schema.lookup(name)) {
		return foldText(v)
	}
	return ""
}

// withAttr replaces the values of an attribute; none removes it.
func withAttr(as []storeAttr, t *schemaType, values ...string) []storeAttr {
	for i, a := range as {
		if a.kind == t {
			if len(values) == 0 {
				return append(as[:i], as[i+1:]...)
			}
			as[i].values = values
			return as
		}
	}
	if len(values) == 0 {
		return as
	}
	return append(as, storeAttr{t, values})
}

// passwordMatches compares a password with a stored one, in clear or {SSHA}
// (RFC 2307's salted form). Other schemes match nothing.
func passwordMatches(stored, password string) bool {
	scheme, rest, ok := passwordScheme(stored)
	if !ok {
		return samePassword(stored, password)
	}
	if scheme != "SSHA" {
		return false
	}
	b, err := base64.StdEncoding.DecodeString(rest)
	if err != nil || len(b) <= sha1.Size {
		return false
	}
	sum := sha1.Sum(append([]byte(password), b[sha1.Size:]...))
	return subtle.ConstantTimeCompare(sum[:], b[:sha1.Size]) == 1
}

// passwordScheme splits "{SSHA}..."; false when the password is in clear.
func passwordScheme(stored string) (scheme, rest string, ok bool) {
	inner, ok := strings.CutPrefix(stored, "{")
	if !ok {
		return "", "", false
	}
	scheme, rest, ok = strings.Cut(inner, "}")
	return strings.ToUpper(scheme), rest, ok
}

func samePassword(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
