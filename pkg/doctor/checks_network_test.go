package doctor

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// An advised error carries advice, as those of the connector's rooms do.
type advised struct{ text, hint string }

func (e advised) Error() string { return e.text }
func (e advised) Hint() string  { return e.hint }

// knows answers for the names of a pretend DNS.
func knows(ctx context.Context, host string) ([]netip.Addr, error) {
	switch host {
	case "acme.example":
		return []netip.Addr{netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("::ffff:192.0.2.1"), netip.MustParseAddr("192.0.2.1")}, nil
	case "crowd.example":
		var all []netip.Addr
		for i := range 9 {
			all = append(all, netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}))
		}
		return all, nil
	case "silent.example":
		return nil, &net.DNSError{Err: "i/o timeout", Name: host, Server: "192.0.2.53:53", IsTimeout: true}
	case "refused.example":
		return nil, &net.DNSError{Err: "server misbehaving", Name: host, Server: "192.0.2.53:53", IsTemporary: true}
	case "odd.example":
		return nil, &net.DNSError{Err: "unrecognized address", Name: host}
	case "broken.example":
		return nil, errors.New("the resolver is broken")
	case "hangs.example":
		<-ctx.Done()
		return nil, &net.DNSError{Err: ctx.Err().Error(), Name: host, IsTimeout: true}
	case "empty.example":
		return nil, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, Server: "192.0.2.53:53", IsNotFound: true}
}

func seeking(role string, hosts ...string) Env {
	e := Env{Network: Network{Lookup: knows}}
	for _, h := range hosts {
		e.Network.Names = append(e.Network.Names, Name{Role: role, Host: h})
	}
	return e
}

func TestNameChecks(t *testing.T) {
	behind := seeking("tenant", "only.proxy.example")
	behind.Network.Names[0].By = "http://proxy.example:3128"
	behind.Network.Names = append(behind.Network.Names, Name{Role: "proxy", Host: "acme.example"})
	try(t, []trial{
		{"found", "network.dns", seeking("tenant", "acme.example"), Passed, "acme.example (tenant): 192.0.2.1, 2001:db8::1 "},
		{"many", "network.dns", seeking("hub", "crowd.example"), Passed, "192.0.2.5, 3 more"},
		{"no name", "network.dns", seeking("tenant", "10.0.0.1"), Passed, "no name is to be looked up here"},
		{"by the proxy", "network.dns", behind, Passed, "only.proxy.example (tenant): left to the proxy http://proxy.example:3128"},
		{"typo", "network.dns", seeking("tenant", "acme.example", "acme.invalid"), Failed, "1 of 2 names are not found"},
		{"typo's line", "network.dns", seeking("tenant", "acme.invalid"), Failed, "acme.invalid (tenant): DNS knows no such name (NXDOMAIN)"},
		{"typo's remedy", "network.dns", seeking("tenant", "acme.invalid"), Failed, "Check the spelling"},
		{"no address", "network.dns", seeking("tenant", "empty.example"), Failed, "or no address for it"},
		{"silent", "network.dns", seeking("tenant", "silent.example"), Failed, "the DNS server 192.0.2.53:53 does not answer"},
		{"silent's remedy", "network.dns", seeking("tenant", "silent.example"), Failed, "port 53"},
		{"refused", "network.dns", seeking("proxy", "refused.example"), Failed, "192.0.2.53:53 cannot or will not answer (SERVFAIL or REFUSED)"},
		{"odd", "network.dns", seeking("proxy", "odd.example"), Failed, "the DNS server: unrecognized address"},
		{"broken", "network.dns", seeking("hub", "broken.example"), Failed, "the resolver is broken"},
		{"a directory alone", "network.dns", seeking("directory", "acme.example"), Skipped, "no tenant is known"},
		{"nothing", "network.dns", Env{}, Skipped, "no tenant is known"},

		{"found", "network.dns-directory", seeking("directory", "acme.example"), Passed, "192.0.2.1"},
		{"one of two", "network.dns-directory", seeking("directory", "acme.example", "dc2.invalid"), Passed, "1 of 2 names are not found"},
		{"none of two", "network.dns-directory", seeking("directory", "dc1.invalid", "dc2.invalid"), Failed, "dc2.invalid (directory): DNS knows no such name"},
		{"a tenant alone", "network.dns-directory", seeking("tenant", "acme.invalid"), Skipped, "--ldap-url"},
		{"nothing", "network.dns-directory", Env{}, Skipped, "--ldap-url"},
	})
}

func TestSlowLookupNamesTheHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := Lookup("network.dns")
		e := seeking("tenant", "acme.example", "hangs.example")
		f := Run(t.Context(), &e, []Check{*c}, nil, nil).Findings[0]
		if f.Status != Failed || !strings.Contains(f.Detail, "acme.example (tenant): 192.0.2.1") || !strings.Contains(f.Detail, "hangs.example (tenant): the DNS server does not answer") {
			t.Errorf("%+v", f.Outcome)
		}
	})
}

