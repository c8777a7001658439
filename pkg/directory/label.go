package directory

import (
	"bytes"
	"encoding/json"
	"strings"

	"ad-ldap-connector/pkg/identity"

	"github.com/go-ldap/ldap/v3"
)

// dnProperty names the DN among the attributes of a group.
const dnProperty = "dn"

// groupAttributes are the attributes to ask for.
func (c *Client) groupAttributes() []string {
	wanted := c.o.GroupProperties
	if len(wanted) == 0 {
		wanted = []string{c.o.GroupProperty}
	}
	var out []string
	for _, name := range wanted {
		if !strings.EqualFold(name, dnProperty) {
			out = append(out, name)
		}
	}
	if len(out) == 0 {
		out = []string{noAttributes}
	}
	return out
}

// group returns the group of an entry; not ok when it lacks GroupProperty, for
// then there is nothing to say of it.
func (c *Client) group(e *ldap.Entry) (identity.Group, bool) {
	label, ok := c.label(entry(e))
	return identity.Group{DN: e.DN, Label: label}, ok
}

func (c *Client) label(e *identity.Entry) (json.RawMessage, bool) {
	if len(c.o.GroupProperties) == 0 {
		return property(e, c.o.GroupProperty)
	}
	var b bytes.Buffer
	b.WriteByte('{')
	for _, name := range c.o.GroupProperties {
		value, ok := property(e, name)
		if !ok {
			continue
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		b.Write(jsonText(name))
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), true
}

// property returns the value of an attribute as JSON: a string, or an array of
// strings when there are several.
func property(e *identity.Entry, name string) (json.RawMessage, bool) {
	if strings.EqualFold(name, dnProperty) {
		return jsonText(e.DN), true
	}
	switch values := e.Values(name); len(values) {
	case 0:
		return nil, false
	case 1:
		return jsonText(values[0]), true
	default:
		return jsonText(values), true
	}
}

// jsonText encodes a string or strings, which cannot fail. It leaves <, > and &
// as they are, as the tenant has always got them.
func jsonText(v any) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
	return bytes.TrimSpace(b.Bytes())
}
