package wsfed

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"ad-ldap-connector/pkg/identity"
)

// A claim is what an assertion says of its user: a name and its values.
type claim struct {
	name   string // a URI
	values []string
}

const (
	schema      = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
	otherSchema = "http://schemas.passportjs.com/"
)

// errNameless is what the existing connector says of a profile that names
// nobody.
var errNameless = errors.New("No attribute was found to generate the nameIdentifier") //nolint:staticcheck // operators search for this very text

// A subject is a profile as an assertion tells it.
type subject struct {
	name   string // the NameIdentifier
	claims []claim
}

// subjectOf turns a profile into claims, in the existing connector's order: the
// five with names of their own, then all other members in the profile's.
func subjectOf(p identity.Profile) (subject, error) {
	names, values, err := members(p)
	if err != nil {
		return subject{}, fmt.Errorf("read the profile: %w", err)
	}
	var emails []struct{ Value json.RawMessage }
	_ = json.Unmarshal(values["emails"], &emails) // a mapper may make of it what it likes
	var name struct{ GivenName, FamilyName json.RawMessage }
	_ = json.Unmarshal(values["name"], &name) // likewise
	var email []string
	if len(emails) > 0 {
		email = textsOf(emails[0].Value)
	}
	claims := []claim{
		{schema + "nameidentifier", textsOf(values["id"])},
		{schema + "emailaddress", email},
		{schema + "name", textsOf(values["displayName"])},
		{schema + "givenname", textsOf(name.GivenName)},
		{schema + "surname", textsOf(name.FamilyName)},
	}
	s := subject{name: firstOf(claims[0].values, claims[2].values, claims[1].values)}
	if s.name == "" {
		return subject{}, errNameless
	}
	for _, n := range names {
		switch n {
		case "emails", "displayName", "name", "id", "_json":
		default:
			claims = append(claims, claim{otherSchema + n, textsOf(values[n])})
		}
	}
	for _, c := range claims {
		if len(c.values) > 0 {
			s.claims = append(s.claims, c)
		}
	}
	return s, nil
}

// displayName is what a profile calls its user, for the log.
func displayName(p identity.Profile) string {
	s, err := subjectOf(p)
	if err != nil {
		return ""
	}
	for _, c := range s.claims {
		if c.name == schema+"name" {
			return c.values[0]
		}
	}
	return s.name
}

// members returns the members of a profile, and their names in its order.
func members(p identity.Profile) (names []string, values map[string]json.RawMessage, err error) {
	d := json.NewDecoder(strings.NewReader(p.String()))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, nil, errors.New("it is no object")
	}
	values = map[string]json.RawMessage{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, nil, err
		}
		name, _ := t.(string) // an object's names are strings
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return nil, nil, err
		}
		if _, twice := values[name]; !twice {
			names = append(names, name)
		}
		values[name] = v
	}
	return names, values, nil
}

// textsOf returns a member's values as texts: one for each of an array. What
// has no text of its own, as the objects of GROUP_PROPERTIES, is its JSON.
func textsOf(v json.RawMessage) []string {
	var list []json.RawMessage
	if json.Unmarshal(v, &list) != nil || len(v) == 0 || v[0] != '[' {
		list = []json.RawMessage{v}
	}
	var texts []string
	for _, v := range list {
		var s string
		var compact bytes.Buffer
		switch {
		case len(v) == 0, string(v) == "null":
		case json.Unmarshal(v, &s) == nil:
			texts = append(texts, s)
		case json.Compact(&compact, v) == nil:
			texts = append(texts, compact.String())
		}
	}
	return texts
}

func firstOf(lists ...[]string) string {
	for _, l := range lists {
		if len(l) > 0 && l[0] != "" {
			return l[0]
		}
	}
	return ""
}