func TestAuthoritiesCheck(t *testing.T) {
	reads := func(what string, err error) Env {
		return Env{Network: Network{Authorities: func() (string, error) { return what, err }}}
	}
	try(t, []trial{
		{"good", "tls.authorities", reads("2 CA certificates of /ca", nil), Passed, "2 CA certificates"},
		{"bad", "tls.authorities", reads("", advised{"ca.cer: it is not PEM but DER", "Convert the file."}), Failed, "Convert the file."},
		{"none", "tls.authorities", Env{}, Skipped, "SSL_CA_PATH is not set"},
	})
}

func TestProxyCheck(t *testing.T) {
	direct := Route{Role: "tenant", To: "acme.example:443", Why: "no proxy is set"}
	by := Route{Role: "tenant", To: "acme.example:443", Proxy: "http://proxy.example:3128", Credentials: true}
	goes := func(err error, routes ...Route) Env {
		return Env{Network: Network{
			Routes:     func() ([]Route, error) { return routes, nil },
			Pass:       func(context.Context, Route) error { return err },
			ProxyNotes: []string{"HTTP_PROXY is of this shell"},
		}}
	}
	wrong := Env{Network: Network{Routes: func() ([]Route, error) {
		return nil, advised{"read HTTP_PROXY: it is not a proxy's address", "Write http://HOST:PORT."}
	}}}
	refuses := &Stop{Phase: PhaseConnect, Err: advised{"the proxy proxy.example:3128 does not allow the connection (403 Forbidden)", "Ask for CONNECT."}}
	hangs := &Stop{Phase: PhaseConnect, At: "CONNECT acme.example:443 at the proxy", Hung: true, Traffic: "90 bytes sent, none received", Err: advised{"no answer in time", "Firewall."}}
	try(t, []trial{
		{"direct", "network.proxy", goes(errors.New("not asked"), direct), Passed, "direct | "},
		{"direct's why", "network.proxy", goes(errors.New("not asked"), direct), Passed, "acme.example:443 (tenant): direct, no proxy is set"},
		{"through", "network.proxy", goes(nil, by), Passed, "acme.example:443 (tenant): let through by http://proxy.example:3128 with credentials"},
		{"discouraged", "network.proxy", goes(nil, by), Passed, "a proxy is discouraged"},
		{"notes", "network.proxy", goes(nil, by), Passed, "HTTP_PROXY is of this shell"},
		{"refuses", "network.proxy", goes(refuses, by), Failed, "does not allow the connection (403 Forbidden)"},
		{"refuses: remedy", "network.proxy", goes(refuses, by), Failed, "Ask for CONNECT."},
		{"hangs", "network.proxy", goes(hangs, by), Failed, "it hung at CONNECT acme.example:443 at the proxy, with 90 bytes sent, none received"},
		{"hangs: remedy", "network.proxy", goes(hangs, by), Failed, "names an HTTP proxy's port"},
		{"no address", "network.proxy", wrong, Failed, "Write http://HOST:PORT."},
		{"nothing", "network.proxy", Env{}, Skipped, "no tenant is known"},
	})
}

// Tenant and hub are often the same place: it is asked once.
func TestSameRouteIsTriedOnce(t *testing.T) {
	var asked atomic.Int32
	e := Env{Network: Network{
		Routes: func() ([]Route, error) {
			r := Route{Role: "tenant", To: "acme.example:443", Proxy: "http://p.example:1"}
			s, far := r, r
			s.Role, far.Role, far.To = "hub", "hub", "hub.example:443"
			return []Route{r, s, far}, nil
		},
		Pass: func(_ context.Context, r Route) error {
			asked.Add(1)
			if r.To == "hub.example:443" {
				return errors.New("not to the hub")
			}
			return nil
		},
	}}
	o := probeProxy(t.Context(), &e)
	if asked.Load() != 2 || o.Status != Failed || !strings.Contains(o.Detail, "acme.example:443 (hub): let through") || !strings.Contains(o.Detail, "hub.example:443 (hub): not to the hub") {
		t.Errorf("asked %d times: %+v", asked.Load(), o)
	}
}

func TestProbesEndBeforeTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := Lookup("network.tenant")
		e := &Env{Network: Network{Test: func(ctx context.Context) (string, error) {
			<-ctx.Done()
			time.Sleep(100 * time.Millisecond) // to say so takes a moment
			return "", &Stop{Phase: PhaseHandshake, At: "the TLS handshake with acme.example:443", Hung: true, Err: ctx.Err()}
		}}}
		f := Run(t.Context(), e, []Check{*c}, nil, nil).Findings[0]
		if f.Detail != "no answer in time; it hung at the TLS handshake with acme.example:443" || !strings.Contains(f.Remedy, "MTU") || f.Took != 19100*time.Millisecond {
			t.Errorf("%s: %+v", f.Took, f.Outcome)
		}
	})
	ctx, cancel := soon(t.Context()) // without any deadline
	defer cancel()
	if _, limited := ctx.Deadline(); limited {
		t.Error("a deadline out of nothing")
	}
}
