package hub

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"

	"ad-ldap-connector/pkg/identity"
)

// A wireError is how the tenant knows a refusal.
type wireError struct{ name, message string }

// wireErrors are the tenant's names and texts for refusals (behaviour of the
// existing connector). The apostrophe of the last two is U+2019.
var wireErrors = map[identity.Reason]wireError{
	identity.WrongUsername:          {"WrongUsername", "Wrong username"},
	identity.AmbiguousUsername:      {"WrongUsername", "Wrong username"}, // who logs in is not known
	identity.WrongPassword:          {"WrongPassword", "Wrong password"},
	identity.PasswordExpired:        {"PasswordExpired", "Password expired"},
	identity.AccountDisabled:        {"AccountDisabled", "Account disabled"},
	identity.AccountExpired:         {"AccountExpired", "Account expired"},
	identity.PasswordChangeRequired: {"PasswordChangeRequired", "Password change required"},
	identity.AccountLocked:          {"AccountLocked", "Account locked"},
	identity.InsufficientAccess:     {"InsufficientAccessRightsError", "Service Account has Insufficient Access Rights"},
	identity.PasswordTooWeak:        {"PasswordComplexityError", "Password doesn\u2019t meet minimum requirements"},
	identity.PasswordReused:         {"PasswordComplexityError", "Password doesn\u2019t meet minimum requirements"},
}

// begin starts the reply to r: its event's name, and the payload up to its
// content. The members' order on the wire is that of the existing connector,
// which is why replies are written by hand.
func (r request) begin() []byte {
	b := append(make([]byte, 0, 1024), `{"n":`...)
	b = appendString(b, r.pid+r.command.suffix)
	return append(b, `,"p":{`...)
}

// end completes a reply. The hub may drop the whole link for one text frame
// that is not UTF-8 (RFC 6455, section 8.1), and profiles are not ours.
func end(b []byte) []byte {
	b = append(b, "}}"...)
	if !utf8.Valid(b) {
		b = bytes.ToValidUTF8(b, []byte("\uFFFD"))
	}
	return b
}

// profile is the reply with the profile of a user.
func (r request) profile(p identity.Profile) []byte {
	b := append(r.begin(), `"profile":`...)
	return end(append(b, p.String()...))
}

// users is the reply to a search.
func (r request) users(found []identity.Profile) []byte {
	b := append(r.begin(), `"users":[`...)
	for i, p := range found {
		if i > 0 {
			b = append(b, ',')
		}
		if p.IsZero() {
			b = append(b, "null"...)
		}
		b = append(b, p.String()...)
	}
	return end(append(b, ']'))
}

// groups is the reply to a listing.
func (r request) groups(found []identity.Group) []byte {
	b := append(r.begin(), `"groups":[`...)
	for i, g := range found {
		if i > 0 {
			b = append(b, ',')
		}
		label := g.Label
		if !json.Valid(label) { // one bad label must not spoil the frame
			label = json.RawMessage("null")
		}
		b = append(b, label...)
	}
	return end(append(b, ']'))
}

// refusal is the reply that says no: the user's profile stands in the error
// and beside it. It reports false for a reason that has no name on the wire.
func (r request) refusal(no *identity.Refusal) ([]byte, bool) {
	e, ok := wireErrors[no.Reason]
	if !ok {
		return nil, false
	}
	nobody := no.Reason == identity.WrongUsername || no.Reason == identity.AmbiguousUsername
	b := append(r.begin(), `"err":{"message":`...)
	b = appendString(b, e.message)
	if nobody {
		b = append(b, `,"username":`...)
		b = appendString(b, r.username)
	} else if !no.Profile.IsZero() {
		b = append(b, `,"profile":`...)
		b = append(b, no.Profile.String()...)
	}
	b = append(b, `,"name":`...)
	b = appendString(b, e.name)
	b = append(b, '}')
	switch {
	case nobody && r.command.echoes:
		b = append(b, `,"profile":{"username":`...)
		b = appendString(b, r.username)
		b = append(b, '}')
	case !nobody && !no.Profile.IsZero():
		b = append(b, `,"profile":`...)
		b = append(b, no.Profile.String()...)
	}
	return end(b), true
}

// fault is the reply that says that the question could not be asked. It has no
// name, as ever.
func (r request) fault(text string) []byte {
	b := append(r.begin(), `"err":{"message":"Unexpected Error","inner":{"message":`...)
	return end(append(appendString(b, text), "}}"...))
}

// errEmpty is a handler's success with nothing in it.
var errEmpty = errors.New("the login succeeded, but has no profile")
