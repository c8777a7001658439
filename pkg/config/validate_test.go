package config

import (
	"slices"
	"strings"
	"testing"
)

// good is a configuration without faults, to break one thing at a time.
func good() Config {
	c := Default()
	c.Tenant.Ticket = "https://acme.example/p/ad/tOpSeCrEt"
	c.Directory.URLs = []string{"ldaps://dc1"}
	c.Directory.BaseDN = "dc=x"
	c.Directory.BindUser = "svc"
	c.Directory.BindPassword = "hUsHhUsH"
	return c
}

const (
	certPEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
	keyPEM  = "-----BEGIN RSA PRIVATE KEY-----\r\nAAAA\r\n-----END RSA PRIVATE KEY-----\r\n"
)

func TestValidate(t *testing.T) {
	if c := good(); c.Validate() != nil {
		t.Fatal(c.Validate())
	}
	for _, tt := range []struct {
		name  string
		wreck func(*Config)
		want  []string // the keys at fault, in order
	}{
		{"nothing set", func(c *Config) { *c = Default() }, []string{"PROVISIONING_TICKET", "LDAP_URL", "LDAP_BASE", "LDAP_BIND_USER"}},
		{"tenant settings instead of a ticket", func(c *Config) {
			c.Tenant.Ticket, c.Tenant.Hub, c.Tenant.Connection, c.Tenant.Realm = "", "https://h", "c", "urn:r"
		}, nil},
		{"half of them", func(c *Config) { c.Tenant.Ticket, c.Tenant.Hub = "", "https://h" }, []string{"PROVISIONING_TICKET"}},
		{"a realm that names a key", func(c *Config) { c.Tenant.Realm = "SESSION_SECRET" }, []string{"REALM"}},
		{"anonymous", func(c *Config) { c.Directory.BindUser, c.Directory.BindPassword, c.Directory.Anonymous = "", "", true }, nil},
		{"a password without a user", func(c *Config) { c.Directory.BindUser = "" }, []string{"LDAP_BIND_USER"}},
		{"a user without a password", func(c *Config) { c.Directory.BindPassword = "" }, []string{"LDAP_BIND_PASSWORD"}},
		{"a password in a store", func(c *Config) { c.Directory.BindPassword, c.Agent.Secrets = "", "systemd" }, nil},
		{"a store without a user", func(c *Config) {
			c.Directory.BindUser, c.Directory.BindPassword, c.Agent.Secrets = "", "", "dpapi"
		}, []string{"LDAP_BIND_USER"}},
		{"an unknown store", func(c *Config) { c.Agent.Secrets = "vault" }, []string{"SECRETS"}},
		{"no such store", func(c *Config) { c.Agent.Secrets = "vault" }, []string{"SECRETS"}},
		{"a sealed password", func(c *Config) { c.Directory.BindPassword, c.Directory.BindCredentials = "", "0aff" }, nil},
		{"a sealed password with a line end", func(c *Config) { c.Directory.BindPassword, c.Directory.BindCredentials = "", "$2$.00.ff.0a\n" }, nil},
		{"StartTLS with ldaps", func(c *Config) { c.Directory.StartTLS = true }, []string{"LDAP_STARTTLS"}},
		{"StartTLS with ldap", func(c *Config) { c.Directory.StartTLS, c.Directory.URLs = true, []string{"ldap://a", "LDAP://b"} }, nil},
		{"proofs in the browser", func(c *Config) {
			s := &c.SignIn
			s.Principals = []string{"HTTP/www.corp.example", "http/www@CORP.EXAMPLE", "svc-http@CORP.EXAMPLE"}
			s.Realms = "CORP.EXAMPLE;\nCHILD.CORP.EXAMPLE=child.corp.example; OLD=(cn={0});LAB=OU=Head Office,DC=lab"
			s.Proxies = []string{"10.1.2.3", "10.0.0.0/8", "::1", "fd00::/8"}
			s.ProxySecret, s.CertHeader = "0123456789abcdef0123456789abcdef", "X-SSL-Cert"
			s.ProxyCerts = []string{strings.Repeat("ab:", 31) + "CD", strings.Repeat("0f", 32)}
			s.CertMapping, s.CRLs = "SID; upn=(userPrincipalName={0})\ncn", []string{"users.crl", "http://pki.corp.example/users.crl"}
		}, nil},
		{"a path as a principal", func(c *Config) { c.SignIn.Principals = []string{"https://www/"} }, []string{"KERBEROS_PRINCIPAL"}},
		{"no realm", func(c *Config) { c.SignIn.Realms = "CORP EXAMPLE" }, []string{"KERBEROS_REALMS"}},
		{"a realm nowhere", func(c *Config) { c.SignIn.Realms = "CORP=" }, []string{"KERBEROS_REALMS"}},
		{"a realm of one user", func(c *Config) { c.SignIn.Realms = "CORP=(cn=jane)" }, []string{"KERBEROS_REALMS"}},
		{"an unknown binding", func(c *Config) { c.SignIn.ChannelBinding = "maybe" }, []string{"KERBEROS_CHANNEL_BINDING"}},
		{"everybody a proxy", func(c *Config) { c.SignIn.Proxies = []string{"0.0.0.0/0"} }, []string{"TRUSTED_PROXIES"}},
		{"a proxy's name", func(c *Config) { c.SignIn.Proxies = []string{"proxy.corp.example"} }, []string{"TRUSTED_PROXIES"}},
		{"a short proxy secret", func(c *Config) { c.SignIn.ProxySecret = "secret" }, []string{"TRUSTED_PROXY_SECRET"}},
		{"a proxy secret of several lines", func(c *Config) { c.SignIn.ProxySecret = Secret(strings.Repeat("secret\n", 9)) }, []string{"TRUSTED_PROXY_SECRET"}},
		{"a short fingerprint", func(c *Config) { c.SignIn.ProxyCerts = []string{"ab:cd"} }, []string{"TRUSTED_PROXY_CERTS"}},
		{"a header and its value", func(c *Config) { c.SignIn.CertHeader = "x-cert: y" }, []string{"CLIENT_CERT_HEADER"}},
		{"an unknown rule", func(c *Config) { c.SignIn.CertMapping = "cn;dn" }, []string{"CLIENT_CERT_MAPPING"}},
		{"a rule for all", func(c *Config) { c.SignIn.CertMapping = "cn=(uid=jane)" }, []string{"CLIENT_CERT_MAPPING"}},
		{"an unknown policy", func(c *Config) { c.SignIn.CertRevocation = "never" }, []string{"CLIENT_CERT_REVOCATION"}},
		{"a list by LDAP", func(c *Config) { c.SignIn.CRLs = []string{"ldap://dc1/cn=x"} }, []string{"CLIENT_CERT_CRL"}},
		{"hosts of references", func(c *Config) {
			c.Directory.ReferralHosts = []string{"dc1.child.corp.example", "10.0.0.1:3389", "[::1]:636"}
		}, nil},
		{"a URL as a host of references", func(c *Config) { c.Directory.ReferralHosts = []string{"ldap://dc1"} }, []string{"LDAP_REFERRAL_HOSTS"}},
		{"all hosts", func(c *Config) { c.Directory.ReferralHosts = []string{"*.corp.example"} }, []string{"LDAP_REFERRAL_HOSTS"}},
		{"a port alone", func(c *Config) { c.Directory.ReferralHosts = []string{":389"} }, []string{"LDAP_REFERRAL_HOSTS"}},
		{"an unknown password method", func(c *Config) { c.Directory.PasswordMethod = "exop" }, []string{"LDAP_PASSWORD_METHOD"}},
		{"mixed schemes", func(c *Config) { c.Directory.URLs = []string{"ldap://a", "ldaps://b"} }, nil},
		{"TLS required, mixed schemes", func(c *Config) { c.Directory.RequireTLS, c.Directory.URLs = true, []string{"ldap://a", "ldaps://b"} }, []string{"LDAP_REQUIRE_TLS"}},
		{"TLS required, ldaps", func(c *Config) { c.Directory.RequireTLS = true }, nil},
		{"TLS required, StartTLS", func(c *Config) {
			c.Directory.RequireTLS, c.Directory.StartTLS, c.Directory.URLs = true, true, []string{"ldap://a"}
		}, nil},
		{"Kerberos by keytab", func(c *Config) {
			d := &c.Directory
			d.BindMethod, d.BindPassword, d.Keytab = "gssapi", "", "/etc/svc.keytab"
		}, nil},
		{"Kerberos by another's tickets", func(c *Config) {
			c.Directory.BindMethod, c.Directory.BindUser, c.Directory.BindPassword = "gssapi", "", ""
		}, nil},
		{"a keytab of nobody's", func(c *Config) {
			c.Directory.BindMethod, c.Directory.BindUser, c.Directory.Keytab = "gssapi", "", "svc.keytab"
		}, []string{"LDAP_BIND_USER"}},
		{"a client certificate", func(c *Config) {
			d := &c.Directory
			d.BindMethod, d.BindUser, d.BindPassword, d.ClientCert, d.ClientKey = "external", "", "", "c.pem", "c.key"
		}, nil},
		{"no client certificate", func(c *Config) { c.Directory.BindMethod = "external" }, []string{"LDAP_CLIENT_CERT"}},
		{"a client certificate in clear", func(c *Config) {
			c.Directory.BindMethod, c.Directory.ClientCert, c.Directory.URLs = "external", "c.pem", []string{"ldaps://a", "ldap://b"}
		}, []string{"LDAP_BIND_METHOD"}},
		{"a client certificate over StartTLS", func(c *Config) {
			d := &c.Directory
			d.BindMethod, d.ClientCert, d.URLs, d.StartTLS = "external", "c.pem", []string{"ldap://b"}, true
		}, nil},
		{"a client's key alone", func(c *Config) { c.Directory.ClientKey = "c.key" }, []string{"LDAP_CLIENT_CERT"}},
		{"no such method", func(c *Config) { c.Directory.BindMethod = "ntlm" }, []string{"LDAP_BIND_METHOD"}},
		{"a certificate without a key", func(c *Config) { c.Keys.Certificate = certPEM }, []string{"AUTH_CERT_KEY"}},
		{"a key without a certificate", func(c *Config) { c.Keys.Key = keyPEM }, []string{"AUTH_CERT"}},
		{"both", func(c *Config) { c.Keys = KeyPair{certPEM, keyPEM} }, nil},
		{"each in the other's place", func(c *Config) { c.Keys = KeyPair{keyPEM, certPEM} }, []string{"AUTH_CERT", "AUTH_CERT_KEY"}},
		{"several at once, in schema order", func(c *Config) {
			c.Agent.ConsoleAddr, c.Directory.BaseDN, c.Tenant.Hub = "0.0.0.0:1", "corp.example", "acme"
		}, []string{"AD_HUB", "LDAP_BASE", "CONSOLE_ADDR"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := good()
			tt.wreck(&c)
			var keys []string
			for _, f := range faults(c) {
				keys = append(keys, f.Key)
				if f.Problem == "" || f.Remedy == "" {
					t.Errorf("%+v", f)
				}
			}
			if !slices.Equal(keys, tt.want) {
				t.Errorf("got %v, want %v", c.Validate(), tt.want)
			}
		})
	}
}

