package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ad-ldap-connector/pkg/agent"
	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/hub"
	"ad-ldap-connector/pkg/install"
	"ad-ldap-connector/pkg/keys"
	"ad-ldap-connector/pkg/sandbox"
	"ad-ldap-connector/pkg/tenant"
)

// reports keeps what a part reports.
type reports struct {
	mu   sync.Mutex
	last string
	came chan string // of each, when somebody listens
}

func (r *reports) report(s agent.State, detail string) {
	r.mu.Lock()
	r.last = string(s) + " " + detail
	r.mu.Unlock()
	if r.came != nil {
		r.came <- string(s) + " " + detail
	}
}

func (r *reports) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

func newTestHome(t *testing.T) *home.Home {
	t.Helper()
	h, err := home.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Create(); err != nil {
		t.Fatal(err)
	}
	return h
}

func newPair(t *testing.T) *keys.Pair {
	t.Helper()
	pair, err := keys.Generate("corp", "corp.example", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// TestGroupsThatCanBeReadAgainHeal: one search that failed must not leave the
// directory degraded for ever, nor make one that is dead look better.
func TestGroupsThatCanBeReadAgainHeal(t *testing.T) {
	var r relay
	var said reports
	step := func(what, want string) {
		t.Helper()
		if got := said.String(); got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	r.set(said.report)
	r.groupsFailed("timeout")
	step("before the first look", "")
	r.watch(true, "dc1")
	step("looked at", "degraded groups could not be read: timeout")
	r.groupsRead()
	step("groups read", "ok dc1")
	r.groupsFailed("timeout")
	step("groups failed", "degraded groups could not be read: timeout")
	r.watch(false, "refused")
	step("dead", "down refused")
	r.groupsFailed("refused")
	step("groups of a dead one", "down refused")
	r.groupsRead()
	r.watch(true, "dc2")
	step("back", "ok dc2")
	r.set(nil)
	r.watch(false, "too late")
	step("ended", "ok dc2")
}

// TestCertificateOfAFirstStart: the first start makes the key pair a moment
// after the certificate was first looked for.
func TestCertificateOfAFirstStart(t *testing.T) {
	h, pair, other := newTestHome(t), newPair(t), newPair(t)
	synctest.Test(t, func(t *testing.T) {
		n := &node{home: h, config: config.Default()}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var said reports
		go func() { _ = n.watchCertificate(ctx, said.report) }()
		synctest.Wait()
		if got := said.String(); !strings.HasPrefix(got, "degraded ") {
			t.Errorf("without a certificate: %q", got)
		}
		if err := h.SaveKeys(pair); err != nil {
			t.Error(err)
		}
		<-time.After(10 * time.Second)
		synctest.Wait()
		if got, want := said.String(), "ok thumbprint "+pair.Thumbprint(); got != want {
			t.Errorf("10 s later: %q, want %q", got, want)
		}
		// One that is exchanged later is seen at once as well.
		if err := h.SaveKeys(other); err != nil {
			t.Error(err)
		}
		<-time.After(5 * time.Second)
		synctest.Wait()
		if got, want := said.String(), "ok thumbprint "+other.Thumbprint(); got != want || !n.certificateEnds.Load().Equal(other.Certificate.NotAfter) {
			t.Errorf("exchanged: %q, want %q", got, want)
		}
	})
}

func TestWhichSettingsRestartTheHub(t *testing.T) {
	pair, other := newPair(t), newPair(t)
	served := install.Result{Keys: pair, Config: config.Config{Tenant: config.Tenant{Hub: "wss://h", Connection: "c", Realm: "r", SigningKey: "k"}}}
	for name, tt := range map[string]struct {
		change func(*install.Result)
		same   bool
	}{
		"nothing":       {func(*install.Result) {}, true},
		"the site name": {func(r *install.Result) { r.Config.Tenant.SiteName = "x" }, true},
		"the hub":       {func(r *install.Result) { r.Config.Tenant.Hub = "wss://x" }, false},
		"connection":    {func(r *install.Result) { r.Config.Tenant.Connection = "x" }, false},
		"realm":         {func(r *install.Result) { r.Config.Tenant.Realm = "x" }, false},
		"signing key":   {func(r *install.Result) { r.Config.Tenant.SigningKey = "x" }, false},
		// The tenant has just been told of the new certificate, and would
		// reject proofs by the old key for ever.
		"our key": {func(r *install.Result) { r.Keys = other }, false},
	} {
		r := served
		tt.change(&r)
		if got := sameHub(served, r); got != tt.same {
			t.Errorf("%s changed: the same is %t", name, got)
		}
	}
}

// TestConsoleWithoutStateFile: on a full disk the console is wanted most.
func TestConsoleWithoutStateFile(t *testing.T) {
	h := newTestHome(t)
	if err := os.MkdirAll(h.Path("state", "run.json", "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	n := &node{home: h, config: config.Default(), agent: agent.New(nil), stats: new(stats), listeners: newListeners(), leads: make(chan struct{}), log: slog.New(slog.DiscardHandler)}
	defer n.listeners.close()
	close(n.leads)
	n.config.Agent.ConsoleAddr = "127.0.0.1:0"
	ctx, stop := context.WithCancel(t.Context())
	said := reports{came: make(chan string, 10)}
	done := make(chan error, 1)
	go func() { done <- n.serveConsole(ctx, said.report) }()
	select {
	case got := <-said.came:
		address, _, _ := strings.Cut(strings.TrimPrefix(got, "degraded "), " ")
		if !strings.HasPrefix(got, "degraded http://127.0.0.1:") || !strings.Contains(got, "run.json") {
			t.Errorf("reported %q", got)
		}
		res, err := http.Get(address + "/healthz")
		if err != nil {
			t.Error(err)
		} else {
			_ = res.Body.Close()
		}
	case err := <-done:
		t.Fatalf("it ended: %v", err)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	http.DefaultClient.CloseIdleConnections()
}

// TestMapperIsTriedAgain: what stood in the way may go by itself, such as a
// machine that was too busy at the start to run a child in time.
func TestMapperIsTriedAgain(t *testing.T) {
	h := newTestHome(t)
	n := &node{home: h, config: config.Default(), log: slog.New(slog.DiscardHandler)}
	n.config.Mapper.File = h.Path("later.js")
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var said reports
		go func() { _ = n.serveMapper(ctx, said.report) }()
		synctest.Wait()
		if got := said.String(); !strings.HasPrefix(got, "down ") {
			t.Errorf("without its script: %q", got)
		}
		if _, err := n.mapper.get(ctx); err == nil {
			t.Error("there is a mapper")
		}
		if err := os.WriteFile(n.config.Mapper.File, nil, 0o600); err != nil {
			t.Error(err)
		}
		<-time.After(2 * mapperAgain)
		synctest.Wait()
		if got := said.String(); got != "ok native" {
			t.Errorf("later: %q", got)
		}
		if _, err := n.mapper.get(ctx); err != nil {
			t.Error(err)
		}
	})
}

type closer chan struct{}

func (c closer) Close() error { close(c); return nil }

var _ io.Closer = closer(nil)

func TestAReplacedValueIsClosed(t *testing.T) {
	var l lazy[closer]
	first, second := make(closer), make(closer)
	l.set(first, nil)
	l.set(second, nil)
	select {
	case <-first:
	default:
		t.Error("the first is still open")
	}
	l.set(nil, errors.New("broken"))
	select {
	case <-second:
	default:
		t.Error("the second is still open")
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// TestAnEndedNodeLeavesNoConnections: each reload ends a node.
func TestAnEndedNodeLeavesNoConnections(t *testing.T) {
	closed := make(chan struct{}, 1)
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			closed <- struct{}{}
		}
	}
	s.Start()
	defer s.Close()
	tr, err := newTransport(config.Network{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := tr.HTTP.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	n := &node{transport: tr, agent: agent.New(nil), stats: new(stats)}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := n.run(ctx); err != nil {
		t.Error(err)
	}
	select {
	case <-closed:
	case <-time.After(30 * time.Second):
		t.Error("the connection stays")
	}
}

// TestHubPartIsDownUntilItIsAccepted: what people see is since when, and why;
// neither may come and go with each attempt.
func TestHubPartIsDownUntilItIsAccepted(t *testing.T) {
	lone := httptest.NewServer(http.NotFoundHandler())
	lone.Close() // nobody listens there any more
	for name, provisioned := range map[string]bool{"with a ticket alone": false, "with the settings of the last start": true} {
		t.Run(name, func(t *testing.T) {
			h := newTestHome(t)
			c := config.Default()
			c.Tenant.Ticket = config.Secret(lone.URL + "/p/ad/secret")
			if provisioned {
				c.Tenant.Hub, c.Tenant.Connection, c.Tenant.Realm = lone.URL, "corp", "urn:corp"
				if err := h.SaveKeys(newPair(t)); err != nil {
					t.Fatal(err)
				}
			}
			if err := h.SaveConfig(c); err != nil {
				t.Fatal(err)
			}
			tr, err := newTransport(config.Network{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			n := &node{home: h, config: c, transport: tr, log: slog.New(slog.DiscardHandler), provisioner: newProvisioner(h, tr), stats: new(stats)}
			ctx, stop := context.WithCancel(t.Context())
			said, done := reports{came: make(chan string, 1000)}, make(chan error, 1)
			go func() { done <- n.serveHub(ctx, said.report) }()
			for causes := 0; causes < 2; {
				select {
				case got := <-said.came:
					if strings.Contains(got, "connection refused") {
						causes++
					} else if causes > 0 {
						t.Errorf("the cause was replaced by %q", got)
					}
					if !strings.HasPrefix(got, "down ") {
						t.Errorf("reported %q", got)
					}
				case err := <-done:
					t.Fatalf("it ended: %v", err)
				}
			}
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

// TestARejectedAgentRegistersAgain: an administrator made the tenant forget the
// certificate, and nobody restarts the connector.
func TestARejectedAgentRegistersAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for a real rejection's back-off")
	}
	t.Parallel()
	cloud, err := sandbox.StartCloud(sandbox.CloudOptions{State: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cloud.Close() }()
	h := newTestHome(t)
	c := config.Default()
	c.Tenant.Ticket, c.Network.CAPath = config.Secret(cloud.Ticket()), cloud.CAFile()
	if err := h.SaveConfig(c); err != nil {
		t.Fatal(err)
	}
	tr, err := newTransport(c.Network, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{home: h, config: c, transport: tr, log: slog.New(slog.DiscardHandler), provisioner: newProvisioner(h, tr), stats: new(stats)}
	ctx, stop := context.WithCancel(t.Context())
	said, done := reports{came: make(chan string, 1000)}, make(chan error, 1)
	go func() { done <- n.serveHub(ctx, said.report) }()
	waitFor := func(state string) {
		t.Helper()
		for {
			select {
			case got := <-said.came:
				if strings.HasPrefix(got, state) {
					return
				}
			case err := <-done:
				t.Fatalf("it ended: %v", err)
			case <-time.After(time.Minute):
				t.Fatalf("it never was %s", state)
			}
		}
	}
	waitFor("ok")
	if err := cloud.Unpin("sandbox"); err != nil {
		t.Fatal(err)
	}
	cloud.DropAgents()
	waitFor("degraded " + hub.ErrRejected.Error())
	waitFor("ok")
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestAWrongClockIsNotLoggedForEver: it is compared every 5 s, for weeks.
func TestAWrongClockIsNotLoggedForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log transcript
		n := &node{stats: new(stats), log: newLog(&log, false, false)}
		var said reports
		for _, tt := range []struct {
			offset, later time.Duration
			lines         int
			report        string
		}{
			{offset: 3 * time.Second, lines: 1, report: "ok "},
			{offset: 3 * time.Second, later: clockWrongEvery, lines: 1, report: "ok "},
			{offset: 9 * time.Second, later: clockWrongEvery, lines: 2, report: "degraded "}, // it got worse
			{offset: 9 * time.Second, later: clockWrongEvery, lines: 2, report: "degraded "},
			{offset: 9 * time.Second, later: clockSaidEvery, lines: 3, report: "degraded "},
			{offset: 0, later: clockWrongEvery, lines: 3, report: "ok 0s apart"},
			{offset: -3 * time.Second, later: clockEvery, lines: 4, report: "ok "},
		} {
			<-time.After(tt.later)
			n.judge(tenant.Clock{Offset: tt.offset}, said.report)
			if got := strings.Count(log.String(), "\n"); got != tt.lines || !strings.HasPrefix(said.String(), tt.report) {
				t.Errorf("%v apart: %d lines, %q; want %d, %q", tt.offset, got, said.String(), tt.lines, tt.report)
			}
		}
	})
}

// testNode is the node of a home with a configuration that could work.
func testNode(t *testing.T, h *home.Home) *node {
	t.Helper()
	environ := []string{"PROVISIONING_TICKET=https://tenant.invalid/p/ad/x", "LDAP_URL=ldap://127.0.0.1:1", "LDAP_BASE=DC=corp,DC=test", "ANONYMOUS_SEARCH_ENABLED=true", "CONSOLE_ADDR=127.0.0.1:0"}
	h, err := home.Open(h.Dir(), environ)
	if err != nil {
		t.Fatal(err)
	}
	n, err := newNode(h, environ, slog.New(slog.DiscardHandler), new(stats))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
