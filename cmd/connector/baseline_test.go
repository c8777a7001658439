package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ad-ldap-connector/pkg/agent"
	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/install"
	"ad-ldap-connector/pkg/sandbox"
	"ad-ldap-connector/pkg/tenant"
	"ad-ldap-connector/testdata/lab"
)

// Here is what of the list in the guide "never-down" has no test in a room: what
// a whole connector does where the existing one ends, hangs or floods.

// newTrial is a ground on which the test's own program is the connector.
func newTrial(t *testing.T) *drillGround {
	t.Helper()
	return newTrialOf(t, drill{})
}

func newTrialOf(t *testing.T, d drill) *drillGround {
	t.Helper()
	g, err := (&app{environ: os.Environ()}).newGround(d)
	if err != nil {
		t.Fatal(err)
	}
	g.program = newCLI(t).program
	t.Cleanup(func() {
		if err := errors.Join(g.alive(), g.stop(), g.close()); err != nil {
			t.Error(err)
		}
	})
	return g
}

func (g *drillGround) run(t *testing.T) {
	t.Helper()
	if err := errors.Join(g.prepare(), g.start()); err != nil {
		t.Fatal(err)
	}
}

// until waits until the connector says of a part that it is in a state, and why.
func (g *drillGround) until(t *testing.T, part string, state agent.State, why string) {
	t.Helper()
	said := ""
	w := &drillWatch{console: g.console, now: func() time.Duration { return 0 }}
	lab.Eventually(t, fmt.Sprintf("%s to be %s", part, state), func() bool {
		if err := g.alive(); err != nil {
			t.Fatal(err)
		}
		l := w.look(t.Context())
		said = fmt.Sprint(l.parts[part], " ", l.details[part], " ", l.err)
		return l.parts[part] == state && strings.Contains(l.details[part], why)
	})
	t.Logf("%s is %s", part, said)
}

// logsIn logs a user in through the hub, and says how that ended.
func (g *drillGround) logsIn() int {
	outcome, _ := (&drillLoad{cloud: g.cloud}).login(7, true)
	return outcome
}

func TestStartWithoutADirectory(t *testing.T) {
	t.Parallel()
	g := newTrial(t)
	address, password := strings.TrimPrefix(g.directory.URL(), "ldap://"), g.directory.BindPassword()
	if err := g.directory.Close(); err != nil {
		t.Fatal(err)
	}
	g.run(t)
	g.until(t, "hub", agent.OK, "")
	g.until(t, "directory", agent.Down, "connection refused")
	if got := g.logsIn(); got != wasFaulted {
		t.Errorf("a login ended with %d", got)
	}
	if err := g.startDirectory(address, password); err != nil {
		t.Fatal(err)
	}
	g.until(t, "directory", agent.OK, "")
	if got := g.logsIn(); got != wasAccepted {
		t.Errorf("a login ended with %d", got)
	}
}

func TestSettingsTheDirectoryRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ key, value, why string }{
		"password": {"LDAP_BIND_PASSWORD", "not-the-password", "invalid credentials"},
		"base":     {"LDAP_BASE", "DC=nowhere,DC=test", "no such object"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newTrial(t)
			g.settings[tt.key] = tt.value
			g.run(t)
			g.until(t, "directory", agent.Down, tt.why)
			g.until(t, "hub", agent.OK, "")
			if got := g.logsIn(); got != wasFaulted {
				t.Errorf("a login ended with %d", got)
			}
		})
	}
}

// TestADirectoryThatHangs takes connections and questions, and answers none.
func TestADirectoryThatHangs(t *testing.T) {
	t.Parallel()
	g := newTrial(t)
	g.settings["LDAP_HEARTBEAT_SECONDS"], g.settings["REQUEST_TIMEOUT_SECONDS"] = 1, 8 // enough for the last login on a busy machine
	g.run(t)
	g.until(t, "directory", agent.OK, "")
	g.directory.SetTraits(sandbox.Traits{ActiveDirectory: true, Fault: func(string) sandbox.Fault { return sandbox.FaultSilence }})
	g.until(t, "directory", agent.Down, "") // though nobody logs in
	g.until(t, "hub", agent.OK, "")
	if got := g.logsIn(); got != wasFaulted {
		t.Errorf("a login ended with %d", got)
	}
	g.directory.SetTraits(sandbox.Traits{ActiveDirectory: true})
	g.until(t, "directory", agent.OK, "")
	if got := g.logsIn(); got != wasAccepted {
		t.Errorf("a login ended with %d", got)
	}
}

