// Package identity holds the words of a login: who asks, who they are, and why
// they were refused. It does no I/O; the directory and the profile mapper are
// reached through the two interfaces declared here.
package identity

import (
	"context"
	"encoding/json"
	"strings"
)

// An Entry is one object of the directory, as read. Its attributes keep the
// server's order and spelling, because an operator's mapper may see both.
type Entry struct {
	DN         string
	Attributes []Attribute
}

// An Attribute is one attribute of an entry with all its values, as octets.
type Attribute struct {
	Name   string
	Values [][]byte
}

// Attribute returns the named attribute, matched without case, or nil. A
// server spells names as it likes (RFC 4512, section 2.5).
func (e *Entry) Attribute(name string) *Attribute {
	for i := range e.Attributes {
		if strings.EqualFold(e.Attributes[i].Name, name) {
			return &e.Attributes[i]
		}
	}
	return nil
}

// Value returns the first value of the named attribute, matched without case,
// or "".
func (e *Entry) Value(name string) string {
	if a := e.Attribute(name); a != nil && len(a.Values) > 0 {
		return string(a.Values[0])
	}
	return ""
}

// Values returns all values of the named attribute, matched without case.
func (e *Entry) Values(name string) []string {
	a := e.Attribute(name)
	if a == nil {
		return nil
	}
	values := make([]string, len(a.Values))
	for i, v := range a.Values {
		values[i] = string(v)
	}
	return values
}

// A Group is a directory group, of a user (directly or through nesting) or of
// a listing.
type Group struct {
	DN string
	// Label is what the tenant and the mapper are told of the group, as JSON:
	// the value of GROUP_PROPERTY, or an object of the GROUP_PROPERTIES.
	Label json.RawMessage
}

// A Principal names a user whom something other than a password has proved:
// a Kerberos service ticket or a client certificate.
type Principal struct {
	Name  string // the account name, or what else a certificate calls its user
	Realm string // Kerberos realm; empty when unknown
	Place Place  // where the entry is; zero: where the one of a username is
}

// A Place says how an entry is found when its name is no username, or is one of
// another part of the directory.
type Place struct {
	Filter string // template (RFC 4515) with {0} in the place of the name; "": the one for usernames
	BaseDN string // "": the base DN of users
}

// A Locator is a Directory that also finds users in other places than where
// usernames lead to.
type Locator interface {
	// Locate returns the one entry of that name at a place, or a *Refusal as
	// Find does. A filter that is none is a fault.
	Locate(ctx context.Context, at Place, name string) (*Entry, error)
}

// Credentials are a username and a password as typed, unescaped.
type Credentials struct {
	Username string
	Password Password
}

// A Query selects users for a search.
type Query struct {
	Text  string // what to look for; empty asks for all users
	Limit int    // at most so many; 0 or less means no limit
}

// A Directory finds entries and tries passwords. An error that is a *Refusal
// is the directory's answer; every other one means it could not be asked.
type Directory interface {
	// Find returns the user's entry, or a *Refusal: WrongUsername when there
	// is none, AmbiguousUsername when there is more than one.
	Find(ctx context.Context, username string) (*Entry, error)
	// Bind tries the password, and returns a *Refusal when it is refused.
	Bind(ctx context.Context, dn string, password Password) error
	// Groups returns the groups of a user, nested ones included as configured.
	Groups(ctx context.Context, user *Entry) ([]Group, error)
	// Search returns the users that match q.
	Search(ctx context.Context, q Query) ([]*Entry, error)
	// ListGroups returns the directory's groups, at most limit when it is
	// above 0.
	ListGroups(ctx context.Context, limit int) ([]Group, error)
	// SetPassword replaces a password, and returns a *Refusal when the
	// directory does not take it.
	SetPassword(ctx context.Context, dn string, password Password) error
}

// A Status is what a login came to, as the mapper sees it in ldapStatus:
// Active, or the text of a Reason. It is "" outside logins.
type Status string

// Active is the status of a user whose password was right.
const Active Status = "active"

// A Mapper shapes an entry and its groups into a profile.
type Mapper interface {
	// Map returns the profile of user. Groups that are nil were not asked
	// for, and the profile says nothing of them; none at all is an empty,
	// non-nil slice.
	Map(ctx context.Context, user *Entry, groups []Group, status Status) (Profile, error)
}
