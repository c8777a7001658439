package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"ad-ldap-connector/pkg/doctor"
	"ad-ldap-connector/testdata/lab"
)

// theNetwork are the checks of the way to the tenant, and of what it knows.
var theNetwork = []string{"network", "tls.authorities", "tls.tenant", "tls.tenant-expiry", "agent.ticket", "agent.registered", "agent.accepted"}

// An examination is one run of doctor.
type examination struct {
	target  targetFlags
	environ []string
	change  func(*doctor.Env)
	limit   time.Duration
	home    string   // "" = there is none
	skip    []string // checks
	secrets []string // that no finding may show
}

// examine runs the checks of the network, within this process.
func (x examination) examine(t *testing.T) map[doctor.ID]doctor.Finding {
	t.Helper()
	var stderr bytes.Buffer
	if x.home == "" {
		x.home = filepath.Join(t.TempDir(), "none")
	}
	a := &app{stdin: strings.NewReader(""), stdout: io.Discard, stderr: &stderr, environ: x.environ, home: x.home}
	target, err := a.openTarget(x.target)
	if err != nil {
		t.Fatal(err)
	}
	env := a.doctorEnv(target)
	if x.change != nil {
		x.change(env)
	}
	checks, err := doctor.Select(doctor.Checks, theNetwork, x.skip)
	if err != nil {
		t.Fatal(err)
	}
	if x.limit == 0 {
		x.limit = patience
	}
	ctx, cancel := context.WithTimeout(t.Context(), x.limit)
	defer cancel()
	report := doctor.Run(ctx, env, checks, nil, nil)
	data, err := json.Marshal(report.Document(doctor.Connector{}))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range x.secrets {
		if strings.Contains(string(data)+stderr.String(), s) {
			t.Errorf("the report shows %q: %s", s, data)
		}
	}
	all := map[doctor.ID]doctor.Finding{}
	for _, f := range report.Findings {
		all[f.Check.ID] = f
	}
	return all
}

// A finding that is expected: how the check came out, and what it says.
type expected struct {
	id     doctor.ID
	status doctor.Status
	says   []string
}

// expect examines, and holds the findings against what is expected.
func (x examination) expect(t *testing.T, want ...expected) {
	t.Helper()
	all := x.examine(t)
	for _, w := range want {
		f := all[w.id]
		text := fmt.Sprintf("%s | %s | %s | %s | %s", f.Observed, f.Required, f.Detail, f.Remedy, f.Command)
		if f.Status != w.status {
			t.Errorf("%s: %s, want %s: %s", w.id, f.Status, w.status, text)
			continue
		}
		for _, s := range w.says {
			if !strings.Contains(text, s) {
				t.Errorf("%s: %s, want %q", w.id, text, s)
			}
		}
	}
}

// at examines a tenant that nothing but its address is known of.
func at(host string, environ ...string) examination {
	return examination{target: targetFlags{tenant: host}, environ: environ}
}

func TestDoctorReachesATenant(t *testing.T) {
	t.Parallel()
	cloud := startCloud(t)
	host := strings.TrimPrefix(cloud.URL(), "https://")
	at(host, "SSL_CA_PATH="+cloud.CAFile()).expect(t,
		expected{"network.dns", doctor.Passed, []string{"127.0.0.1 (tenant): an address"}},
		expected{"network.dns-directory", doctor.Skipped, nil},
		expected{"tls.authorities", doctor.Passed, []string{"besides the system's: 1, of "}},
		expected{"network.proxy", doctor.Passed, []string{"direct", host + " (tenant): direct, for no proxy is set", host + " (hub)"}},
		expected{"network.tenant", doctor.Passed, []string{host + " answers GET /test within "}},
		expected{"tls.tenant", doctor.Passed, []string{"TLS 1.3, issued by ", "trusted because of SSL_CA_PATH alone"}},
		expected{"tls.tenant-expiry", doctor.Passed, nil},
		expected{"network.hub", doctor.Passed, []string{host + " opens a websocket"}},
		expected{"agent.ticket", doctor.Skipped, []string{"no ticket"}},
	)
	// By the ticket, the tenant says where the hub is, and whose the ticket is.
	x := examination{target: targetFlags{ticketArg: cloud.Ticket()}, environ: []string{"SSL_CA_PATH=" + cloud.CAFile()}}
	x.secrets = []string{cloud.Ticket()[strings.LastIndexByte(cloud.Ticket(), '/')+1:]}
	x.expect(t,
		expected{"network.hub", doctor.Passed, []string{"as the tenant says"}},
		expected{"agent.ticket", doctor.Passed, []string{"it is for the connection "}},
	)
	x.target.ticketArg = cloud.URL() + "/p/ad/planted-secret"
	x.secrets = []string{"planted-secret"}
	x.expect(t,
		expected{"network.tenant", doctor.Passed, nil},
		expected{"network.hub", doctor.Failed, []string{"Does this connection still exist?"}},
		expected{"agent.ticket", doctor.Failed, []string{"Does this connection still exist?", "Copy the ticket again"}},
	)
}

