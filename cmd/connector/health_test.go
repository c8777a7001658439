package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/agent"
	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/testdata/lab"
)

// TestHealthWhileStopping: a balancer learns that a node takes no more work
// while that node still answers what it has in hand.
func TestHealthWhileStopping(t *testing.T) {
	t.Parallel()
	n := &node{config: config.Default(), stats: new(stats), listeners: newListeners(), leads: make(chan struct{})}
	close(n.leads)
	n.config.Signals.HealthAddr = "127.0.0.1:0"
	drained, address := make(chan struct{}), make(chan string, 1)
	n.agent = agent.New(nil,
		agent.Part{Name: "hub", Run: func(ctx context.Context, report func(agent.State, string)) error {
			report(agent.OK, "")
			<-ctx.Done()
			<-drained
			return nil
		}},
		agent.Part{Name: "health", Run: func(ctx context.Context, report func(agent.State, string)) error {
			return n.serveHealth(ctx, func(s agent.State, detail string) {
				report(s, detail)
				address <- detail
			})
		}})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.agent.Run(ctx) }()
	url := <-address
	ask := func(path string) (int, string) {
		t.Helper()
		res, err := http.Get(url + path)
		if err != nil {
			return 0, err.Error()
		}
		defer func() { _ = res.Body.Close() }()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Error(err)
		}
		return res.StatusCode, string(body)
	}
	lab.Eventually(t, "it to be ready", func() bool { code, _ := ask("/readyz"); return code == 200 })
	if code, body := ask("/healthz"); code != 200 || !strings.Contains(body, "health ok: http://127.0.0.1:") {
		t.Errorf("/healthz: %d %q", code, body)
	}
	if code, body := ask("/livez"); code != 200 {
		t.Errorf("/livez: %d %q", code, body)
	}
	stop()
	lab.Eventually(t, "it not to be ready", func() bool {
		code, body := ask("/readyz")
		return code == 503 && strings.HasPrefix(body, "stopping down\n")
	})
	if code, body := ask("/livez"); code != 200 {
		t.Errorf("/livez while it stops: %d %q", code, body)
	}
	close(drained)
	http.DefaultClient.CloseIdleConnections()
	if err := <-done; err != nil {
		t.Error(err)
	}
	n.listeners.close()
	if code, body := ask("/readyz"); code != 0 {
		t.Errorf("after the end: %d %q", code, body)
	}
	http.DefaultClient.CloseIdleConnections()
}

// TestHealthAddrIsTaken: it is the trouble of that part alone.
func TestHealthAddrIsTaken(t *testing.T) {
	t.Parallel()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	n := &node{config: config.Default(), listeners: newListeners()}
	n.config.Signals.HealthAddr = ln.Addr().String()
	if err := n.serveHealth(t.Context(), func(agent.State, string) { t.Error("it reports") }); err == nil || !strings.HasPrefix(err.Error(), "listen on HEALTH_ADDR: ") {
		t.Errorf("%v", err)
	}
}

func TestStatusLine(t *testing.T) {
	t.Parallel()
	say := make(chan func(agent.State, string), 2)
	part := func(ctx context.Context, report func(agent.State, string)) error {
		say <- report
		<-ctx.Done()
		return nil
	}
	n := &node{stats: new(stats), agent: agent.New(nil, agent.Part{Name: "hub", Run: part})}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.agent.Run(ctx) }()
	report := <-say
	n.stats.accepted, n.stats.refused = 3, 2
	report(agent.OK, "fine")
	if news, rest := n.statusLine(); news != "accepted by the hub" || rest != ", 5 logins (2 refused, 0 faults)" {
		t.Errorf("well: %q, %q", news, rest)
	}
	report(agent.Down, "no route\nto host")
	want := "hub down since " + time.Now().UTC().Format(time.DateOnly)
	if news, _ := n.statusLine(); !strings.HasPrefix(news, want[:len(want)-1]) || !strings.HasSuffix(news, " (no route; to host)") {
		t.Errorf("ill: %q", news)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
