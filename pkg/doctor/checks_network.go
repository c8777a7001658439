package doctor

import (
	"context"
	"crypto/x509"
	"net/netip"
	"slices"
	"strings"
)

// Network is what the checks may ask of the network and the tenant. All funcs
// go the ways that the connector itself goes: by its proxies, with its CAs, as
// its agent. Their errors are told to people as they are; a *Stop says where
// an exchange ended, and an Unknown that there is nothing to ask.
type Network struct {
	// Names are the hosts that the connector has to find.
	Names []Name
	// Lookup returns a name's addresses; an error is mostly a *net.DNSError.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)

	// Authorities reads the CA certificates that the operator trusts besides
	// the system's, and returns what they are. It is nil when there are none.
	Authorities func() (string, error)

	// Trust keeps the certificate of an authority in the home, to be trusted
	// from then on; nil where there is none to keep it.
	Trust func(*x509.Certificate) error

	// Routes are the ways to the tenant and the hub. The error is about the
	// settings.
	Routes func() ([]Route, error)
	// ProxyNotes are what is to be said of a proxy besides.
	ProxyNotes []string
	// Pass asks a route's proxy to let us through, and hangs up.
	Pass func(context.Context, Route) error

	// Test asks the tenant GET /test and returns what to say of the answer. A
	// *Stop with Certificate means that only the trust is missing.
	Test func(context.Context) (string, error)
	// Handshake returns what the tenant shows in the TLS handshake.
	Handshake func(context.Context) (Handshake, error)
	// Hub opens a websocket to the hub, sends a ping and hangs up. It returns
	// what to say of it.
	Hub func(context.Context) (string, error)

	// Info redeems the ticket for what the tenant says of the connection. It
	// is nil without a ticket.
	Info func(context.Context) (Info, error)
	// Accepted returns how it is known that the hub accepts the agent.
	Accepted func(context.Context) (string, error)
}

// A Name is a host that the connector has to find.
type Name struct {
	Role string // "tenant", "hub", "proxy" or "directory"
	Host string // a name or an address, without a port
	By   string // the proxy that looks the name up in our stead; "" = we do
}

// A Route is the way to a host.
type Route struct {
	Role        string // "tenant" or "hub"
	To          string // HOST:PORT
	Proxy       string // its URL without credentials; "" = direct
	Credentials bool   // whether the proxy is given any
	Why         string // why the way is direct: "NO_PROXY lists it"
}

var networkChecks = slices.Concat(wayChecks, tenantChecks)

// wayChecks are about what lies before the tenant.
var wayChecks = []Check{
	{
		ID: "network.dns", Title: "The names of tenant, hub and proxy are found", Severity: Blocks, Timeout: 2 * DefaultTimeout,
		Probe:  probeNames,
		Remedy: "Check the names, and this machine's DNS servers.",
	},
	{
		ID: "network.dns-directory", Title: "The names of the directory's servers are found", Severity: Blocks, Timeout: 2 * DefaultTimeout,
		Probe:   probeDirectoryNames,
		Remedy:  "Check the hosts of LDAP_URL, and that this machine's DNS servers are the domain's.",
		Command: "connector config get LDAP_URL",
	},
	{
		ID: "tls.authorities", Title: "The CA certificates of SSL_CA_PATH can be read", Severity: Blocks,
		Probe:   probeAuthorities,
		Remedy:  "Name a PEM file with CA certificates, or a folder of such files, in SSL_CA_PATH.",
		Command: "connector config set SSL_CA_PATH FILE",
	},
	{
		ID: "network.proxy", Title: "The proxy lets us through, or none is needed", Severity: Blocks, Timeout: 2 * DefaultTimeout,
		Needs:   []ID{"network.dns", "tls.authorities"},
		Probe:   probeProxy,
		Remedy:  "Ask whoever runs the proxy to allow CONNECT to the hosts that are named.",
		Command: "connector config set HTTP_PROXY http://HOST:PORT",
	},
}

const noTenant = "no tenant is known; give a ticket, or --tenant HOST"

func probeAuthorities(_ context.Context, e *Env) Outcome {
	if e.Network.Authorities == nil {
		return Skip("SSL_CA_PATH is not set: the system's CAs are trusted")
	}
	what, err := e.Network.Authorities()
	if err != nil {
		return stopped(err)
	}
	return Pass(what)
}

// probeProxy tries each proxy for each destination. Without a proxy there is
// nothing to try, and that is how it should be.
func probeProxy(ctx context.Context, e *Env) Outcome {
	if e.Network.Routes == nil {
		return Skip(noTenant)
	}
	routes, err := e.Network.Routes()
	if err != nil {
		return stopped(err)
	}
	ctx, cancel := soon(ctx)
	defer cancel()
	o := Outcome{Status: Passed, Observed: "direct"}
	var lines, proxies []string
	tried := map[Route]error{} // tenant and hub are often the same host
	for _, r := range routes {
		what := r.To + " (" + r.Role + "): "
		if r.Proxy == "" {
			lines = append(lines, what+"direct, "+r.Why)
			continue
		}
		if !slices.Contains(proxies, r.Proxy) {
			proxies = append(proxies, r.Proxy)
		}
		with := " by " + r.Proxy
		if r.Credentials {
			with += " with credentials"
		}
		r.Role = ""
		err, known := tried[r]
		if !known && e.Network.Pass != nil {
			err = e.Network.Pass(ctx, r)
			tried[r] = err
		}
		switch {
		case err == nil:
			lines = append(lines, what+"let through"+with)
			continue
		case o.Status == Passed:
			failed := stopped(err)
			o.Status, o.Remedy = Failed, failed.Remedy
		}
		lines = append(lines, what+err.Error())
	}
	if len(proxies) > 0 {
		o.Observed = strings.Join(proxies, ", ")
		lines = append(lines, "a proxy is discouraged: it is one more thing that may fail; nothing is wrong with it otherwise")
		lines = append(lines, e.Network.ProxyNotes...)
	}
	o.Detail = strings.Join(lines, "\n")
	return o
}