// TestConfigurationsThatCannotWork end the start with 1, so that a service
// manager tries again, and say which key it is.
func TestConfigurationsThatCannotWork(t *testing.T) {
	const rest = `"LDAP_URL":"ldap://127.0.0.1:1","LDAP_BASE":"dc=x","CONSOLE_ADDR":"127.0.0.1:0"`
	for text, says := range map[string]string{
		`{` + rest + `,"PROVISIONING_TICKET":"https://127.0.0.1:1/p/ad/x"}`:  "LDAP_BIND_USER: it is missing",
		`{` + rest + `,"LDAP_BIND_USER":"cn=x","LDAP_BIND_PASSWORD":"y"}`:    "PROVISIONING_TICKET: it is missing",
		`{"PROVISIONING_TICKET":"https://127.0.0.1:1/p/ad/x","LDAP_URL": ,}`: "config.json",
	} {
		c := newCLI(t)
		c.file(path.Join("home", "config.json"), text)
		c.home = path.Join(c.dir, "home")
		node := c.run("run") // with no terminal, and nothing to read
		if node.status() != exitFault || !strings.Contains(node.stderr.String(), says) {
			t.Errorf("%s: ended with %d: %s", text, node.status(), node.stderr)
		}
	}
}

// An oddTenant stands before a pretend one, and answers in its stead what it is
// told to.
type oddTenant struct {
	ticket string
	answer atomic.Pointer[http.HandlerFunc] // nil: the pretend one does; it writes nothing for what it lets pass
}

type quietly struct {
	http.ResponseWriter
	said bool
}

func (q *quietly) WriteHeader(code int) { q.said = true; q.ResponseWriter.WriteHeader(code) }

func newOddTenant(t *testing.T, cloud *sandbox.Cloud) *oddTenant {
	t.Helper()
	at, err := url.Parse(cloud.URL())
	if err != nil {
		t.Fatal(err)
	}
	pass := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(at); r.Out.Host = r.In.Host },
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: cloud.CAPool()}},
		ErrorLog:  slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
	}
	o := new(oddTenant)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{ErrorLog: pass.ErrorLog, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if odd := o.answer.Load(); odd != nil {
			q := &quietly{ResponseWriter: w}
			if (*odd)(q, r); q.said {
				return
			}
		}
		pass.ServeHTTP(w, r)
	})}
	go func() { _ = s.Serve(tls.NewListener(l, cloud.TLS())) }() // it ends when it is closed
	t.Cleanup(func() { _ = s.Close() })
	o.ticket = strings.Replace(cloud.Ticket(), at.Host, l.Addr().String(), 1)
	return o
}

// odd answers one method and the end of a path in a fixed way.
func odd(method, end string, status int, kind, body string) *http.HandlerFunc {
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == method && (strings.HasSuffix(r.URL.Path, end) || end == "" && !strings.HasSuffix(r.URL.Path, "/info")) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body) // whoever asked sees it
		}
	})
	return &answer
}