// The checks of single keys: what passes, and what each bad value gets.
func TestChecks(t *testing.T) {
	for _, tt := range []struct{ key, value, want string }{
		{"LDAP_URL", "ldap://[fd00::1]:1389 ldaps://dc2.corp.example", ""},
		{"LDAP_URL", "htp://x", `"htp://x" is not ldap:// or ldaps://`},
		{"LDAP_URL", "dc1.corp.example", `is not ldap:// or ldaps://`},
		{"LDAP_URL", "ldap://", `names no host`},
		{"LDAP_URL", "ldap://a:99999", `has no valid port`},
		{"LDAP_URL", "ldap://a:x", `is not ldap:// or ldaps://`},
		{"LDAP_URL", "ldap://svc:hUsHhUsH@a", `"ldap://[hidden]@a" holds a user`},
		{"LDAP_URL", "srv://corp.example srvs://corp.example. ldap://dc9", ""},
		{"LDAP_URL", "srv://", `names no domain`}, {"LDAP_URL", "srv://corp.example:389", `names no domain`},
		{"LDAP_URL", "srvs://svc:hUsHhUsH@corp.example", `"srvs://[hidden]@corp.example" names no domain`},
		{"LDAP_URL", "srv://corp..example", `names no domain`},
		{"LDAP_SITE", "Hamburg-1", ""}, {"LDAP_SITE", "Hamburg._sites", "is not a site's name"},
		{"LDAP_BASE", "corp.example", `is not a DN`},
		{"AD_HUB", "wss://acme.example/lo/hub", ""},
		{"AD_HUB", "acme.example", "is not a URL"},
		{"SERVER_URL", "https://sso.corp.example", ""},
		{"SERVER_URL", "ftp://x", "is not a URL"},
		{"PROVISIONING_TICKET", "https://acme.example/p/ad/tOpSeCrEt/info", ""},
		{"PROVISIONING_TICKET", "http://127.0.0.1:8080/p/ad/tOpSeCrEt", ""},
		{"PROVISIONING_TICKET", "http://localhost/p/ad/tOpSeCrEt", ""},
		{"PROVISIONING_TICKET", "http://acme.example/p/ad/tOpSeCrEt", "does not begin with https://"},
		{"PROVISIONING_TICKET", "tOpSeCrEt", "the value is not a URL"},
		{"PROVISIONING_TICKET", "https://acme.example/p/ad/", "path is not"},
		{"PROVISIONING_TICKET", "https://acme.example/p/ad/tOpSeCrEt/x/y", "path is not"},
		{"LDAP_USER_BY_NAME", "(|(uid={0})(mail={0}))", ""},
		{"LDAP_USER_BY_NAME", "uid={0}", ""},
		{"LDAP_USER_BY_NAME", "(uid=*)", "has no {0}"},
		{"LDAP_USER_BY_NAME", "(uid={0}", "leaves a parenthesis open"},
		{"LDAP_USER_BY_NAME", "(uid={0}))", "goes on after its last parenthesis"},
		{"LDAP_USER_BY_NAME", ")uid={0}(", "closes a parenthesis that is not open"},
		{"LDAP_USER_BY_NAME", "(uid={0})(x=y)", "goes on after its last parenthesis"},
		{"LDAP_USER_BY_NAME", "uid={0})", "does not begin with a parenthesis"},
		{"LDAP_USER_BY_NAME", "{0}", "compares nothing"},
		{"LDAP_SEARCH_QUERY", "(cn=x)", "has no {0}"},
		{"LDAP_SEARCH_GROUPS", "(member=x)", "has no {0}"},
		{"LDAP_SEARCH_ALL_QUERY", "(objectClass=person)", ""},
		{"LDAP_HEARTBEAT_SEARCH_QUERY", "((", "leaves a parenthesis open"},
		{"LDAP_BIND_CREDENTIALS", "$2$.00.ff.0a", ""},
		{"LDAP_BIND_CREDENTIALS", "$2$.00.hUsHhUsH.0a", "not a sealed password"},
		{"LDAP_BIND_CREDENTIALS", "$2$.00.ff", "not a sealed password"},
		{"LDAP_BIND_CREDENTIALS", "hUsHhUsH", "not a sealed password"},
		{"HTTP_PROXY", "http://user:hUsHhUsH@proxy:8080", ""},
		{"HTTP_PROXY", "proxy:8080", ""},
		{"HTTP_PROXY", "socks5://proxy:1080", ""},
		{"HTTP_PROXY", "http://proxy/hUsHhUsH/wpad.PAC", "(.pac)"},
		{"HTTP_PROXY", "file:///hUsHhUsH.pac", "not the URL of a proxy"},
		{"HTTP_PROXY", "ftp://hUsHhUsH@proxy", "not the URL of a proxy"},
		{"HTTPS_PROXY", "http://us:hUsHhUsH%@proxy", "not the URL of a proxy"},
		{"SSL_CA_PATH", "/etc/ssl/own", ""}, {"SSL_CA_PATH", `C:\ca`, ""}, {"SSL_CA_PATH", `\\server\ca`, ""},
		{"SSL_CA_PATH", "certs", "not an absolute path"},
		{"SSL_CA_FILE", "(?=x)", "invalid or unsupported Perl syntax"},
		{"CA_CERT", certPEM, ""}, {"CA_CERT", "junk " + certPEM + certPEM, ""},
		{"CA_CERT", keyPEM, "no certificate in PEM form"}, {"CA_CERT", "/etc/ca.pem", "no certificate in PEM form"},
		{"AUTH_CERT_KEY", "hUsHhUsH", "not a private key in PEM form"},
		{"SSL_PFX", "AAA=", ""}, {"SSL_PFX", "AA\r\nA=", ""}, {"SSL_PFX", "hUsHhUsH!", "not base64"},
		{"CONSOLE_ADDR", "localhost:0", ""}, {"CONSOLE_ADDR", "[::1]:8357", ""}, {"CONSOLE_ADDR", "127.0.0.2:80", ""},
		{"CONSOLE_ADDR", "0.0.0.0:8357", "can be reached from other machines"}, {"CONSOLE_ADDR", ":8357", "can be reached from other machines"},
		{"CONSOLE_ADDR", "8357", "is not HOST:PORT"}, {"CONSOLE_ADDR", "127.0.0.1:99999", "no valid port"},
		{"ORGANIZATION_UNITS", "list", ""}, {"ORGANIZATION_UNITS", "List", "none of its values"},
		{"GROUPS_DEREF_ALIASES", "4", "out of bounds"},
		{"LOG_FORMAT", "json", ""}, {"LOG_FORMAT", "xml", "none of its values"},
		{"LOG_LEVEL", "debug", ""}, {"LOG_LEVEL", "loud", "none of its values"},
		{"AUDIT_FILE", "logs/audit.jsonl", ""}, {"AUDIT_FILE", "audit.log", ""}, {"AUDIT_FILE", "/var/log/ad/audit.JSONL", ""},
		{"AUDIT_FILE", `D:\audit\ad.log`, ""}, {"AUDIT_FILE", `logs\audit.log`, ""},
		{"AUDIT_FILE", "config.json", "not a name for an audit file"}, {"AUDIT_FILE", "/home/x/config.json", "not a name for an audit file"},
		{"AUDIT_FILE", "logs/connector.log", "not a name for an audit file"}, {"AUDIT_FILE", "logs/../x.log", "does not name a file"},
		{"AUDIT_FILE", "/var/log/../x.log", "does not name a file"}, {"AUDIT_FILE", "/", "does not name a file"},
		{"AUDIT_FILE", "state/audit.log", "another folder of the home"}, {"AUDIT_FILE", "logs/a/b.log", "another folder of the home"},
		{"AUDIT_FILE_MB", "0", "out of bounds"}, {"AUDIT_FILES", "101", "out of bounds"},
		{"PEER_ADDR", ":8359", ""}, {"PEER_ADDR", "10.0.0.1:0", ""}, {"PEER_ADDR", "8359", "is not HOST:PORT"}, {"PEER_ADDR", "x:y", "no valid port"},
		{"PEERS", "a:1,b:2", ""}, {"PEERS", "a:1,[::1]:2", ""}, {"PEERS", "a:1,b", "is not HOST:PORT"}, {"PEERS", "a:0", "no valid port"}, {"PEERS", ":1", "names no host"},
		{"HEALTH_ADDR", ":8358", ""}, {"HEALTH_ADDR", "10.0.0.1:80", ""}, {"HEALTH_ADDR", "[::]:8358", ""}, {"HEALTH_ADDR", "0.0.0.0:0", ""},
		{"HEALTH_ADDR", "8358", "is not HOST:PORT"}, {"HEALTH_ADDR", "http://x:80", "is not HOST:PORT"}, {"HEALTH_ADDR", "x:http", "no valid port"},
		{"METRICS_ADDR", ":8360", ""}, {"METRICS_ADDR", "8360", "is not HOST:PORT"}, {"METRICS_ADDR", "x:http", "no valid port"},
		// A machine's variables are no faults of ours.
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "grpc nonsense", ""}, {"OTEL_EXPORTER_OTLP_HEADERS", "hUsHhUsH", ""},
	} {
		t.Run(tt.key+"="+tt.value, func(t *testing.T) {
			c := mustParse(t, string(marshal(map[string]string{tt.key: tt.value})))
			got := ""
			for _, f := range faults(c) {
				// What the whole lacks does not matter here.
				if f.Key == tt.key && !strings.Contains(f.Problem, "missing") {
					got = f.Error()
				}
			}
			if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if strings.Contains(got, "hUsHhUsH") || strings.Contains(got, "tOpSeCrEt") {
				t.Error("a secret is shown:", got)
			}
		})
	}
}

