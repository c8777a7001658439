package config

import (
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var allCaps = regexp.MustCompile(`^[A-Z][A-Z0-9_]+$`)

// The table is data: this is what keeps it honest.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	fields := map[any]string{}
	c := Default()
	for _, k := range table {
		for _, name := range k.names() {
			if seen[name] || !allCaps.MatchString(name) {
				t.Errorf("%s: twice, or oddly spelled", name)
			}
			seen[name] = true
		}
		if !strings.HasSuffix(k.Doc, ".") || k.Group == "" || k.Type == "" {
			t.Errorf("%s: say what it does, in a sentence", k.Name)
		}
		if k.field == nil {
			if !k.Unused && !k.EnvOnly {
				t.Errorf("%s: no field", k.Name)
			}
			continue
		}
		p := k.field(&c)
		if fields[p] != "" {
			t.Errorf("%s has the field of %s", k.Name, fields[p])
		}
		fields[p] = k.Name
		_, isSecret := p.(*Secret)
		if isSecret != k.Secret {
			t.Errorf("%s: secret in the table, or in the struct, but not both", k.Name)
		}
		switch p.(type) {
		case *bool:
			if k.Type != "boolean" {
				t.Errorf("%s: %s", k.Name, k.Type)
			}
		case *int:
			if k.Type != "integer" || k.Max == 0 {
				t.Errorf("%s: %s without bounds", k.Name, k.Type)
			}
		}
		if (reflect.TypeOf(p).Elem().Name() == "Duration") != (k.unit != 0 && k.Max != 0) {
			t.Errorf("%s: a duration has a unit and bounds", k.Name)
		}
		if k.Type == "seconds" && !strings.Contains(k.Doc, "seconds") || k.Type == "milliseconds" && !strings.Contains(k.Doc, "milliseconds") {
			t.Errorf("%s: name the unit", k.Name)
		}
	}
	if n := leaves(reflect.ValueOf(c)); n != len(fields)+1 { // and the realm's own key
		t.Errorf("%d fields, and %d keys for them", n, len(fields)+1)
	}
	var bound []string
	for _, k := range Keys() {
		if k.MachineBound {
			bound = append(bound, k.Name)
		}
	}
	if !slices.Equal(bound, []string{"SERVER_URL", "FIREWALL_RULE_CREATED", "PORT", "CONSOLE_TLS_CERT", "CONSOLE_TLS_KEY", "SECRETS", "INSTANCE_NAME", "PEER_ADDR"}) {
		t.Error(bound)
	}
}

// leaves counts the fields of the structs in a configuration.
func leaves(v reflect.Value) (n int) {
	for i := range v.NumField() {
		f := v.Field(i)
		switch {
		case !v.Type().Field(i).IsExported():
		case f.Kind() == reflect.Struct:
			n += leaves(f)
		default:
			n++
		}
	}
	return n
}

func TestKeysShowDefaults(t *testing.T) {
	want := map[string]string{
		"PORT": "4000", "GROUPS": "true", "WSFED_ISSUER": `"urn:auth0"`, "LDAP_URL": "", "GROUP_PROPERTIES": "", "SESSION_SECRET": "",
		"PROFILE_MAPPING_TIMEOUT_MS": "10000", "LDAP_USER_BY_NAME": `"(sAMAccountName={0})"`, "OVERRIDE_CONFIG": `"true"`,
	}
	for _, k := range Keys() {
		if d, ok := want[k.Name]; ok && k.Default != d {
			t.Errorf("%s: %s, want %s", k.Name, k.Default, d)
		}
		delete(want, k.Name)
	}
	if len(want) != 0 {
		t.Error("missing:", want)
	}
}

func TestSchema(t *testing.T) {
	var s struct {
		Schema     string `json:"$schema"`
		Type       string
		Properties map[string]struct {
			Description string
			Default     any
			WriteOnly   bool
		}
		AdditionalProperties bool
	}
	if err := json.Unmarshal(Schema(), &s); err != nil {
		t.Fatal(err)
	}
	if s.Schema != "https://json-schema.org/draft/2020-12/schema" || s.Type != "object" || !s.AdditionalProperties {
		t.Errorf("%+v", s)
	}
	for _, k := range Keys() {
		p, ok := s.Properties[k.Name]
		if ok == k.EnvOnly || ok && (p.Description != k.Doc || p.WriteOnly != k.Secret) {
			t.Errorf("%s: %+v", k.Name, p)
		}
	}
	if d := s.Properties["PORT"].Default; d != 4000.0 {
		t.Error(d)
	}
}
