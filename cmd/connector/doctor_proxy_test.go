package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/doctor"
	"ad-ldap-connector/testdata/lab"
)

func proxied(host, proxy string, ca *lab.CA) examination {
	return at(host, "HTTP_PROXY="+proxy, "SSL_CA_PATH="+ca.File)
}

// passes is what is found behind a proxy that does its work.
func passes(host, proxy string) []expected {
	return []expected{
		{"network.dns", doctor.Passed, []string{"left to the proxy http://" + proxy}},
		{"network.proxy", doctor.Passed, []string{host + " (tenant): let through by http://" + proxy, "discouraged", "HTTP_PROXY is of this command's environment"}},
		{"network.tenant", doctor.Passed, nil}, {"tls.tenant", doctor.Passed, nil}, {"network.hub", doctor.Passed, nil},
	}
}

func TestDoctorBehindSquid(t *testing.T) {
	port, ca := origin(t)
	host := squidName + ":" + port
	proxy := startSquid(t, "", "")
	proxied(host, "http://"+proxy, ca).expect(t, passes(host, proxy)...)

	closed := fmt.Sprintf("%s:%d", squidName, lab.FreePort(t))
	proxied(closed, proxy, ca).expect(t,
		expected{"network.proxy", doctor.Failed, []string{"does not get through (503"}},
		expected{"network.tenant", doctor.Skipped, []string{"it needs network.proxy, which failed"}},
	)
	nobody := fmt.Sprintf("127.0.0.1:%d", lab.FreePort(t))
	x := proxied(host, "http://planted-user:planted-secret@"+nobody, ca)
	x.secrets = []string{"planted-user", "planted-secret"}
	x.expect(t, expected{"network.proxy", doctor.Failed, []string{"no connection to the proxy: connection refused", "Check host and port in HTTP_PROXY"}})
}

func TestDoctorBehindSquidWithAuthentication(t *testing.T) {
	port, ca := origin(t)
	host := squidName + ":" + port
	const user, password = "corp\\planted-user", "planted-p@ss/w#rd"
	proxy := startSquid(t, user, password)
	known := passes(host, proxy)
	known[1].says = append(known[1].says, "with credentials")
	x := proxied(host, string(secretURL("http", user, password, proxy)), ca)
	x.secrets = []string{"planted-user", password, "planted-p", url.QueryEscape(password)}
	x.expect(t, known...)

	proxied(host, proxy, ca).expect(t,
		expected{"network.proxy", doctor.Failed, []string{"asks for credentials (407 Proxy Authentication Required, offers Basic)", "USER:PASSWORD"}})
	x = proxied(host, string(secretURL("http", user, "planted-wrong", proxy)), ca)
	x.secrets = []string{"planted-user", "planted-wrong"}
	x.expect(t, expected{"network.proxy", doctor.Failed, []string{"does not accept our credentials (407", "Check user name and password in HTTP_PROXY"}})
}

func TestDoctorBehindTinyproxy(t *testing.T) {
	port, ca := origin(t)
	host := tinyproxyName + ":" + port
	proxy, _ := startTinyproxy(t, "ConnectPort "+port)
	proxied(host, proxy, ca).expect(t, passes(host, proxy)...)
	proxied(fmt.Sprintf("%s:%d", tinyproxyName, lab.FreePort(t)), proxy, ca).expect(t,
		expected{"network.proxy", doctor.Failed, []string{"the proxy " + proxy + " does not allow the connection (403 Forbidden)", "allow CONNECT"}})

	guarded, _ := startTinyproxy(t, "ConnectPort "+port, "BasicAuth u planted-secret")
	right := proxied(host, "http://u:planted-secret@"+guarded, ca)
	right.secrets = []string{"planted-secret"}
	right.expect(t, passes(host, guarded)...)
	proxied(host, guarded, ca).expect(t, expected{"network.proxy", doctor.Failed, []string{"asks for credentials (407"}})
	// Wrong credentials are answered by 401, as if the tenant had asked.
	wrong := proxied(host, "http://u:planted-wrong@"+guarded, ca)
	wrong.secrets = []string{"planted-wrong"}
	wrong.expect(t, expected{"network.proxy", doctor.Failed, []string{"does not accept our credentials (401 Unauthorized, offers Basic)"}})
}

// TestDoctorBehindAProxyThatOpensTLS has a proxy look inside, as the firewalls
// of companies do.
func TestDoctorBehindAProxyThatOpensTLS(t *testing.T) {
	cloud := startCloud(t)
	upstream := strings.TrimPrefix(cloud.URL(), "https://")
	inspector := lab.NewCA(t, t.TempDir())
	const host = "acme.example:443"
	blind := inspector.Intercept(t, upstream, true)
	at(host, "HTTP_PROXY="+blind).expect(t,
		expected{"network.proxy", doctor.Passed, nil},
		expected{"network.tenant", doctor.Passed, []string{"tls.tenant"}},
		expected{"tls.tenant", doctor.Failed, []string{
			`"lab test CA" is no public CA: unless the tenant is a private one, a proxy or a firewall on the way opens TLS`, "Have acme.example:443 exempted from TLS inspection", "--ca-file", "connector config set SSL_CA_PATH",
		}},
		expected{"network.hub", doctor.Skipped, nil},
	)
	proxied(host, blind, inspector).expect(t,
		expected{"network.tenant", doctor.Passed, nil},
		expected{"tls.tenant", doctor.Passed, []string{`trusted because of SSL_CA_PATH alone: "lab test CA" is no CA of the system`, "reads all that passes"}},
		expected{"network.hub", doctor.Passed, []string{"opens a websocket"}},
	)
	deaf := inspector.Intercept(t, upstream, false)
	proxied(host, deaf, inspector).expect(t,
		expected{"network.tenant", doctor.Passed, nil},
		expected{"network.hub", doctor.Failed, []string{
			"the hub at acme.example:443 answered 426 Upgrade Required instead of 101 Switching Protocols (Via: 1.1 inspector)", "takes the Upgrade header out",
		}},
	)
}