// A program that breaks a field hears of it as well as a file that does.
func TestRealmKeyIsChecked(t *testing.T) {
	c := mustParse(t, `{"REALM":"urn:a","urn:a":"javascript:alert(1)"}`)
	if len(c.Tenant.PostURLs) != 0 || c.Validate() == nil || !strings.Contains(c.Validate().Error(), "urn:a: ") {
		t.Error(c.Tenant.PostURLs, c.Validate())
	}
	c = good()
	c.Tenant.Realm, c.Tenant.PostURLs = "urn:a", []string{"x"}
	if c.Validate() == nil {
		t.Error("no fault")
	}
}

// What counts before the store is not in it.
func TestStored(t *testing.T) {
	for _, tt := range []struct {
		file string
		want bool
	}{
		{`{"SECRETS":"systemd","LDAP_BIND_USER":"svc"}`, true},
		{`{"SECRETS":"dpapi","LDAP_BIND_USER":"svc"}`, true},
		{`{"SECRETS":"keyring","LDAP_BIND_USER":"svc"}`, true},
		{`{"SECRETS":"systemd"}`, false},
		{`{"LDAP_BIND_USER":"svc"}`, false},
		{`{"SECRETS":"systemd","LDAP_BIND_USER":"svc","LDAP_BIND_PASSWORD":"x"}`, false},
		{`{"SECRETS":"systemd","LDAP_BIND_USER":"svc","LDAP_BIND_CREDENTIALS":"0a"}`, false},
		{`{"SECRETS":"systemd","LDAP_BIND_USER":"svc","LDAP_BIND_METHOD":"gssapi"}`, false},
	} {
		if got := mustParse(t, tt.file).Stored(); got != tt.want {
			t.Errorf("%s: %v", tt.file, got)
		}
	}
}

