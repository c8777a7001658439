package main

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/pkg/kerberos"
	"ad-ldap-connector/pkg/wsfed"
)

const proxySecret = "0123456789abcdef0123456789abcdef"

// TestForwardedUser has a proxy, and everybody else, name a user.
func TestForwardedUser(t *testing.T) {
	t.Parallel()
	cert := &x509.Certificate{Raw: []byte("the proxy's")}
	sum := sha256.Sum256(cert.Raw)
	all := config.SignIn{
		KerberosFrontend: true, Proxies: []string{"10.1.2.3", "fd00::/8", "192.0.2.0/24"},
		ProxySecret: proxySecret, ProxyCerts: []string{strings.ToUpper(hex.EncodeToString(sum[:]))},
	}
	realms, err := kerberos.ParseRealms("CORP.EXAMPLE;CHILD=child.corp.example")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		change  func(*config.SignIn)
		from    string
		users   []string
		secrets []string
		cert    bool
		realms  kerberos.Realms
		want    identity.Principal
		fault   string // of the error; "-" is no proof
	}{
		{name: "the proxy", want: identity.Principal{Name: "jane"}},
		{name: "with a realm", users: []string{"jane@CORP.EXAMPLE"}, want: identity.Principal{Name: "jane", Realm: "CORP.EXAMPLE"}},
		{name: "with a domain", users: []string{`CORP\jane`}, want: identity.Principal{Name: "jane", Realm: "CORP"}},
		{name: "of a realm elsewhere", users: []string{`child\jane`}, realms: realms, want: identity.Principal{Name: "jane", Realm: "child", Place: identity.Place{BaseDN: "DC=child,DC=corp,DC=example"}}},
		{name: "of another realm", users: []string{"jane@EVIL.EXAMPLE"}, realms: realms, fault: "none of KERBEROS_REALMS"},
		{name: "of a network, by IPv4 in IPv6", from: "[::ffff:192.0.2.77]:1", want: identity.Principal{Name: "jane"}},
		{name: "by a certificate", secrets: []string{}, cert: true, want: identity.Principal{Name: "jane"}},
		{name: "nothing", users: []string{}, fault: "-"},
		{name: "Apache's nothing", users: []string{"(null)"}, fault: "-"},
		{name: "an empty name", users: []string{""}, fault: "-"},
		{name: "somebody", from: "203.0.113.9:4711", fault: "203.0.113.9 is none of TRUSTED_PROXIES"},
		{name: "somebody with the secret", from: "203.0.113.9:4711", secrets: []string{proxySecret}, fault: "none of TRUSTED_PROXIES"},
		{name: "somebody with the certificate", from: "203.0.113.9:4711", cert: true, fault: "none of TRUSTED_PROXIES"},
		{name: "this machine", from: "127.0.0.1:4711", fault: "none of TRUSTED_PROXIES"},
		{name: "the proxy without its secret", secrets: []string{}, fault: "sends 0 of x-connector-proxy-secret"},
		{name: "another secret", secrets: []string{proxySecret + "0"}, fault: "another secret"},
		{name: "a guess beside the secret", secrets: []string{"x", proxySecret}, fault: "sends 2 of"},
		{name: "two names", users: []string{"jane", "john"}, fault: "there twice"},
		{name: "no proxies", change: func(c *config.SignIn) { c.Proxies = nil }, fault: "TRUSTED_PROXIES is not set"},
		{name: "no way for a proxy to prove itself", change: func(c *config.SignIn) { c.ProxySecret, c.ProxyCerts = "", nil }, fault: "does not prove itself"},
		{name: "no secret, and an empty one sent", change: func(c *config.SignIn) { c.ProxySecret, c.ProxyCerts = "", nil }, secrets: []string{""}, fault: "does not prove itself"},
		{name: "not asked for", change: func(c *config.SignIn) { c.KerberosFrontend = false }, fault: "WITH_KERBEROS_PROXY_FRONTEND is not set"},
		{name: "a computer", users: []string{"PC1$@CORP.EXAMPLE"}, fault: "is a computer"},
		{name: "a name that is taken apart", users: []string{`x\jane@CORP.EXAMPLE`}, fault: "is not the name of a user"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := all
			if tt.change != nil {
				tt.change(&c)
			}
			r := httptest.NewRequest(http.MethodGet, "/wsfed", nil)
			r.RemoteAddr = "10.1.2.3:5555"
			if tt.from != "" {
				r.RemoteAddr = tt.from
			}
			users, secrets := tt.users, tt.secrets
			if users == nil {
				users = []string{"jane"}
			}
			if secrets == nil {
				secrets = []string{proxySecret}
			}
			r.Header["X-Forwarded-User"], r.Header["X-Connector-Proxy-Secret"] = users, secrets
			if len(users) == 0 {
				r.Header.Del(userHeader)
			}
			if tt.cert {
				r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}}
			}
			way := proxyWay{on: c.KerberosFrontend, fronts: newFrontends(c), realms: tt.realms}
			p, err := way.Accept(httptest.NewRecorder(), r)
			switch {
			case tt.fault == "-" && !errors.Is(err, wsfed.ErrNoProof), tt.fault == "" && err != nil, p != tt.want,
				tt.fault != "-" && tt.fault != "" && (err == nil || !strings.Contains(err.Error(), tt.fault)):
				t.Errorf("%+v, %v; want %+v, %q", p, err, tt.want, tt.fault)
			case err != nil && strings.Contains(err.Error(), proxySecret):
				t.Errorf("the secret is in %v", err)
			case r.Header.Get(userHeader) != "":
				t.Error("the header is left for others")
			}
		})
	}
}

func TestSourceBehindProxies(t *testing.T) {
	t.Parallel()
	f := newFrontends(config.SignIn{Proxies: []string{"10.0.0.0/8", "::1"}})
	for _, tt := range []struct {
		from string
		hops []string
		want string
	}{
		{"203.0.113.9:1", []string{"1.2.3.4"}, "203.0.113.9:1"},
		{"10.0.0.1:1", nil, "10.0.0.1"},
		{"10.0.0.1:1", []string{"1.2.3.4"}, "1.2.3.4"},
		{"10.0.0.1:1", []string{"6.6.6.6, 1.2.3.4, 10.0.0.9"}, "1.2.3.4"},
		{"10.0.0.1:1", []string{"6.6.6.6", "1.2.3.4:5678, 10.0.0.9"}, "1.2.3.4"},
		{"10.0.0.1:1", []string{"6.6.6.6, nonsense, 10.0.0.9"}, "10.0.0.9"},
		{"[::1]:1", []string{"[2001:db8::1]:443"}, "2001:db8::1"},
		{"[::1]:1", []string{"2001:db8::1%eth0"}, "2001:db8::1"},
		{"10.0.0.1:1", []string{strings.Repeat("10.0.0.2,", 50) + "10.0.0.3"}, "10.0.0.2"},
		{"@", []string{"1.2.3.4"}, "@"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = tt.from
		r.Header["X-Forwarded-For"] = tt.hops
		if got := f.source(r); got != tt.want {
			t.Errorf("%s, %q: %s, want %s", tt.from, tt.hops, got, tt.want)
		}
	}
}

func FuzzForwardedUser(f *testing.F) {
	f.Add(`CORP\jane@CORP.EXAMPLE`)
	f.Add("(null)")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := proxyWay{}.user(text)
		if err == nil && (p.Name == "" || strings.ContainsAny(p.Name, `/\@`+"\x00\n") || strings.HasSuffix(p.Name, "$")) {
			t.Errorf("%q: %+v", text, p)
		}
	})
}
