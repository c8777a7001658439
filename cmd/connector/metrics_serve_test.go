package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/agent"
	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/testdata/lab"
)

// TestMetricsForOthers: whoever asks by whatever name gets the metrics, and
// nothing else that the console has.
func TestMetricsForOthers(t *testing.T) {
	t.Parallel()
	n := &node{config: config.Default(), stats: new(stats), listeners: newListeners(), leads: make(chan struct{})}
	close(n.leads)
	n.config.Signals.MetricsAddr = "127.0.0.1:0"
	address := make(chan string, 1)
	n.agent = agent.New(nil, agent.Part{Name: "metrics", Run: func(ctx context.Context, report func(agent.State, string)) error {
		return n.serveMetrics(ctx, func(s agent.State, detail string) {
			report(s, detail)
			address <- detail
		})
	}})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.agent.Run(ctx) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	at := <-address
	for path, want := range map[string]int{"/metrics": 200, "/status": 404, "/readyz": 404, "/": 404} {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(at, "/metrics")+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "connector.example"
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close() // it was read
		if err != nil || res.StatusCode != want || want == 200 && !strings.Contains(string(body), "connector_build_info{") {
			t.Errorf("%s: %d %v %.200s", path, res.StatusCode, err, body)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	n.listeners.close()
	_, port, err := net.SplitHostPort(strings.TrimSuffix(strings.TrimPrefix(at, "http://"), "/metrics"))
	if err != nil {
		t.Fatal(err)
	}
	lab.Eventually(t, "the port to be free", func() bool {
		_, err := new(net.Dialer).DialContext(t.Context(), "tcp", "127.0.0.1:"+port)
		return err != nil
	})
}