func TestSignInTLS(t *testing.T) {
	for _, tt := range []struct {
		file string
		want bool
	}{
		{`{}`, false},
		{`{"SSL_PFX":"AAAA"}`, true},
		{`{"SSL_PFX":"AAAA","KERBEROS_AUTH":true,"SERVER_URL":"http://a:4000"}`, false},
		{`{"SSL_PFX":"AAAA","KERBEROS_AUTH":true,"SERVER_URL":"HTTPS://a"}`, true},
		{`{"TLS_CERT":"a.pem","KERBEROS_AUTH":true,"SERVER_URL":"http://a:4000"}`, true},
	} {
		if got := mustParse(t, tt.file).SignInTLS(); got != tt.want {
			t.Errorf("%s: %t", tt.file, got)
		}
	}
}

// TestConsoleTLS: another address than loopback takes a certificate and its key.
func TestConsoleTLS(t *testing.T) {
	for _, tt := range []struct{ cert, key, want string }{
		{"/etc/c.pem", "/etc/k.pem", ""}, {`C:\c.pem`, `C:\k.pem`, ""},
		{"", "/etc/k.pem", "can be reached from other machines, which takes TLS"},
		{"/etc/c.pem", "", "CONSOLE_TLS_KEY: it is missing"}, {"c.pem", "/etc/k.pem", "not an absolute path"},
	} {
		c := mustParse(t, string(marshal(map[string]string{"CONSOLE_ADDR": "0.0.0.0:8357", "CONSOLE_TLS_CERT": tt.cert, "CONSOLE_TLS_KEY": tt.key})))
		got := ""
		for _, f := range faults(c) {
			if strings.HasPrefix(f.Key, "CONSOLE_") {
				got += f.Error() + "; "
			}
		}
		if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%+v: %q", tt, got)
		}
	}
}