// tlsServer starts a server that shows a certificate, and returns where it is.
func tlsServer(t *testing.T, handler http.Handler, change func(*tls.Config)) (host string) {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of refused handshakes
	s.TLS = &tls.Config{}
	change(s.TLS)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// showing is a change that makes a server show a certificate.
func showing(t *testing.T, ca *lab.CA, change func(*x509.Certificate)) func(*tls.Config) {
	t.Helper()
	cert, err := tls.LoadX509KeyPair(ca.Certify(t, t.TempDir(), "acme", func(c *x509.Certificate) {
		c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
		change(c)
	}))
	if err != nil {
		t.Fatal(err)
	}
	return func(c *tls.Config) { c.Certificates = []tls.Certificate{cert} }
}

// asTenant answers GET /test, and opens no websockets.
var asTenant = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/test" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"clock":%d}`, time.Now().UnixMilli()) // the client may be gone
})

func TestDoctorJudgesCertificates(t *testing.T) {
	t.Parallel()
	ca := lab.NewCA(t, t.TempDir())
	var nobody *lab.CA
	trusting := "SSL_CA_PATH=" + ca.File
	expiring := func(days int) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().AddDate(-1, 0, 0), time.Now().AddDate(0, 0, days).Add(time.Hour)
		}
	}
	as := func(*x509.Certificate) {}
	for name, tt := range map[string]struct {
		shows   func(*tls.Config)
		environ string
		want    []expected
	}{
		"good": {showing(t, ca, as), trusting, []expected{
			{"tls.tenant", doctor.Passed, []string{`"lab test CA" is no CA of the system`}},
			{"tls.tenant-expiry", doctor.Passed, []string{"days from now"}},
			{"network.hub", doctor.Skipped, []string{"only the ticket tells where the hub is"}},
		}},
		"unknown CA": {showing(t, ca, as), "", []expected{
			{"network.tenant", doctor.Passed, []string{"tls.tenant"}},
			{"tls.tenant", doctor.Failed, []string{`its certificate is signed by "lab test CA"`, "a proxy or a firewall on the way opens TLS", `the CA "lab test CA" in SSL_CA_PATH (at an install: --ca-file)`}},
			{"network.hub", doctor.Skipped, []string{"it needs tls.tenant, which failed"}},
		}},
		"expired": {showing(t, ca, expiring(-2)), trusting, []expected{
			{"network.tenant", doctor.Passed, nil}, {"tls.tenant", doctor.Failed, []string{"expired at", "Renew the certificate"}},
		}},
		"not yet valid": {showing(t, ca, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(72 * time.Hour) }), trusting, []expected{
			{"tls.tenant", doctor.Failed, []string{"is valid only from", "clock"}},
		}},
		"soon": {showing(t, ca, expiring(12)), trusting, []expected{
			{"tls.tenant", doctor.Passed, nil}, {"tls.tenant-expiry", doctor.Failed, []string{"ends in 12 days"}},
		}},
		"another name": {showing(t, ca, func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"other.example"} }), trusting, []expected{
			{"network.tenant", doctor.Passed, nil}, {"tls.tenant", doctor.Failed, []string{`its certificate is for "other.example"`, "a certificate for 127.0.0.1"}},
		}},
		"self-signed": {showing(t, nobody, as), trusting, []expected{
			{"network.tenant", doctor.Passed, nil}, {"tls.tenant", doctor.Failed, []string{`its certificate is signed by itself ("acme")`}},
		}},
		"old TLS": {func(c *tls.Config) {
			showing(t, ca, as)(c)
			c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
		}, trusting, []expected{
			{"network.tenant", doctor.Failed, []string{"protocol version", "TLS 1.2 or later"}}, {"tls.tenant", doctor.Skipped, nil},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			at(tlsServer(t, asTenant, tt.shows), tt.environ).expect(t, tt.want...)
		})
	}
}

