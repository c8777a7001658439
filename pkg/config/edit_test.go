package config

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSet(t *testing.T) {
	for _, tt := range []struct {
		name, file, key, text, want string
	}{
		{"a text", `{}`, "LDAP_BASE", "dc=x", "{\n  \"LDAP_BASE\": \"dc=x\"\n}"},
		{"a boolean is one in the file", `{"A":1}`, "GROUPS", "No", `{"A":1,"GROUPS":false}`},
		{"a number is one in the file", `{"PORT":"x"}`, "PORT", "80", `{"PORT":80}`},
		{"a list", `{"A":1}`, "GROUP_PROPERTIES", "cn, dn", `{"A":1,"GROUP_PROPERTIES":["cn","dn"]}`},
		{"servers", `{"A":1}`, "LDAP_URL", "ldap://a,ldap://b", `{"A":1,"LDAP_URL":["ldap://a","ldap://b"]}`},
		{"a default is written", `{"A":1}`, "GROUPS", "true", `{"A":1,"GROUPS":true}`},
		{"a default stays", `{"GROUPS":"false"}`, "GROUPS", "true", `{"GROUPS":true}`},
		{"an old name gives way", `{"AUTH_WHEN_PASSWORD_EXPIRED":true}`, "AUTH_WHEN_PASSWORD_EXPIRED", "yes", `{"ALLOW_PASSWORD_EXPIRED":true}`},
		{"the realm's key", `{"REALM":"urn:a"}`, "urn:a", "https://a/b", `{"REALM":"urn:a","urn:a":"https://a/b"}`},
		{"an unknown key, a text", `{"A":1}`, "MY.KEY", "x y", `{"A":1,"MY.KEY":"x y"}`},
		{"an unknown key, JSON", `{"A":1}`, "A", `{"b": 1.0}`, `{"A":{"b": 1.0}}`},
		{"an unused key", `{"A":1}`, "CACHE_FILE", "x", `{"A":1,"CACHE_FILE":"x"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := mustParse(t, tt.file)
			if err := c.Set(tt.key, tt.text); err != nil {
				t.Fatal(err)
			}
			if got := encode(t, c); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if c.Source(tt.key) != "changed" {
				t.Error(c.Source(tt.key))
			}
			d := mustParse(t, encode(t, c))
			a, _ := c.Get(tt.key)
			if b, ok := d.Get(tt.key); !ok || !cmp.Equal(a, b) {
				t.Errorf("%#v was read as %#v", a, b)
			}
		})
	}
}

// What Set refuses changes nothing.
func TestSetRefuses(t *testing.T) {
	for _, tt := range []struct{ key, text, want string }{
		{"PORT", "many", `PORT: "many" is not a whole number: write a whole number from 0 to 65535`},
		{"PORT", "70000", `PORT: 70000 is out of bounds: write a whole number from 0 to 65535`},
		{"GROUPS", "perhaps", `GROUPS: "perhaps" is neither true nor false: write true or false`},
		{"LDAP_URL", "htp://x", `LDAP_URL: "htp://x" is not ldap:// or ldaps://: write`},
		{"LDAP_BASE", "", `LDAP_BASE: there is no value: unset`},
		{"", "x", `no key has an empty name`},
		{"OVERRIDE_CONFIG", "false", `OVERRIDE_CONFIG: it counts in the environment only`},
		{"A||B", "x", `A||B: it lies inside A: set A to a JSON object`},
		{"ORGANIZATION_UNITS", "ou", `ORGANIZATION_UNITS: "ou" is none of its values: write dn or list`},
		{"PROVISIONING_TICKET", "https://acme.example/p/xx/tOpSeCrEt", `PROVISIONING_TICKET: the URL's path`},
	} {
		c := mustParse(t, existing)
		err := c.Set(tt.key, tt.text)
		var field *FieldError
		if !errors.As(err, &field) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "tOpSeCrEt") {
			t.Errorf("%s=%s: %v", tt.key, tt.text, err)
		}
		if got := encode(t, c); got != existing {
			t.Errorf("%s=%s: the file changed", tt.key, tt.text)
		}
	}
}

func TestUnset(t *testing.T) {
	c := mustEnv(t, mustParse(t, `{"LDAP_BASE":"dc=file","AUTH_WHEN_PASSWORD_EXPIRED":true,"X":1,"PORT":"bad"}`), "LDAP_BASE=dc=env")
	for _, key := range []string{"LDAP_BASE", "ALLOW_PASSWORD_EXPIRED", "X", "PORT", "SITE_NAME", "NOPE"} {
		if err := c.Unset(key); err != nil {
			t.Error(err)
		}
	}
	if c.Directory.BaseDN != "dc=env" || c.Source("LDAP_BASE") != "environment" || c.Policy.AllowPasswordExpired || c.SignIn.Port != 4000 {
		t.Errorf("%+v", c)
	}
	if got := encode(t, c); got != "{}" {
		t.Error(got)
	}
	if slices.ContainsFunc(faults(c), func(f *FieldError) bool { return f.Key == "PORT" }) {
		t.Error("the fault is gone with the value")
	}
	if err := c.Unset("OVERRIDE_CONFIG"); err == nil {
		t.Error("it is no key of the file")
	}
	if err := c.Set("X", "2"); err != nil {
		t.Fatal(err)
	}
	if err := c.Set("PORT", "4000"); err != nil {
		t.Fatal(err)
	}
	if got := encode(t, c); got != `{"PORT":4000,"X":2}` && got != `{"X":2,"PORT":4000}` {
		t.Error(got)
	}
}

func TestSourceAndUnknown(t *testing.T) {
	c := mustEnv(t, mustParse(t, `{"LDAP_BASE":"dc=file","X":1,"AUTH_WHEN_PASSWORD_EXPIRED":true,"Y_PASSWORD":"hush"}`), "PORT=1", "HTTP_PROXY=http://a:1")
	if err := c.Set("Z", "1"); err != nil {
		t.Fatal(err)
	}
	c.Tenant.SiteName = "s"
	for key, want := range map[string]string{
		"LDAP_BASE": "file", "X": "file", "ALLOW_PASSWORD_EXPIRED": "file", "PORT": "environment", "HTTP_PROXY": "environment",
		"SITE_NAME": "changed", "Z": "changed", "GROUPS": "default", "NOPE": "default",
	} {
		if got := c.Source(key); got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
	if got := c.Unknown(); !slices.Equal(got, []string{"X", "Y_PASSWORD", "Z"}) {
		t.Error(got)
	}
	if v, _ := c.Get("Y_PASSWORD"); v != Secret("hush") {
		t.Errorf("%T", v)
	}
	if v, ok := c.Get("CONNECTIONS_API_V2_KEY"); !ok || v != "" {
		t.Errorf("%#v", v)
	}
}
