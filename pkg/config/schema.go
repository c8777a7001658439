package config

import (
	"encoding/json"
	"regexp"
)

// Schema returns the JSON Schema (draft 2020-12) of config.json. It describes
// the form in which values are best written, besides the texts that are taken
// as well; an editor can complete and check the file by it.
func Schema() []byte {
	var properties []edit
	for _, k := range Keys() {
		if !k.EnvOnly {
			properties = append(properties, edit{k.Name, marshal(k.schema())})
		}
	}
	var file *document // a new one: the same code sets its members
	return file.apply([]edit{
		{"$schema", marshal("https://json-schema.org/draft/2020-12/schema")},
		{"title", marshal("config.json of the AD/LDAP connector")},
		{"type", marshal("object")},
		{"properties", file.apply(properties)},
		{"patternProperties", marshal(map[string]any{
			"^urn:": map[string]any{"type": "string", "description": realmKey("").Doc},
		})},
		// Keys of other releases are kept, and so are allowed.
		{"additionalProperties", marshal(true)},
	})
}

func (k *Key) schema() map[string]any {
	s := map[string]any{"description": k.Doc}
	if k.Default != "" {
		s["default"] = json.RawMessage(k.Default)
	}
	if k.Secret {
		s["writeOnly"] = true
	}
	if k.Unused {
		s["deprecated"] = true
	}
	text := map[string]any{"type": "string"}
	switch {
	case k.many():
		s["anyOf"] = []any{map[string]any{"type": "array", "items": map[string]any{"type": "string"}}, text}
	case k.Type == "boolean":
		s["anyOf"] = []any{
			map[string]any{"type": "boolean"},
			map[string]any{"enum": []any{0, 1, "", "true", "false", "yes", "no", "on", "off", "1", "0"}},
		}
	case k.Max != 0:
		n := map[string]any{"type": "number", "minimum": k.Min, "maximum": k.Max}
		if k.unit == 0 {
			n["type"] = "integer"
		}
		text["pattern"] = `^\s*[0-9]*(\.[0-9]+)?\s*$`
		s["anyOf"] = []any{n, text}
	case k.Type == "filter":
		s["type"] = "string"
		if k.check != nil && k.placed() {
			s["pattern"] = regexp.QuoteMeta("{0}")
		}
	default:
		s["type"] = "string"
		if k.Name == "SSL_CA_PATH" { // false has always meant none
			s["type"] = []string{"string", "boolean"}
		}
		if k.Values != nil {
			s["enum"] = k.Values
		}
	}
	return s
}

// many reports whether the key holds several texts.
func (k *Key) many() bool {
	if k.field == nil {
		return false
	}
	_, ok := k.field(&Config{}).(*[]string)
	return ok
}

// placed reports whether the filter needs a {0}.
func (k *Key) placed() bool {
	c := Default()
	*k.field(&c).(*string) = "(cn=x)"
	problem, _ := k.check(&c)
	return problem != ""
}
