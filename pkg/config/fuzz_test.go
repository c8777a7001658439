package config

import (
	"encoding/json"
	"strings"
	"testing"
)

// Whatever lies in the file: Parse gives a configuration or a *SyntaxError,
// and what it gives is written back byte for byte, and after a change as JSON
// that is read as the same.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		existing, "", "{}", "{", "\xEF\xBB\xBF{}", `{"a":1,"a":2,"LDAP_BASE":"x","LDAP_BASE":null}`, `{"REALM":"PORT","PORT":"1"}`,
		`{"LDAP_URL":["ldap://a",{}],"GROUPS":"x","PORT":1e400}`, "{\"\\ud800\":\"\xff\"}", `{"AUTH_WHEN_PASSWORD_EXPIRED":1}`, "[[[[[[", `{"PROFILE_MAPPING_MEMORY_LIMIT_MB":1}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		c, err := Parse(file)
		if err != nil {
			if _, ok := err.(*SyntaxError); !ok {
				t.Fatalf("%T", err)
			}
			return
		}
		out, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if string(out) != string(file) && strings.TrimSpace(strings.TrimPrefix(string(file), string(bom))) != "" {
			t.Fatalf("%q became %q", file, out)
		}
		_ = c.Validate() // must not panic; neither must these
		_ = c.Warnings()
		for _, name := range c.Unknown() {
			if _, ok := c.Get(name); !ok {
				t.Fatalf("%q is unknown, and not there", name)
			}
		}
		c.Directory.BaseDN, c.Tenant.SiteName = "dc=changed", ""
		c.Groups.Enabled = !c.Groups.Enabled
		if out, err = c.Encode(); err != nil || !json.Valid(trimBOM(out)) {
			t.Fatalf("%q became %q, %v", file, out, err)
		}
		d, err := Parse(out)
		if err != nil || !d.Equal(c) {
			t.Fatalf("%q became %q, %v", file, out, err)
		}
	})
}

func trimBOM(b []byte) []byte { return []byte(strings.TrimPrefix(string(b), string(bom))) }

// Whatever the environment holds: nothing of it reaches the file.
func FuzzWithEnv(f *testing.F) {
	for _, seed := range []string{
		"LDAP_URL=ldap://a\nGROUPS=no", "OVERRIDE_CONFIG=false\nREALM=urn:x\nurn:x=https://a", "A||B=1\nA=2\nA||=3\n||=4", "=\n==\nPORT", "PORT=1\nPORT=x",
		"REALM=PORT", "http_proxy=x\nHTTP_PROXY=", "GROUP_PROPERTIES=[\nCA_CERT=[1]",
	} {
		f.Add(seed, `{"REALM":"urn:a","urn:a":"https://b"}`)
	}
	f.Fuzz(func(t *testing.T, environ, file string) {
		c, err := Parse([]byte(file))
		if err != nil {
			c = Default()
		}
		before, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		c, err = c.WithEnv(strings.Split(environ, "\n"))
		if err != nil {
			t.Fatal(err)
		}
		after, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if !c.EnvOnly() && string(after) != string(before) {
			t.Fatalf("%q became %q", before, after)
		}
		_ = c.Validate()
		_ = c.Warnings()
		for _, line := range strings.Split(environ, "\n") {
			name, _, _ := strings.Cut(line, "=")
			_, _ = c.Get(name)
			_ = c.FromEnv(name)
		}
	})
}
