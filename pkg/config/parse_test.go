package config

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// mustParse reads a file that has to be readable.
func mustParse(t testing.TB, file string) Config {
	t.Helper()
	c, err := Parse([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A configuration as an existing installation leaves it, line ends included.
var existing = strings.ReplaceAll(`{
  "LDAP_URL": "ldaps://dc1.corp.example:636",
  "LDAP_BASE": "DC=corp,DC=example",
  "LDAP_BIND_USER": "corp\\svc-auth",
  "LDAP_BIND_CREDENTIALS": "$2$.000102030405060708090a0b0c0d0e0f.0f0e0d0c0b0a09080706050403020100.00112233445566778899aabbccddeeff",
  "PORT": "4301",
  "PROVISIONING_TICKET": "https://acme.example/p/ad/tOpSeCrEt",
  "AD_HUB": "https://acme.example/lo/hub",
  "WSFED_ISSUER": [
    "corp.example",
    "corp2.example"
  ],
  "CONNECTION": "corp-ad",
  "REALM": "urn:auth0:acme",
  "urn:auth0:acme": "https://acme.example/login/callback, https://acme.example/old/callback",
  "SITE_NAME": "corp-ad",
  "CLIENT_CERT_AUTH": false,
  "KERBEROS_AUTH": true,
  "FIREWALL_RULE_CREATED": true,
  "ANONYMOUS_SEARCH_ENABLED": false,
  "GROUPS_CACHE_SECONDS": 6e2,
  "SERVER_URL": "http://node1:4301",
  "LAST_SENT_THUMBPRINT": "aabbccddeeff00112233445566778899aabbccdd",
  "TENANT_SIGNING_KEY": "shared secret of the tenant",
  "_csrf": "left by the console",
  "BIG": 12345678901234567890.10
}`, "\n", "\r\n")

func TestParseAnExistingInstallation(t *testing.T) {
	c := mustParse(t, existing)
	want := Default()
	want.Tenant = Tenant{
		Ticket: "https://acme.example/p/ad/tOpSeCrEt", Hub: "https://acme.example/lo/hub", Connection: "corp-ad",
		Realm:      "urn:auth0:acme",
		PostURLs:   []string{"https://acme.example/login/callback", "https://acme.example/old/callback"},
		Issuer:     []string{"corp.example", "corp2.example"},
		SigningKey: "shared secret of the tenant", SentThumbprint: "aabbccddeeff00112233445566778899aabbccdd",
		ServerURL: "http://node1:4301", SiteName: "corp-ad", Kerberos: true, FirewallRuleCreated: true, AgentMode: true,
	}
	want.Directory.URLs = []string{"ldaps://dc1.corp.example:636"}
	want.Directory.BaseDN = "DC=corp,DC=example"
	want.Directory.BindUser = `corp\svc-auth`
	want.Directory.BindCredentials = "$2$.000102030405060708090a0b0c0d0e0f.0f0e0d0c0b0a09080706050403020100.00112233445566778899aabbccddeeff"
	want.SignIn.Port = 4301
	if !c.Equal(want) {
		t.Error(cmp.Diff(want.Tenant, c.Tenant), cmp.Diff(want.Directory, c.Directory), cmp.Diff(want.SignIn, c.SignIn))
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if w := c.Warnings(); len(w) != 0 {
		t.Error(w)
	}
	if got := c.Unknown(); !slices.Equal(got, []string{"_csrf", "BIG"}) {
		t.Error(got)
	}
}

// Every key, every form in which its value may be written. A value of a wrong
// type is no error of Parse: the default stays, and Validate names it.
func TestValues(t *testing.T) {
	const bad = "bad"
	for _, tt := range []struct {
		key, json string
		want      any
	}{
		{"GROUPS", `false`, false}, {"GROUPS", `"false"`, false}, {"GROUPS", `"No"`, false}, {"GROUPS", `"OFF"`, false},
		{"GROUPS", `0`, false}, {"GROUPS", `"0"`, false}, {"GROUPS", `" yes "`, true}, {"GROUPS", `"on"`, true},
		{"GROUPS", `1`, true}, {"GROUPS", `"1"`, true}, {"GROUPS", `null`, true}, {"GROUPS", `""`, true},
		{"GROUPS", `2`, bad}, {"GROUPS", `"maybe"`, bad}, {"GROUPS", `[]`, bad}, {"GROUPS", `{"a":1}`, bad},

		{"PORT", `80`, 80}, {"PORT", `"80"`, 80}, {"PORT", `8.0e1`, 80}, {"PORT", `""`, 4000}, {"PORT", `0`, 0},
		{"PORT", `80.5`, bad}, {"PORT", `-1`, bad}, {"PORT", `65536`, bad}, {"PORT", `"0x50"`, bad}, {"PORT", `"NaN"`, bad},
		{"PORT", `"inf"`, bad}, {"PORT", `1e999`, bad}, {"PORT", `"8_0"`, bad}, {"PORT", `true`, bad}, {"PORT", `[80]`, bad},
		{"PORT", `99999999999999999999999`, bad},

		{"LDAP_HEARTBEAT_SECONDS", `30`, 30}, {"LDAP_HEARTBEAT_SECONDS", `"1.5"`, 1.5}, {"LDAP_HEARTBEAT_SECONDS", `0`, bad},
		{"LDAP_HEARTBEAT_SECONDS", `1e300`, bad}, {"GROUPS_CACHE_SECONDS", `0`, 0}, {"GROUPS_CACHE_SECONDS", `-1`, bad},
		{"PROFILE_MAPPING_TIMEOUT_MS", `"250"`, 250}, {"WS_RECONNECT_INTERVAL_MS", `10000`, 10000},
		{"MAX_HEADER_SIZE", `16834`, 16834}, {"MAX_HEADER_SIZE", `0`, 65536}, {"MAX_HEADER_SIZE", `-5`, 65536}, {"MAX_HEADER_SIZE", `10`, bad},
		{"PROFILE_MAPPING_MEMORY_LIMIT_MB", `16`, 64}, {"PROFILE_MAPPING_MEMORY_LIMIT_MB", `256`, 256}, {"PROFILE_MAPPING_MEMORY_LIMIT_MB", `-1`, bad},

		{"SITE_NAME", `" Corp "`, "Corp"}, {"SITE_NAME", `42`, "42"}, {"SITE_NAME", `true`, bad}, {"SITE_NAME", `["a"]`, bad},
		{"SITE_NAME", `"\ud83d\ude00 \ud800"`, "\U0001F600 \uFFFD"}, {"SSL_CA_PATH", `false`, ""}, {"SSL_CA_PATH", `"/etc/ca"`, "/etc/ca"},
		{"LDAP_BIND_PASSWORD", `" kept as it is "`, Secret(" kept as it is ")}, {"LDAP_BIND_PASSWORD", `12345`, Secret("12345")},
		{"LDAP_BIND_PASSWORD", `{"a":1}`, bad}, {"LDAP_USER_BY_NAME", `""`, "(sAMAccountName={0})"},
		{"PROVISIONING_TICKET", `" https://acme.example/p/ad/x\n"`, Secret("https://acme.example/p/ad/x")},

		{"LDAP_URL", `"ldap://a"`, []string{"ldap://a"}}, {"LDAP_URL", `["ldap://a","ldaps://b:636"]`, []string{"ldap://a", "ldaps://b:636"}},
		{"LDAP_URL", `"ldap://a, ldaps://b"`, []string{"ldap://a", "ldaps://b"}}, {"LDAP_URL", `"ldap://a  ldaps://b"`, []string{"ldap://a", "ldaps://b"}},
		{"LDAP_URL", `"ldap://a/dc=x,dc=y,ldap://b"`, []string{"ldap://a/dc=x,dc=y", "ldap://b"}}, {"LDAP_URL", `"[\"ldap://a\"]"`, []string{"ldap://a"}},
		{"LDAP_URL", `[]`, []string{}}, {"LDAP_URL", `["ldap://a",1]`, bad}, {"LDAP_URL", `7`, bad}, {"LDAP_URL", `"[\"ldap://a\""`, bad},
		{"GROUP_PROPERTIES", `["cn","dn"]`, []string{"cn", "dn"}}, {"GROUP_PROPERTIES", `"cn, dn,"`, []string{"cn", "dn"}},
		{"GROUP_PROPERTIES", `"[\"cn\"]"`, []string{"cn"}}, {"GROUP_PROPERTIES", `["",null]`, bad},
		{"WSFED_ISSUER", `"urn:a,b"`, []string{"urn:a,b"}}, {"WSFED_ISSUER", `[]`, []string{}}, {"WSFED_ISSUER", `""`, []string{"urn:auth0"}},
	} {
		t.Run(tt.key+" "+tt.json, func(t *testing.T) {
			file := `{"` + tt.key + `":` + tt.json + `}`
			c := mustParse(t, file)
			got, ok := c.Get(tt.key)
			want := tt.want
			if tt.want == bad {
				def := Default()
				want, _ = def.Get(tt.key)
				if !slices.ContainsFunc(faults(c), func(f *FieldError) bool { return f.Key == tt.key && f.Remedy != "" }) {
					t.Errorf("Validate is silent: %v", c.Validate())
				}
			}
			if !ok || !cmp.Equal(got, want) {
				t.Errorf("got %#v, want %#v", got, want)
			}
			if out, err := c.Encode(); err != nil || string(out) != file {
				t.Errorf("encoded as %s, %v", out, err)
			}
		})
	}
}

// faults returns what Validate finds.
func faults(c Config) []*FieldError {
	err := c.Validate()
	if err == nil {
		return nil
	}
	var list []*FieldError
	for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
		list = append(list, e.(*FieldError))
	}
	return list
}

// What is not one JSON object is refused with the place of the fault.
func TestParseRefuses(t *testing.T) {
	for _, tt := range []struct{ name, file, want string }{
		{"a trailing comma", "{\n  \"LDAP_BASE\": \"dc=x\",\n}", "config.json, line 3, column 1: invalid character '}'"},
		{"a comment", "{ // the base\n}", "line 1, column 3: invalid character '/'"},
		{"single quotes", `{'a':1}`, "line 1, column 2:"},
		{"a raw line end in a text", "{\"a\":\"x\ny\"}", "line 1, column 8:"},
		{"cut off", "{\r\n\"a\": \"x", "line 2, column 8: unexpected end of JSON input"},
		{"a fault after umlauts", `{"ä":"ö",}`, "line 1, column 10:"},
		{"a fault after a byte order mark", "\xEF\xBB\xBF{]", "line 1, column 2:"},
		{"two objects", `{}{}`, "line 1, column 3:"},
		{"an array", "\n [1]", "line 2, column 2: not an object"},
		{"a text", `"LDAP_URL"`, "not an object"},
		{"null", `null`, "not an object"},
		{"a number", `7`, "not an object"},
		{"an array that holds an object", `[{"a":1}]`, "not an object"},
		{"UTF-16", "\xFF\xFE{\x00}\x00", "UTF-16"},
		{"zeros", "\x00\x00", "line 1, column 1:"},
		{"deep nesting", `{"a":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, "exceeded max depth"},
		{"nesting without an end", `{"a":` + strings.Repeat("[", 1<<20), "exceeded max depth"},
		{"a huge file", `{"a":"` + strings.Repeat("x", maxSize) + `"}`, "16 MiB, and at most 16 are read"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Parse([]byte(tt.file))
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %s", err, tt.want)
			}
			if !c.Equal(Default()) {
				t.Error("not the defaults")
			}
		})
	}
}

func TestParseTolerates(t *testing.T) {
	for _, tt := range []struct{ name, file string }{
		{"nothing", ""}, {"white space", " \r\n"}, {"a byte order mark alone", "\xEF\xBB\xBF"}, {"an empty object", "{ }"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if c := mustParse(t, tt.file); !c.Equal(Default()) || len(c.Warnings()) != 0 {
				t.Error("not the defaults", c.Warnings())
			}
		})
	}
	t.Run("a byte order mark, which stays", func(t *testing.T) {
		c := mustParse(t, "\xEF\xBB\xBF"+`{"LDAP_BASE":"dc=x"}`)
		if c.Directory.BaseDN != "dc=x" {
			t.Error(c.Directory.BaseDN)
		}
		if out, _ := c.Encode(); !bytes.HasPrefix(out, bom) {
			t.Errorf("%q", out)
		}
	})
	t.Run("duplicates: the last one counts, and is said", func(t *testing.T) {
		c := mustParse(t, `{"LDAP_BASE":"dc=x","LDAP_BASE":"dc=y"}`)
		if c.Directory.BaseDN != "dc=y" || len(c.Warnings()) != 1 || !strings.Contains(c.Warnings()[0], "LDAP_BASE") {
			t.Error(c.Directory.BaseDN, c.Warnings())
		}
	})
	t.Run("bytes that are not UTF-8, and are said", func(t *testing.T) {
		c := mustParse(t, "{\"SITE_NAME\":\"M\xfcller\"}")
		if c.Tenant.SiteName != "M\uFFFDller" || len(c.Warnings()) != 1 {
			t.Error(c.Tenant.SiteName, c.Warnings())
		}
	})
	t.Run("a key that is written with escapes", func(t *testing.T) {
		if c := mustParse(t, `{"LDAP\u005fBASE":"dc=x"}`); c.Directory.BaseDN != "dc=x" {
			t.Error(c.Directory.BaseDN)
		}
	})
	t.Run("keys of the old names, and the new one wins", func(t *testing.T) {
		c := mustParse(t, `{"AUTH_WHEN_PASSWORD_EXPIRED":true,"AUTH_WHEN_PASSWORD_CHANGE_REQUIRED":true,"ALLOW_PASSWORD_CHANGE_REQUIRED":false}`)
		if !c.Policy.AllowPasswordExpired || c.Policy.AllowPasswordChangeRequired {
			t.Error(c.Policy)
		}
		if w := c.Warnings(); len(w) != 1 || !strings.Contains(w[0], "AUTH_WHEN_PASSWORD_EXPIRED is now called ALLOW_PASSWORD_EXPIRED") {
			t.Error(w)
		}
	})
	t.Run("the realm's key before REALM", func(t *testing.T) {
		c := mustParse(t, `{"urn:auth0:a.b":"https://x/y","REALM":"urn:auth0:a.b"}`)
		if !slices.Equal(c.Tenant.PostURLs, []string{"https://x/y"}) || len(c.Unknown()) != 0 {
			t.Error(c.Tenant.PostURLs, c.Unknown())
		}
	})
}

func TestDefaults(t *testing.T) {
	c := Default()
	if c.Directory.ParallelBinds != 64 || c.SignIn.MaxHeaderSize != 65536 || c.SignIn.SessionSecret != "" ||
		c.Groups.Cache != 10*time.Minute || !c.Groups.Enabled || !c.Tenant.AgentMode || c.Agent.ConsoleAddr != "127.0.0.1:8357" {
		t.Errorf("%+v", c)
	}
	for _, k := range c.keys() { // what a default is, Validate may not object to
		if f := k.valid(&c); f != nil {
			t.Error(f)
		}
	}
	if len(c.Warnings()) != 0 {
		t.Error(c.Warnings())
	}
}

func BenchmarkParse(b *testing.B) {
	file := []byte(existing)
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		if _, err := Parse(file); err != nil {
			b.Fatal(err)
		}
	}
}
