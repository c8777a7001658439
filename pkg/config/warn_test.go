package config

import (
	"strings"
	"testing"
)

// The traps of the existing connector's types, mended and said.
func TestWarningsOfOldMeanings(t *testing.T) {
	for _, tt := range []struct{ file, want string }{
		{`{"GROUPS":"false"}`, `GROUPS: "false" used to count as true, and now means false`},
		{`{"GROUPS":0}`, `GROUPS: 0 used to count as true, and now means false`},
		{`{"GROUPS":false}`, ``},
		{`{"GROUPS":"true"}`, ``},
		{`{"ENABLE_WRITE_BACK":"false"}`, `ENABLE_WRITE_BACK: "false" used to count as true, and now means false`},
		{`{"ENABLE_WRITE_BACK":"0"}`, `ENABLE_WRITE_BACK: "0" used to count as true, and now means false`},
		{`{"ENABLE_WRITE_BACK":"true"}`, ``}, {`{"ENABLE_WRITE_BACK":0}`, ``}, {`{"ENABLE_WRITE_BACK":1}`, ``},
		{`{"ALLOW_PASSWORD_EXPIRED":"no"}`, `ALLOW_PASSWORD_EXPIRED: "no" used to count as true, and now means false`},
		{`{"ALLOW_PASSWORD_CHANGE_REQUIRED":"off"}`, `used to count as true, and now means false`},
		{`{"KERBEROS_AUTH":"false"}`, `KERBEROS_AUTH: "false" used to count as true`},
		{`{"CLIENT_CERT_AUTH":"false"}`, `CLIENT_CERT_AUTH: "false" used to count as true`},
		{`{"LDAP_SEARCH_RESULTS_OMIT_GROUPS":"false"}`, `LDAP_SEARCH_RESULTS_OMIT_GROUPS: "false" used to count as true`},
		{`{"LDAP_SEARCH_RESULTS_OMIT_GROUPS":""}`, `LDAP_SEARCH_RESULTS_OMIT_GROUPS: "" used to count as false, and now means true`},
		{`{"WITH_KERBEROS_PROXY_FRONTEND":"false"}`, `WITH_KERBEROS_PROXY_FRONTEND: "false" used to count as true`},
		{`{"ENABLE_ACTIVE_DIRECTORY_UNICODE_PASSWORD":"true"}`, `ENABLE_ACTIVE_DIRECTORY_UNICODE_PASSWORD: "true" used to count as false, and now means true`},
		{`{"ENABLE_ACTIVE_DIRECTORY_UNICODE_PASSWORD":1}`, `1 used to count as false, and now means true`},
		{`{"ENABLE_ACTIVE_DIRECTORY_UNICODE_PASSWORD":true}`, ``}, {`{"ENABLE_ACTIVE_DIRECTORY_UNICODE_PASSWORD":"false"}`, ``},
		{`{"AUTO_UNLOCK_ON_PASSWORD_CHANGE":"true"}`, `AUTO_UNLOCK_ON_PASSWORD_CHANGE: "true" used to count as false`},
		{`{"GROUP_PROPERTIES":"cn,dn"}`, `GROUP_PROPERTIES: "cn,dn" used to count as one name, and now means the list ["cn","dn"]`},
		{`{"GROUP_PROPERTIES":"cn"}`, ``}, {`{"GROUP_PROPERTIES":["cn","dn"]}`, ``},
		{`{"GROUPS_CACHE_SECONDS":0}`, `GROUPS_CACHE_SECONDS: 0 used to mean for ever, and now turns the cache of groups off`},
		{`{"MAX_HEADER_SIZE":0}`, `MAX_HEADER_SIZE: 0 is no size, and the default of 65536 bytes holds`},
		{`{"MAX_HEADER_SIZE":""}`, ``},
		{`{"PROFILE_MAPPING_MEMORY_LIMIT_MB":16}`, `PROFILE_MAPPING_MEMORY_LIMIT_MB: 16 MiB is too little for the mapper's process, and was raised to 64`},
		{`{"AUTH_WHEN_PASSWORD_EXPIRED":"false"}`, `AUTH_WHEN_PASSWORD_EXPIRED is now called ALLOW_PASSWORD_EXPIRED`},

		{`{"SESSION_SECRET":"a1b2c3d4567"}`, `SESSION_SECRET: this is the public default of old releases`},
		{`{"SESSION_SECRET":"too short"}`, `SESSION_SECRET: it is shorter than 32 characters`},
		{`{"SESSION_SECRET":"0123456789abcdef0123456789abcdef"}`, ``},
		{`{"LDAP_URL":"ldap://a"}`, `LDAP_URL: passwords cross the network in the clear`},
		{`{"LDAP_URL":"ldap://a","LDAP_STARTTLS":true}`, ``}, {`{"LDAP_URL":"LDAPS://a"}`, ``},
		{`{"LDAP_URL":"srv://a.b"}`, `LDAP_URL: passwords cross the network in the clear`}, {`{"LDAP_URL":"srvs://a.b","LDAP_SITE":"x"}`, ``},
		{`{"LDAP_URL":"ldaps://a","LDAP_SITE":"x"}`, `LDAP_SITE: it has no effect`},
		{`{"LDAP_HEARTBEAT_SEARCH_QUERY":"(cn={0})"}`, `LDAP_HEARTBEAT_SEARCH_QUERY: "(cn={0})" has a {0}, which nothing takes the place of`},
		{`{"KERBEROS_DEBUG_USER":"jane"}`, `KERBEROS_DEBUG_USER: everybody who reaches the sign-in page is logged in as this user`},
		{`{"WITH_KERBEROS_PROXY_FRONTEND":true}`, `WITH_KERBEROS_PROXY_FRONTEND: a user's name in a header is not believed any more from just anybody`},
		{`{"CLIENT_CERT_HEADER":"x-cert","TRUSTED_PROXIES":["::1"]}`, `CLIENT_CERT_HEADER: a certificate in a header is not believed`},
		{`{"WITH_KERBEROS_PROXY_FRONTEND":true,"TRUSTED_PROXIES":["::1"],"TRUSTED_PROXY_SECRET":"0123456789abcdef0123456789abcdef"}`, ``},
		{`{"TLS_CERT":"a","SSL_PFX":"AAAA"}`, `SSL_PFX: TLS_CERT is set as well, and wins`}, {`{"TLS_KEY":"a"}`, `TLS_KEY: without TLS_CERT it has no use`},
		{`{"GROUPS_NESTED":true}`, `GROUPS_NESTED: the default LDAP_SEARCH_GROUPS follows nesting already`},

		{`{"SECRETS":"systemd","LDAP_BIND_USER":"svc","LDAP_BIND_PASSWORD":"x"}`, `SECRETS: the password in LDAP_BIND_PASSWORD or LDAP_BIND_CREDENTIALS counts`},
		{`{"SECRETS":"systemd","LDAP_BIND_USER":"svc","ANONYMOUS_SEARCH_ENABLED":true}`, ``},
		{`{"LDAP_UR":"x"}`, `LDAP_UR is not a key of config.json: did you mean LDAP_URL?`},
		{`{"LDAP_URLS":"x"}`, `did you mean LDAP_URL?`}, {`{"LDAP_ULR":"x"}`, `did you mean LDAP_URL?`},
		{`{"ldap_url":"x"}`, `did you mean LDAP_URL?`}, {`{"LDAP-URL":"x"}`, `did you mean LDAP_URL?`},
		{`{"POTR":"x"}`, `did you mean PORT?`},
		{`{"LDAP":"x","_csrf":"y","GRP":1,"urn:auth0:old":"https://x"}`, ``},
		{`{"AUTHENTICATION":"FORM","CACHE_FILE":"x","CONNECTIONS_API_V2_KEY":"y","SSL_OPENSSLDIR_PATTERN":"z"}`, ``},
	} {
		t.Run(tt.file, func(t *testing.T) {
			got := strings.Join(mustParse(t, tt.file).Warnings(), "\n")
			if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestWarningsOfTheEnvironment(t *testing.T) {
	c := mustEnv(t, mustParse(t, `{"GROUPS":"false"}`), "GROUPS=true", "ENABLE_WRITE_BACK=false", "LDAP_BIND_USR=x", "HOMES=x", "NODE_TLS_REJECT_UNAUTHORIZED=0")
	got := strings.Join(c.Warnings(), "\n")
	for _, want := range []string{
		`ENABLE_WRITE_BACK: "false" used to count as true`,
		`the variable LDAP_BIND_USR is none of the connector's: did you mean LDAP_BIND_USER?`,
		`NODE_TLS_REJECT_UNAUTHORIZED: it has no effect`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
	if len(c.Warnings()) != 3 {
		t.Error(got)
	}
}

// A warning goes with its cause.
func TestWarningsFollowTheValue(t *testing.T) {
	c := mustParse(t, `{"GROUPS":"false","ENABLE_WRITE_BACK":"false"}`)
	c.Groups.Enabled = true
	if err := c.Set("ENABLE_WRITE_BACK", "false"); err != nil {
		t.Fatal(err)
	}
	if w := c.Warnings(); len(w) != 0 {
		t.Error(w)
	}
}

func TestOneEditApart(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"PORT", "PORT", false}, {"PORT", "PRT", true}, {"PORT", "PORTS", true}, {"PORT", "PIRT", true}, {"PORT", "PROT", true},
		{"PORT", "POTR", true}, {"PORT", "TROP", false}, {"", "A", true}, {"", "", false}, {"A", "B", true}, {"AB", "CD", false}, {"PORT", "XPORTX", false},
	} {
		if oneEditApart(tt.a, tt.b) != tt.want || oneEditApart(tt.b, tt.a) != tt.want {
			t.Errorf("%q, %q", tt.a, tt.b)
		}
	}
}