func TestDoctorNamesWhatIsNoTenant(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(asTenant)
	defer plain.Close()
	closed := fmt.Sprintf("127.0.0.1:%d", lab.FreePort(t))
	ca := lab.NewCA(t, t.TempDir())
	portal := tlsServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<html>please log in</html>") // the client may be gone
	}), showing(t, ca, func(*x509.Certificate) {}))
	for name, tt := range map[string]struct {
		host string
		says string
	}{
		"no TLS":           {plain.Listener.Addr().String(), "TLS"},
		"nobody":           {closed, "connection refused by " + closed},
		"a captive portal": {portal, "the answer is not JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			at(tt.host, "SSL_CA_PATH="+ca.File).expect(t,
				expected{"network.tenant", doctor.Failed, []string{tt.says}},
				expected{"tls.tenant", doctor.Skipped, []string{"it needs network.tenant, which failed"}},
				expected{"network.hub", doctor.Skipped, []string{"because network.tenant failed"}},
			)
		})
	}
	at("127.0.0.1:1", "SSL_CA_PATH="+filepath.Join(t.TempDir(), "none")).expect(t,
		expected{"tls.authorities", doctor.Failed, []string{"SSL_CA_PATH", "none"}},
		expected{"network.tenant", doctor.Skipped, []string{"tls.authorities"}},
	)
	at("acme.example", "HTTP_PROXY=http://u:planted-secret@:x").expect(t,
		expected{"network.proxy", doctor.Failed, []string{"read HTTP_PROXY: it is not a proxy's address", "percent-encoded"}},
	)
}

// TestDoctorNamesWhereItHangs meets servers that fall silent at each phase.
func TestDoctorNamesWhereItHangs(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // it takes connections, and never says anything
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	release := make(chan struct{})
	ca := lab.NewCA(t, t.TempDir())
	good := showing(t, ca, func(*x509.Certificate) {})
	waits := func(path string) string {
		return tlsServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case path:
				<-release
			case "/lo/hub": // the websocket opens, and nobody reads what comes
				if c, err := websocket.Accept(w, r, nil); err == nil {
					<-release
					_ = c.CloseNow()
				}
			default:
				asTenant(w, r)
			}
		}), good)
	}
	test, upgrade, mute := waits("/test"), waits("/lo/hub"), waits("nothing")
	t.Cleanup(func() { close(release) })
	to := silent.Addr().String()
	for name, tt := range map[string]struct {
		host, environ string
		want          expected
	}{
		"handshake": {to, "", expected{"network.tenant", doctor.Failed, []string{"it hung at the TLS handshake with " + to, "bytes sent and none received", "MTU"}}},
		"answer":    {test, "", expected{"network.tenant", doctor.Failed, []string{"it hung at the answer of " + test, "MTU"}}},
		"upgrade":   {upgrade, "", expected{"network.hub", doctor.Failed, []string{"it hung at the answer of " + upgrade + " to a websocket's request", "let websockets through"}}},
		"frames":    {mute, "", expected{"network.hub", doctor.Failed, []string{"it hung at a ping over the websocket to " + mute, "let websockets through"}}},
		"CONNECT": {"acme.example", "HTTP_PROXY=http://planted-user:planted-secret@" + to,
			expected{"network.proxy", doctor.Failed, []string{"it hung at CONNECT acme.example:443 at the proxy http://" + to, "HTTP proxy's port"}}},
		"TLS of the proxy": {"acme.example", "HTTP_PROXY=https://planted-user:planted-secret@" + to,
			expected{"network.proxy", doctor.Failed, []string{"it hung at the TLS handshake with the proxy https://" + to}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := at(tt.host, "SSL_CA_PATH="+ca.File, tt.environ)
			x.limit, x.secrets = 6*time.Second, []string{"planted-user", "planted-secret"}
			x.expect(t, tt.want)
		})
	}
}
