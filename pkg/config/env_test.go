package config

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func mustEnv(t testing.TB, c Config, environ ...string) Config {
	t.Helper()
	c, err := c.WithEnv(environ)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEnvironmentOutranksTheFile(t *testing.T) {
	file := `{"LDAP_BASE":"dc=file","LDAP_BIND_USER":"cn=file","GROUPS":true,"PORT":"bad"}`
	c := mustEnv(t, mustParse(t, file), "LDAP_BASE=dc=env,dc=x", "GROUPS=off", "GROUP_PROPERTIES=cn,dn", "PORT=81",
		"ldap_bind_user=cn=lower", "LDAP_BIND_PASSWORD=a=b ", "=C:=C:\\", "PATH", "LDAP_URL=ldap://a", "LDAP_URL=ldap://b")
	for key, want := range map[string]any{
		"LDAP_BASE": "dc=env,dc=x", "GROUPS": false, "GROUP_PROPERTIES": []string{"cn", "dn"}, "PORT": 81,
		"LDAP_BIND_USER": "cn=file", "LDAP_BIND_PASSWORD": Secret("a=b "), "LDAP_URL": []string{"ldap://b"},
	} {
		if got, _ := c.Get(key); !cmp.Equal(got, want) {
			t.Errorf("%s: got %#v, want %#v", key, got, want)
		}
		if fromEnv := key != "LDAP_BIND_USER"; c.FromEnv(key) != fromEnv {
			t.Errorf("FromEnv(%s) = %t", key, !fromEnv)
		}
	}
	if out, _ := c.Encode(); string(out) != file {
		t.Errorf("the environment leaked: %s", out)
	}
	if c.EnvOnly() {
		t.Error("not env-only")
	}
	for _, f := range faults(c) {
		if f.Key == "PORT" {
			t.Error("the file's value is overruled, and of no matter:", f)
		}
	}
}

// A variable that does not fit leaves the file's value, and Validate says where
// it comes from.
func TestEnvironmentThatDoesNotFit(t *testing.T) {
	c := mustEnv(t, mustParse(t, `{"LDAP_HEARTBEAT_SECONDS":30}`), "LDAP_HEARTBEAT_SECONDS=soon")
	if got, _ := c.Get("LDAP_HEARTBEAT_SECONDS"); got != 30 {
		t.Error(got)
	}
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), `LDAP_HEARTBEAT_SECONDS (environment): "soon" is not a number of seconds: write a number of seconds from 1 to 86400`) {
		t.Error(err)
	}
}

func TestEmptyVariableIsTheDefault(t *testing.T) {
	c := mustEnv(t, mustParse(t, `{"HTTP_PROXY":"http://file:1","GROUPS":false,"SITE_NAME":"x"}`), "HTTP_PROXY=", "GROUPS=", "SITE_NAME=", "http_proxy=http://last:1")
	if c.Network.Proxy != "" || !c.Groups.Enabled || c.Tenant.SiteName != "" {
		t.Errorf("%+v", c)
	}
}

func TestEnvOnly(t *testing.T) {
	file := `{"LDAP_BASE":"dc=file","LDAP_URL":1}`
	for _, value := range []string{"true", "False", "0", " false", ""} {
		if c := mustEnv(t, mustParse(t, file), "OVERRIDE_CONFIG="+value); c.EnvOnly() || c.Directory.BaseDN != "dc=file" {
			t.Errorf("OVERRIDE_CONFIG=%s is env-only", value)
		}
	}
	c := mustEnv(t, mustParse(t, file), "OVERRIDE_CONFIG=false", "LDAP_URL=ldap://a", "REALM=urn:x", "urn:x=https://a/b")
	if !c.EnvOnly() || c.Directory.BaseDN != "" || !slices.Equal(c.Tenant.PostURLs, []string{"https://a/b"}) || !c.FromEnv("urn:x") {
		t.Errorf("%+v", c)
	}
	for _, f := range faults(c) {
		if f.From != "" {
			t.Error("the file still counts:", f)
		}
	}
	if out, _ := c.Encode(); string(out) != "{}\n" {
		t.Errorf("%s", out)
	}
}

func TestProxyVariables(t *testing.T) {
	for _, tt := range []struct {
		name, file string
		environ    []string
		want       Secret
	}{
		{"the file before http_proxy", `{"HTTP_PROXY":"http://file:1"}`, []string{"http_proxy=http://lower:1"}, "http://file:1"},
		{"HTTP_PROXY before the file", `{"HTTP_PROXY":"http://file:1"}`, []string{"http_proxy=http://lower:1", "HTTP_PROXY=http://upper:1"}, "http://upper:1"},
		{"http_proxy last", `{}`, []string{"http_proxy=http://lower:1"}, "http://lower:1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := mustEnv(t, mustParse(t, tt.file), tt.environ...)
			if c.Network.Proxy != tt.want {
				t.Error(string(c.Network.Proxy))
			}
			if out, _ := c.Encode(); string(out) != tt.file {
				t.Errorf("%s", out)
			}
		})
	}
	c := mustEnv(t, Default(), "https_proxy=http://s:1", "no_proxy=.corp.example")
	if c.Network.HTTPSProxy != "http://s:1" || c.Network.NoProxy != ".corp.example" || !c.FromEnv("HTTPS_PROXY") || c.FromEnv("HTTP_PROXY") {
		t.Errorf("%+v", c.Network)
	}
}

func TestLevelsOfNames(t *testing.T) {
	c := mustEnv(t, mustParse(t, `{"A":{"B":{"C":1.50}},"D":"flat","E||F":"flat too"}`), "X||Y||Z=1", "X||W=2", "A||Q=env", "PLAIN=unknown")
	for key, want := range map[string]any{
		"X": map[string]any{"Y": map[string]any{"Z": "1"}, "W": "2"}, "X||Y||Z": "1", "X||W": "2", "A||Q": "env", "D": "flat", "E||F": "flat too",
	} {
		if got, ok := c.Get(key); !ok || !cmp.Equal(got, want) {
			t.Errorf("%s: got %#v, want %#v", key, got, want)
		}
	}
	for _, key := range []string{"PLAIN", "X||Y||Z||0", "A||no", "D||x", "||", "", "NOPE"} {
		if v, ok := c.Get(key); ok {
			t.Errorf("%s: got %#v", key, v)
		}
	}
	c = mustParse(t, `{"A":{"B":{"C":1.50}}}`)
	if v, _ := c.Get("A||B||C"); v == nil || v.(interface{ String() string }).String() != "1.50" {
		t.Errorf("%#v", v)
	}
}

// An environment beyond all measure is refused, not read.
func TestHugeEnvironment(t *testing.T) {
	if _, err := Default().WithEnv([]string{"PROFILE_MAPPER=" + strings.Repeat("x", maxSize)}); err == nil || !strings.HasPrefix(err.Error(), "read the environment: ") {
		t.Error(err)
	}
}

func TestOldNamesInTheEnvironment(t *testing.T) {
	c := mustEnv(t, mustParse(t, `{"ALLOW_PASSWORD_EXPIRED":false}`), "AUTH_WHEN_PASSWORD_EXPIRED=true")
	if !c.Policy.AllowPasswordExpired || !c.FromEnv("ALLOW_PASSWORD_EXPIRED") || len(c.Warnings()) != 1 {
		t.Error(c.Policy, c.Warnings())
	}
}
