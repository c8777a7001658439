package console

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"ad-ldap-connector/pkg/agent"
)

// fromLoopback is a request of a program of this machine.
func fromLoopback(r *http.Request) *http.Request {
	r.RemoteAddr = "127.0.0.1:50000"
	return r
}

func TestHealthAndReadiness(t *testing.T) {
	part := func(name string, s agent.State) agent.Health {
		return agent.Health{Part: name, State: s, Detail: "why"}
	}
	for _, tt := range []struct {
		name            string
		parts           []agent.Health
		healthy, ready  int
		mustSay, method string
	}{
		{name: "all well", parts: []agent.Health{part("hub", agent.OK), part("directory", agent.OK)}, healthy: 200, ready: 200},
		{name: "hub degraded", parts: []agent.Health{part("hub", agent.Degraded)}, healthy: 200, ready: 503, mustSay: "hub degraded: why"},
		{name: "directory down", parts: []agent.Health{part("hub", agent.OK), part("directory", agent.Down)}, healthy: 503, ready: 503},
		{name: "a part that logins do not need", parts: []agent.Health{part("hub", agent.OK), part("console", agent.Degraded)}, healthy: 200, ready: 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := Handler(Options{Health: func() []agent.Health { return tt.parts }})
			for path, want := range map[string]int{"/healthz": tt.healthy, "/readyz": tt.ready} {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, fromLoopback(httptest.NewRequest("GET", "http://127.0.0.1:8357"+path, nil)))
				if w.Code != want || !strings.Contains(w.Body.String(), tt.mustSay) {
					t.Errorf("%s = %d %q, want %d", path, w.Code, w.Body, want)
				}
			}
		})
	}
}

// TestProbes: names and states are all that others learn, and one that stops is
// not ready.
func TestProbes(t *testing.T) {
	parts := []agent.Health{{Part: "hub", State: agent.OK, Detail: "corp.example"}, {Part: "clock", State: agent.Degraded, Detail: "why"}}
	for _, tt := range []struct {
		details, stopping bool
		path              string
		code              int
		body              string
	}{
		{false, false, "/healthz", 200, "hub ok\nclock degraded\n"},
		{false, false, "/readyz", 200, "hub ok\nclock degraded\n"},
		{true, false, "/readyz", 200, "hub ok: corp.example\nclock degraded: why\n"},
		{false, true, "/readyz", 503, "stopping down\nhub ok\nclock degraded\n"},
		{false, true, "/healthz", 200, "hub ok\nclock degraded\n"},
		{false, true, "/livez", 200, ""},
		{true, false, "/status", 404, ""}, {true, false, "/metrics", 404, ""}, {true, false, "/", 404, ""},
	} {
		w := httptest.NewRecorder()
		Probes(ProbeOptions{
			Health: func() []agent.Health { return parts }, Stopping: func() bool { return tt.stopping }, Details: tt.details,
		}).ServeHTTP(w, httptest.NewRequest("GET", "http://connector.example:8358"+tt.path, nil))
		if w.Code != tt.code || tt.body != "" && w.Body.String() != tt.body {
			t.Errorf("%+v: %d %q", tt, w.Code, w.Body)
		}
	}
	if parts[0].Detail == "" {
		t.Error("the health itself was changed")
	}
}

// TestAlive: what the parts talk to does not matter, and one question is put at
// a time.
func TestAlive(t *testing.T) {
	t.Parallel()
	var stuck, asked atomic.Int32
	h := Probes(ProbeOptions{
		Health: func() []agent.Health { return []agent.Health{{Part: "hub", State: agent.Down}} },
		Alive: func(context.Context) error {
			if asked.Add(1) != 1 {
				t.Error("two questions at once")
			}
			defer asked.Add(-1)
			if stuck.Load() != 0 {
				return errors.New("stuck")
			}
			return nil
		},
	})
	ask := func() int {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "http://connector.example:8358/livez", nil))
		return w.Code
	}
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			if code := ask(); code != 200 {
				t.Errorf("%d while it makes progress", code)
			}
		})
	}
	wait.Wait()
	stuck.Store(1)
	if code := ask(); code != 503 {
		t.Errorf("%d while it does not", code)
	}
}

func TestOnlyLoopbackNamesAreServed(t *testing.T) {
	h := Handler(Options{Health: func() []agent.Health { return nil }, Status: func() any { return map[string]bool{"installed": true} }})
	for host, want := range map[string]int{
		"localhost:8357": 200, "127.0.0.1:8357": 200, "[::1]:8357": 200, "localhost": 200,
		"evil.example": 403, "evil.example:8357": 403, "127.0.0.1.evil.example": 403, "192.0.2.1:8357": 403, "": 403,
	} {
		r := fromLoopback(httptest.NewRequest("GET", "/status", nil))
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("Host %q = %d, want %d", host, w.Code, want)
		}
	}
}

func TestOtherMethodsAndPathsAreRefused(t *testing.T) {
	h := Handler(Options{Health: func() []agent.Health { return nil }})
	for _, r := range []*http.Request{
		httptest.NewRequest("POST", "http://localhost/healthz", nil),
		httptest.NewRequest("GET", "http://localhost/export", nil),
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code < 400 {
			t.Errorf("%s %s = %d", r.Method, r.URL.Path, w.Code)
		}
	}
}
