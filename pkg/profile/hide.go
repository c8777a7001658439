package profile

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"ad-ldap-connector/pkg/identity"
)

// maxMessage is how much of a script's error message goes into the log, in
// characters.
const maxMessage = 300

// Error returns the message and its place: "TypeError: ... (3:12)".
func (f *failure) Error() string {
	text := strings.Join(strings.Fields(f.Text), " ") // on one line
	if utf8.RuneCountInString(text) > maxMessage {
		text = string([]rune(text)[:maxMessage]) + "..."
	}
	if f.Line > 0 {
		text += fmt.Sprintf(" (%d:%d)", f.Line, f.Column)
	}
	return text
}

// hide returns f with the values of user and groups replaced by their names:
// errors go to logs, and a script's message may quote what it choked on. Values
// of one or two characters stay, since they are in every word, and so do the
// object classes, which are the schema's words. What a script made of a value
// is beyond this.
func (f *failure) hide(user *identity.Entry, groups []identity.Group) *failure {
	type secret struct{ value, name string }
	var secrets []secret
	add := func(value, name string) {
		if utf8.RuneCountInString(value) > 2 && strings.Contains(f.Text, value) {
			secrets = append(secrets, secret{value, "[" + name + "]"})
		}
	}
	add(user.DN, "dn")
	for _, a := range user.Attributes {
		for _, v := range a.Values {
			if a.Name != "objectClass" {
				add(text(v), a.Name)
			}
		}
	}
	for _, g := range groups {
		add(g.DN, "group")
		for _, s := range stringsIn(g.Label) {
			add(s, "group")
		}
	}
	// The longest first: a DN holds the common name.
	slices.SortStableFunc(secrets, func(a, b secret) int { return cmp.Compare(len(b.value), len(a.value)) })
	pairs := make([]string, 0, 2*len(secrets))
	for _, s := range secrets {
		pairs = append(pairs, s.value, s.name)
	}
	hidden := *f
	hidden.Text = strings.NewReplacer(pairs...).Replace(f.Text) // earlier pairs win
	return &hidden
}

// stringsIn returns the texts of a group's label: a string, or an object of
// strings and lists of them.
func stringsIn(label json.RawMessage) (found []string) {
	var v any
	if json.Unmarshal(label, &v) != nil {
		return nil
	}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			found = append(found, v)
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(v)
	return found
}