// An https:// proxy is held to the same CAs, and its own trust is not the
// tenant's.
func TestDoctorBehindAProxyOverTLS(t *testing.T) {
	port, ca := origin(t)
	host := tinyproxyName + ":" + port
	behind, _ := startTinyproxy(t, "ConnectPort "+port)
	front := tlsFront(t, ca, behind)
	proxied(host, "https://"+front, ca).expect(t,
		expected{"network.proxy", doctor.Passed, []string{"https://" + front}},
		expected{"network.tenant", doctor.Passed, nil}, expected{"tls.tenant", doctor.Passed, nil}, expected{"network.hub", doctor.Passed, nil},
	)
	at(host, "HTTP_PROXY=https://"+front).expect(t,
		expected{"network.proxy", doctor.Failed, []string{`no connection to the proxy: its certificate is signed by "lab test CA"`}},
		expected{"tls.tenant", doctor.Skipped, nil},
	)
}

// What NO_PROXY lists is reached directly, and that is said. Only the resolver
// of this test knows the name.
func TestDoctorSaysWhatNoProxyLists(t *testing.T) {
	port, ca := origin(t)
	host := squidName + ":" + port
	x := at(host, "HTTP_PROXY=127.0.0.1:1", "no_proxy=.example.test", "SSL_CA_PATH="+ca.File)
	x.target.ldapURLs = []string{"ldap://127.0.0.1"}
	x.change = func(e *doctor.Env) {
		e.Network.Lookup = resolver(t, startDNS(t, "--address=/"+squidName+"/127.0.0.1"))
	}
	x.expect(t,
		expected{"network.dns", doctor.Passed, []string{squidName + " (tenant): 127.0.0.1"}},
		expected{"network.proxy", doctor.Passed, []string{"direct", host + " (tenant): direct, for NO_PROXY lists it"}},
	)
	at("127.0.0.1:1", "HTTP_PROXY=127.0.0.1:1").expect(t,
		expected{"network.proxy", doctor.Passed, []string{"for no proxy is asked for this machine itself"}})
	x = proxied(host, "127.0.0.1:1", ca)
	x.target.ldapURLs = []string{"ldap://127.0.0.1"}
	x.expect(t, expected{"network.proxy", doctor.Failed, []string{"the directory is reached without the proxy, always"}})
}

// startDNS starts a DNS server that knows what the arguments say, and has
// nobody to ask for the rest.
func startDNS(t *testing.T, args ...string) (address string) {
	t.Helper()
	program := requireProgram(t, "dnsmasq")
	address, _ = startListener(t, func(port int) *exec.Cmd {
		return exec.Command(program, append([]string{
			"--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--bind-interfaces", "--listen-address=127.0.0.1",
			"--user=root", "--pid-file=", fmt.Sprintf("--port=%d", port),
		}, args...)...)
	})
	return address
}

// resolver is Go's own, and asks one server only.
func resolver(t *testing.T, server string) func(context.Context, string) ([]netip.Addr, error) {
	t.Helper()
	r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, server)
	}}
	return func(ctx context.Context, host string) ([]netip.Addr, error) {
		return r.LookupNetIP(ctx, "ip", host+".")
	}
}

func TestDoctorLooksNamesUp(t *testing.T) {
	silent, err := net.ListenPacket("udp", "127.0.0.1:0") // it never answers
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	server := startDNS(t, "--address=/acme.lab.test/127.0.0.1", "--address=/acme.lab.test/::1", "--local=/invalid/")
	closed := fmt.Sprintf("127.0.0.1:%d", lab.FreePort(t))
	for name, tt := range map[string]struct {
		server, host string
		want         doctor.Status
		says         string
	}{
		"found":   {server, "acme.lab.test", doctor.Passed, "acme.lab.test (tenant): 127.0.0.1, ::1"},
		"unknown": {server, "acme.invalid", doctor.Failed, "acme.invalid (tenant): DNS knows no such name (NXDOMAIN)"},
		"refused": {server, "acme.lab.example", doctor.Failed, "cannot or will not answer (SERVFAIL or REFUSED)"},
		"silent":  {silent.LocalAddr().String(), "acme.invalid", doctor.Failed, "does not answer"},
		"nobody":  {closed, "acme.invalid", doctor.Failed, "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := at(tt.host)
			x.limit = 5 * time.Second
			x.change = func(e *doctor.Env) {
				e.Network.Lookup = resolver(t, tt.server)
				e.Network.Test = func(context.Context) (string, error) { return "", doctor.Unknown("not asked by this test") }
				e.Network.Handshake, e.Network.Hub = nil, nil
			}
			x.expect(t, expected{"network.dns", tt.want, []string{tt.says}})
		})
	}
	both := at("127.0.0.1:1")
	both.target.ldapURLs = []string{"ldaps://dc1.invalid", "ldaps://dc2.lab.test:636"}
	both.change = func(e *doctor.Env) {
		e.Network.Lookup = resolver(t, startDNS(t, "--address=/dc2.lab.test/127.0.0.1", "--local=/invalid/"))
	}
	both.expect(t, expected{"network.dns-directory", doctor.Passed, []string{"dc1.invalid (directory): DNS knows no such name", "dc2.lab.test (directory): 127.0.0.1"}})
}
