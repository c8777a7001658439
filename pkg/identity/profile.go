package identity

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// A Profile is what the tenant learns about a user: one JSON object, its
// members in the order the mapper gave them, because the tenant has always
// seen them so. The zero Profile is none at all.
type Profile struct{ json string }

// ParseProfile takes a mapper's output. Anything but a JSON object is an error.
func ParseProfile(data []byte) (Profile, error) {
	data = bytes.TrimSpace(data)
	if len(data) == 0 || data[0] != '{' {
		return Profile{}, errors.New("a profile must be an object")
	}
	if !json.Valid(data) {
		return Profile{}, errors.New("a profile must be valid JSON")
	}
	return Profile{string(data)}, nil
}

// IsZero reports whether there is no profile.
func (p Profile) IsZero() bool { return p.json == "" }

// MarshalJSON returns the object as the mapper made it; the zero Profile is
// null.
func (p Profile) MarshalJSON() ([]byte, error) {
	if p.IsZero() {
		return []byte("null"), nil
	}
	return []byte(p.json), nil
}

// UnmarshalJSON reads an object, or null as the zero Profile.
func (p *Profile) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*p = Profile{}
		return nil
	}
	parsed, err := ParseProfile(data)
	if err == nil {
		*p = parsed
	}
	return err
}

// String returns the object's JSON text.
func (p Profile) String() string { return p.json }

// Value returns the named member when it is a string, or "".
func (p Profile) Value(name string) string {
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(p.json), &members) != nil {
		return ""
	}
	var s string
	if json.Unmarshal(members[name], &s) != nil {
		return ""
	}
	return s
}

// Format keeps %v and %s to the JSON text, so that logs and tests can read it.
func (p Profile) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(p.json)) } // fmt.State reports no errors
