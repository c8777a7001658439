package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/tenant"
	"ad-ldap-connector/testdata/lab"
)

// atDesk is a wizard whose domain's servers are all on this machine.
func atDesk(t *testing.T, dns *lab.DNSServer, domains ...string) (*wizard, *bytes.Buffer) {
	t.Helper()
	said := new(bytes.Buffer)
	c := config.Default()
	tr, err := newTransport(c.Network, nil)
	if err != nil {
		t.Fatal(err)
	}
	tr.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
	}
	a := &app{stderr: said, environ: []string{"KRB5_CONFIG=/nowhere"}}
	return &wizard{app: a, config: &c, answers: &installAnswers{}, guided: true, transport: tr,
		connection: tenant.Connection{Domains: domains}, resolver: dns.Resolver}, said
}

func portOf(t *testing.T, url string) int {
	t.Helper()
	port, err := strconv.Atoi(url[strings.LastIndexByte(url, ':')+1:])
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// TestTheConnectionsDomainsLeadToTheDirectory: over TLS where that is spoken.
func TestTheConnectionsDomainsLeadToTheDirectory(t *testing.T) {
	t.Parallel()
	slapd := lab.Slapd(t, lab.SlapdOptions{})
	dns := lab.DNS(t, lab.SRV{Host: "dc1", Port: portOf(t, slapd.TLSURL)}, lab.SRV{Host: "dc2", Port: portOf(t, slapd.TLSURL), Priority: 1})
	w, said := atDesk(t, dns, "nothing.lab.test", lab.DNSDomain)
	if got := w.discovered(t.Context()); got != "srvs://"+lab.DNSDomain {
		t.Errorf("it offers %q", got)
	}
	for _, host := range []string{"dc1.lab.test", "dc2.lab.test"} {
		if !strings.Contains(said.String(), host) {
			t.Errorf("it does not name %s: %s", host, said)
		}
	}
	dns.Set(lab.SRV{Host: "dc1", Port: portOf(t, slapd.URL)})
	if got := w.discovered(t.Context()); got != "srv://"+lab.DNSDomain {
		t.Errorf("without TLS it offers %q", got)
	}
	dns.Set()
	if got := w.discovered(t.Context()); got != "" {
		t.Errorf("without records it offers %q", got)
	}
}

// A service does not see the environment of the install.
func TestTheEnvironmentIsKept(t *testing.T) {
	t.Parallel()
	environ := []string{"LDAP_URL=ldaps://dc1.corp.example", "https_proxy=http://svc:planted@proxy:3128", "LDAP_BIND_PASSWORD=planted",
		"GROUPS=false", "PATH=/bin", "OVERRIDE_CONFIG=true"}
	c, err := config.Parse([]byte(`{"LDAP_BASE": "DC=corp"}`))
	if err == nil {
		c, err = c.WithEnv(environ)
	}
	if err != nil {
		t.Fatal(err)
	}
	kept, err := keepEnvironment(&c, environ)
	slices.Sort(kept)
	if want := []string{"GROUPS", "HTTPS_PROXY", "LDAP_URL"}; err != nil || !slices.Equal(kept, want) {
		t.Errorf("kept %q, want %q, %v", kept, want, err)
	}
	text, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := config.Parse(text)
	if err != nil || again.Directory.URLs[0] != "ldaps://dc1.corp.example" || again.Groups.Enabled ||
		again.Network.HTTPSProxy != "http://svc:planted@proxy:3128" || again.Directory.BindPassword != "" {
		t.Errorf("%s, %v", text, err)
	}
}

// What one says on the command line counts, whatever else is set.
func TestProxyAnswers(t *testing.T) {
	t.Parallel()
	cli := newCLI(t)
	file := cli.file("credentials", "svc:p@ss\n")
	for name, tt := range map[string]struct {
		proxy, file string
		before      config.Network
		want        [2]config.Secret // HTTP_PROXY, HTTPS_PROXY
	}{
		"nothing":       {before: config.Network{Proxy: "http://old:1"}, want: [2]config.Secret{"http://old:1"}},
		"another":       {proxy: "new:2", before: config.Network{Proxy: "http://old:1"}, want: [2]config.Secret{"http://new:2"}},
		"for https too": {proxy: "http://new:2", before: config.Network{HTTPSProxy: "http://old:1"}, want: [2]config.Secret{"http://new:2", "http://new:2"}},
		"credentials":   {proxy: "http://new:2", file: file, want: [2]config.Secret{"http://svc:p%40ss@new:2"}},
		"credentials of the old one": {file: file, before: config.Network{Proxy: "http://a:b@old:1"},
			want: [2]config.Secret{"http://svc:p%40ss@old:1"}},
	} {
		c := config.Default()
		c.Network.Proxy, c.Network.HTTPSProxy = tt.before.Proxy, tt.before.HTTPSProxy
		a := &app{stderr: new(bytes.Buffer)}
		err := a.proxyAnswer(&installAnswers{proxy: tt.proxy, proxyCredentials: secretFlags{name: "proxy-credentials", file: tt.file}}, &c)
		if got := [2]config.Secret{c.Network.Proxy, c.Network.HTTPSProxy}; err != nil || got != tt.want {
			t.Errorf("%s: %q and %q, %v", name, string(got[0]), string(got[1]), err)
		}
	}
}

// A connection in clear is protected where the server can, if one agrees.
func TestClearConnectionsAreProtected(t *testing.T) {
	t.Parallel()
	slapd := lab.Slapd(t, lab.SlapdOptions{Anonymous: true})
	w, said := atDesk(t, lab.DNS(t))
	w.yes = true
	w.config.Directory.URLs = []string{fmt.Sprintf("ldap://dc1.%s:%d", lab.DNSDomain, portOf(t, slapd.URL))}
	w.transport.TLS.RootCAs, w.transport.TLS.ServerName = slapd.CA.Pool, "localhost"
	if err := w.reach(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := w.config.Directory; !d.StartTLS || w.server != d.URLs[0] {
		t.Errorf("StartTLS is %t, the server %q: %s", d.StartTLS, w.server, said)
	}
	// One that shows nothing to strangers cannot be asked what it can do.
	silent := lab.Slapd(t, lab.SlapdOptions{})
	w.config.Directory.URLs, w.config.Directory.StartTLS = []string{fmt.Sprintf("ldap://dc1.%s:%d", lab.DNSDomain, portOf(t, silent.URL))}, false
	if err := w.reach(t.Context()); err != nil || w.config.Directory.StartTLS || !strings.Contains(said.String(), "in clear") {
		t.Errorf("%v: %s", err, said)
	}
}
