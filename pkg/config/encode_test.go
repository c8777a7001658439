package config

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func encode(t testing.TB, c Config) string {
	t.Helper()
	out, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestEncodeWithoutChangesIsTheFile(t *testing.T) {
	for _, file := range []string{
		existing, "{}", "{ }\n", "\r\n{\r\n}", "\xEF\xBB\xBF{\"a\" : 1 , \"a\":2}", `{"n":1.0,"big":123456789012345678901234567890,"e":1E+2,"u":"\u00e4\/"}`,
		"{\n\t\"A.b.c\": {\"x\": [1, 2 , {} ]},\n\n\t\"*?#@|\": null\n}\n\n",
	} {
		if got := encode(t, mustParse(t, file)); got != file {
			t.Errorf("got %q, want %q", got, file)
		}
	}
}

func TestEncodeANewFile(t *testing.T) {
	c := Default()
	if got := encode(t, c); got != "{}\n" {
		t.Errorf("%q", got)
	}
	c.Mapper.OrganizationUnits = "list"
	c.Agent.RequestTimeout = 1500 * time.Millisecond
	c.Groups.Properties = []string{"cn", "dn"}
	c.Directory.URLs = []string{"ldap://a"}
	c.Directory.UserFilter = "(&(cn=<{0}>)(x=\\2a\u00e4\u2028))"
	c.Tenant.Realm = "urn:auth0:a.b"
	c.Tenant.PostURLs = []string{"https://a", "https://b"}
	c.Tenant.Issuer = []string{"one"}
	c.Groups.Enabled = false
	const want = `{
  "REALM": "urn:auth0:a.b",
  "urn:auth0:a.b": "https://a,https://b",
  "WSFED_ISSUER": "one",
  "LDAP_URL": "ldap://a",
  "LDAP_USER_BY_NAME": "(&(cn=<{0}>)(x=\\2aä\u2028))",
  "GROUPS": false,
  "GROUP_PROPERTIES": [
    "cn",
    "dn"
  ],
  "ORGANIZATION_UNITS": "list",
  "REQUEST_TIMEOUT_SECONDS": 1.5
}
`
	if got := encode(t, c); got != want {
		t.Error(cmp.Diff(want, got))
	}
}

func TestEncodeChanges(t *testing.T) {
	for _, tt := range []struct {
		name, file, want string
		change           func(*Config)
	}{
		{"a value in place", `{"X":1.0,"LDAP_BASE" :  "dc=x" ,"Y":[1]}`, `{"X":1.0,"LDAP_BASE" :  "dc=y" ,"Y":[1]}`,
			func(c *Config) { c.Directory.BaseDN = "dc=y" }},
		{"a number that was a text gets its type", `{"PORT":"80"}`, `{"PORT":81}`, func(c *Config) { c.SignIn.Port = 81 }},
		{"the same value stays a text", `{"PORT":"80"}`, `{"PORT":"80"}`, func(c *Config) { c.SignIn.Port = 80 }},
		{"a new key at the end, on one line", `{"X":1}`, `{"X":1,"LDAP_BASE":"dc=y"}`, func(c *Config) { c.Directory.BaseDN = "dc=y" }},
		{"on one line with spaces", `{ "X" : 1 }`, `{ "X" : 1, "LDAP_BASE" : "dc=y" }`, func(c *Config) { c.Directory.BaseDN = "dc=y" }},
		{"with tabs and CRLF", "{\r\n\t\"X\": 1\r\n}\r\n", "{\r\n\t\"X\": 1,\r\n\t\"LDAP_BASE\": \"dc=y\",\r\n\t\"GROUP_PROPERTIES\": [\r\n\t\t\"cn\"\r\n\t]\r\n}\r\n",
			func(c *Config) { c.Directory.BaseDN = "dc=y"; c.Groups.Properties = []string{"cn"} }},
		{"into an empty object", "{ }", "{\n  \"LDAP_BASE\": \"dc=y\"\n}", func(c *Config) { c.Directory.BaseDN = "dc=y" }},
		{"into an empty object with CRLF", "{\r\n}\r\n", "{\r\n  \"LDAP_BASE\": \"dc=y\"\r\n}\r\n", func(c *Config) { c.Directory.BaseDN = "dc=y" }},
		{"a default goes", "{\n  \"LDAP_BASE\": \"dc=x\",\n  \"X\": 1\n}", "{\n  \"X\": 1\n}", func(c *Config) { c.Directory.BaseDN = "" }},
		{"the last one goes", `{"X":1, "LDAP_BASE":"dc=x"}`, `{"X":1}`, func(c *Config) { c.Directory.BaseDN = "" }},
		{"the only one goes", "{\n  \"LDAP_BASE\": \"dc=x\"\n}\n", "{}\n", func(c *Config) { c.Directory.BaseDN = "" }},
		{"all in between go", `{"LDAP_BASE":"dc=x","PORT":1,"X":2,"SITE_NAME":"s"}`, `{"X":2}`,
			func(c *Config) { c.Directory.BaseDN = ""; c.SignIn.Port = 4000; c.Tenant.SiteName = "" }},
		{"one goes, one comes", `{"LDAP_BASE":"dc=x"}`, `{"SITE_NAME":"s"}`, func(c *Config) { c.Directory.BaseDN = ""; c.Tenant.SiteName = "s" }},
		{"of duplicates the one that counts", `{"LDAP_BASE":"dc=1","X":1,"LDAP_BASE":"dc=2"}`, `{"LDAP_BASE":"dc=1","X":1,"LDAP_BASE":"dc=3"}`,
			func(c *Config) { c.Directory.BaseDN = "dc=3" }},
		{"all duplicates go", `{"LDAP_BASE":"dc=1","X":1,"LDAP_BASE":"dc=2"}`, `{"X":1}`, func(c *Config) { c.Directory.BaseDN = "" }},
		{"neighbours with quotes, commas and braces in their names", `{"a\",{b":"}","LDAP_BASE":"dc=x","c\\":1}`, `{"a\",{b":"}","c\\":1}`,
			func(c *Config) { c.Directory.BaseDN = "" }},
		{"an old name goes with the new one", `{"AUTH_WHEN_PASSWORD_EXPIRED":true,"X":1}`, `{"X":1}`, func(c *Config) { c.Policy.AllowPasswordExpired = false }},
		{"another realm", `{"REALM":"urn:a","urn:a":"https://a"}`, `{"REALM":"urn:b","urn:a":"https://a","urn:b":"https://b"}`,
			func(c *Config) { c.Tenant.Realm = "urn:b"; c.Tenant.PostURLs = []string{"https://b"} }},
		{"a byte order mark", "\xEF\xBB\xBF{\"PORT\":1}", "\xEF\xBB\xBF{\"PORT\":2}", func(c *Config) { c.SignIn.Port = 2 }},
		{"several servers", `{"LDAP_URL":"ldap://a"}`, `{"LDAP_URL":["ldap://a","ldap://b"]}`,
			func(c *Config) { c.Directory.URLs = append(c.Directory.URLs, "ldap://b") }},
		{"a value that did not fit", `{"PORT":"many"}`, `{"PORT":80}`, func(c *Config) { c.SignIn.Port = 80 }},
		{"a clear password for a sealed one", `{"LDAP_BIND_PASSWORD":"x","Z":0}`, `{"Z":0,"LDAP_BIND_CREDENTIALS":"abcd"}`,
			func(c *Config) { c.Directory.BindPassword = ""; c.Directory.BindCredentials = "abcd" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := mustParse(t, tt.file)
			tt.change(&c)
			got := encode(t, c)
			if got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
			if again := mustParse(t, got); !again.Equal(c) {
				t.Error("it is read otherwise than it was written")
			}
		})
	}
}

// What the environment supplies reaches the file only once it is changed.
func TestEnvironmentIsNotWritten(t *testing.T) {
	c := mustEnv(t, mustParse(t, `{"LDAP_BASE":"dc=file","SITE_NAME":"s"}`),
		"LDAP_BASE=dc=env", "LDAP_BIND_PASSWORD=from the environment", "http_proxy=http://u:p@proxy:1", "AD_HUB=https://hub")
	c.Tenant.SiteName = "other"
	if got := encode(t, c); got != `{"LDAP_BASE":"dc=file","SITE_NAME":"other"}` {
		t.Error(got)
	}
	c.Tenant.Hub = "https://hub" // the tenant says the same
	c.Directory.BindPassword = ""
	c.Directory.BindCredentials = "abcd"
	if got := encode(t, c); got != `{"LDAP_BASE":"dc=file","SITE_NAME":"other","LDAP_BIND_CREDENTIALS":"abcd"}` {
		t.Error(got)
	}
	c.Tenant.Hub = "https://hub2"
	if got := encode(t, c); !strings.Contains(got, `"AD_HUB":"https://hub2"`) {
		t.Error(got)
	}
}

// The post URLs of one realm never go with another, whoever names that.
func TestPostURLsBelongToTheirRealm(t *testing.T) {
	const file = `{"REALM":"urn:a","urn:a":"https://a","urn:b":"https://b"}`
	for _, tt := range []struct {
		name   string
		change func(*Config) error
		want   []string
		file   string
	}{
		{"the environment names another", func(c *Config) (err error) { *c, err = c.WithEnv([]string{"REALM=urn:b"}); return err },
			[]string{"https://b"}, file},
		{"the environment names one without", func(c *Config) (err error) { *c, err = c.WithEnv([]string{"REALM=urn:c"}); return err },
			nil, file},
		{"the environment has both", func(c *Config) (err error) {
			*c, err = c.WithEnv([]string{"REALM=urn:c", "urn:c=https://c"})
			return err
		}, []string{"https://c"}, file},
		{"set another", func(c *Config) error { return c.Set("REALM", "urn:b") },
			[]string{"https://b"}, `{"REALM":"urn:b","urn:a":"https://a","urn:b":"https://b"}`},
		{"set one without", func(c *Config) error { return c.Set("REALM", "urn:c") },
			nil, `{"REALM":"urn:c","urn:a":"https://a","urn:b":"https://b"}`},
		{"unset", func(c *Config) error { return c.Unset("REALM") }, nil, `{"urn:a":"https://a","urn:b":"https://b"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := mustParse(t, file)
			if err := tt.change(&c); err != nil {
				t.Fatal(err)
			}
			if got := encode(t, c); !slices.Equal(c.Tenant.PostURLs, tt.want) || got != tt.file {
				t.Error(c.Tenant.PostURLs, got)
			}
		})
	}
}

// An empty field means its default, as an empty value in the file does.
func TestEmptyFieldsAreTakenOut(t *testing.T) {
	c := mustParse(t, `{"WSFED_ISSUER":"x","LDAP_USER_BY_NAME":"(x={0})","LDAP_URL":[],"CONSOLE_ADDR":"127.0.0.1:1"}`)
	c.Tenant.Issuer, c.Directory.UserFilter, c.Agent.ConsoleAddr = nil, "", ""
	if got := encode(t, c); got != `{"LDAP_URL":[]}` {
		t.Error(got)
	}
}

// A copy is changed without the original.
func TestConfigIsAValue(t *testing.T) {
	c := mustParse(t, `{"PORT":1}`)
	d := c
	if err := d.Set("PORT", "2"); err != nil {
		t.Fatal(err)
	}
	if err := d.Set("NEW", "x"); err != nil {
		t.Fatal(err)
	}
	if err := d.ApplyPreset("openldap"); err != nil {
		t.Fatal(err)
	}
	if got := encode(t, c); got != `{"PORT":1}` || c.SignIn.Port != 1 {
		t.Error(got)
	}
}

// Any object with any members survives, and a change moves nothing but itself.
func TestRewritingIsFaithful(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ws := rapid.SampledFrom([]string{"", " ", "\n  ", "\r\n\t", "\n\n"})
		name := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"LDAP_BASE", "SITE_NAME", "GROUPS", "a.b", "urn:auth0:x", `q"`, `b\`, "", "REALM"}))
		value := rapid.OneOf(
			rapid.SampledFrom([]string{"1.0", "-0", "12345678901234567890", "null", "true", `{"a":[1, 2]}`, "[]", `"\u00e4\/"`}),
			rapid.Map(rapid.String(), func(s string) string { return string(marshal(s)) }))
		var file strings.Builder
		file.WriteString(ws.Draw(t, "before") + "{")
		var order []string
		for i, n := 0, rapid.IntRange(0, 8).Draw(t, "members"); i < n; i++ {
			key := name.Draw(t, "name")
			if !slices.Contains(order, key) {
				order = append(order, key)
			}
			if i > 0 {
				file.WriteString(",")
			}
			file.WriteString(ws.Draw(t, "ws") + string(marshal(key)) + ws.Draw(t, "ws") + ":" + ws.Draw(t, "ws") + value.Draw(t, "value") + ws.Draw(t, "ws"))
		}
		file.WriteString(ws.Draw(t, "ws") + "}" + ws.Draw(t, "after"))
		was := file.String()
		c, err := Parse([]byte(was))
		if err != nil {
			t.Fatal(err)
		}
		if out, _ := c.Encode(); string(out) != was {
			t.Fatalf("got %q, want %q", out, was)
		}

		c.Directory.BaseDN = rapid.SampledFrom([]string{"", "dc=new"}).Draw(t, "base")
		c.Tenant.SiteName = rapid.SampledFrom([]string{"", "site", `x"y`}).Draw(t, "site")
		c.Groups.Enabled = rapid.Bool().Draw(t, "groups")
		out, _ := c.Encode()
		if !json.Valid(out) {
			t.Fatalf("not JSON: %q from %q", out, was)
		}
		d, err := Parse(out)
		if err != nil || !d.Equal(c) {
			t.Fatalf("%q became %q, %v", was, out, err)
		}
		changed := []string{"LDAP_BASE", "SITE_NAME", "GROUPS"}
		untouched := func(names []string) []string {
			return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(changed, n) })
		}
		if got := untouched(d.look().doc.names()); !slices.Equal(got, untouched(order)) {
			t.Fatalf("%q became %q: order", was, out)
		}
		for _, key := range untouched(order) {
			before, _ := c.look().doc.get(key)
			after, _ := d.look().doc.get(key)
			if string(before) != string(after) {
				t.Fatalf("%q became %q: %q", was, out, key)
			}
		}
	})
}