// TestOddTenants starts against a tenant that answers what it should not: the
// hub's part says why it is down, and comes up by itself once that is over.
func TestOddTenants(t *testing.T) {
	const js = "application/json"
	for name, tt := range map[string]struct {
		odd *http.HandlerFunc
		why string
	}{
		"info 404":            {odd("GET", "/info", 404, "text/html", "no"), "Does this connection still exist?"},
		"info 500":            {odd("GET", "/info", 500, js, "{}"), "status 500"},
		"info is a page":      {odd("GET", "/info", 200, "text/html", "<html>"), "text/html"},
		"info is no JSON":     {odd("GET", "/info", 200, js, "<html>"), "not JSON"},
		"info without realm":  {odd("GET", "/info", 200, js, `{"adHub":"https://h/","connectionName":"c"}`), "no realm.name"},
		"info without hub":    {odd("GET", "/info", 200, js, `{"connectionName":"c","realm":{"name":"r"}}`), "no adHub"},
		"ticket 404":          {odd("POST", "", 404, js, `{"message":"gone"}`), "Does this connection still exist?"},
		"ticket 410":          {odd("POST", "", 410, js, `{"message":"gone"}`), "status 410"},
		"ticket 500":          {odd("POST", "", 500, js, `{"message":"oops"}`), "oops"},
		"ticket is no JSON":   {odd("POST", "", 200, "text/plain", "OK"), "JSON"},
		"hub takes nobody in": {odd("GET", "/lo/hub", 503, "text/plain", "later"), "503"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := startCloud(t)
			o := newOddTenant(t, cloud)
			o.answer.Store(tt.odd)
			said, stop := serveSandbox(t, cloud, func(c *config.Config) { c.Tenant.Ticket = config.Secret(o.ticket) })
			lab.Eventually(t, "the reason", func() bool { return !strings.HasPrefix(said.String(), "ok") && strings.Contains(said.String(), tt.why) })
			o.answer.Store(nil)
			awaitAgent(t, cloud)
			lab.Eventually(t, "all to be well", func() bool { return said.String() == "ok " })
			stop()
		})
	}
}

// TestAClockThatIsNotTold asks a tenant that answers everything but its clock,
// for an hour: no more often than one that tells it wrongly is asked.
func TestAClockThatIsNotTold(t *testing.T) {
	for name, answer := range map[string]http.Response{
		"no clock":  {StatusCode: http.StatusOK},
		"500":       {StatusCode: http.StatusInternalServerError},
		"not there": {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				client := &tenant.Client{Now: time.Now, HTTP: &http.Client{Transport: tripper(func(*http.Request) (*http.Response, error) {
					asked++
					if answer.StatusCode == 0 {
						return nil, errors.New("connection refused")
					}
					res := answer
					res.Header = http.Header{"Content-Type": {"application/json"}}
					res.Body = io.NopCloser(strings.NewReader("{}"))
					return &res, nil
				})}}
				n := &node{stats: new(stats), log: slog.New(slog.DiscardHandler), provisioner: &install.Provisioner{Tenant: client}}
				n.config.Tenant.Ticket = "https://tenant.example/p/ad/x"
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				var said reports
				if err := n.watchClock(ctx, said.report); err != nil {
					t.Error(err)
				}
				if most := int(time.Hour / clockWrongEvery); asked > most || asked < 60 || !strings.HasPrefix(said.String(), "degraded ") {
					t.Errorf("asked %d times in an hour; it says %q", asked, said.String())
				}
			})
		})
	}
}

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestTwoConnectorsWithOneKey serve beside each other, as a cluster does.
func TestTwoConnectorsWithOneKey(t *testing.T) {
	t.Parallel()
	cloud := startCloud(t)
	h := newTestHome(t)
	_, stopFirst := serveSandboxAt(t, cloud, h, func(*config.Config) {})
	awaitAgent(t, cloud)
	said, stopSecond := serveSandboxAt(t, cloud, h, func(c *config.Config) {
		var err error
		if *c, err = h.Config(); err != nil { // what the first one has made of it
			t.Fatal(err)
		}
	})
	lab.Eventually(t, "the second", func() bool { return said.String() == "ok " })
	awaitAgents(t, cloud, "two agents", func(a []sandbox.Agent) bool { return len(a) == 2 })
	for range 4 {
		if answer, err := cloud.Request(t.Context(), "list_groups", sandbox.Request{}); err != nil || string(answer.Reply) != `{"groups":[]}` {
			t.Errorf("%s, %v", answer.Reply, err)
		}
	}
	agents := cloud.Agents()
	if len(agents) != 2 || agents[0].Thumbprint != agents[1].Thumbprint || agents[0].Answered != 2 || agents[1].Answered != 2 {
		t.Errorf("%+v", agents)
	}
	stopFirst()
	stopSecond()
}
