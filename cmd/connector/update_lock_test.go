package main

import (
	"crypto/tls"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ad-ldap-connector/pkg/home"
)

// hurry is the variable by which a test's program has an update watched for less
// than an operator could have it.
const hurry = "CONNECTOR_HURRY"

func TestLease(t *testing.T) {
	t.Parallel()
	h, err := home.Open(filepath.Join(t.TempDir(), "home"), nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
	one, two := leaseOrder{Holder: "1", Name: "one", Seconds: 60}, leaseOrder{Holder: "2", Name: "two", Seconds: 60}
	give := func(o leaseOrder) leaseOrder { o.Seconds = 0; return o }
	for i, step := range []struct {
		order leaseOrder
		after time.Duration
		taken bool
	}{
		{one, 0, false},
		{two, time.Second, true},
		{one, 30 * time.Second, false}, // renewed, to 90 s
		{two, 80 * time.Second, true},
		{give(two), 81 * time.Second, false}, // which has nothing to give back
		{two, 82 * time.Second, true},
		{two, 91 * time.Second, false}, // one has died
		{one, 92 * time.Second, true},
		{give(two), 93 * time.Second, false},
		{one, 94 * time.Second, false},
		{leaseOrder{Holder: "1", Name: "one", Seconds: 1 << 30}, 95 * time.Second, false},
		{two, 95*time.Second + maxLease + 1, false}, // nobody has it for ever
		{one, -time.Hour, false},                    // the clock was set back
	} {
		_, err := takeLease(h, step.order, now.Add(step.after))
		if taken := (*takenError)(nil); errors.As(err, &taken) != step.taken || err != nil && !step.taken {
			t.Errorf("step %d: %v", i, err)
		}
	}
	for body, well := range map[string]bool{
		`{"holder":"1","seconds":1}`: true, `{"holder":"","seconds":1}`: false, `{"holder":"1","seconds":-1}`: false, `{`: false, `null`: false,
		`{"holder":"` + strings.Repeat("x", 300) + `"}`: false,
	} {
		if o, err := readLeaseOrder([]byte(body)); (err == nil) != well {
			t.Errorf("%.40s is %+v, %v", body, o, err)
		}
	}
}

func FuzzUpdateOrders(f *testing.F) {
	f.Add([]byte(`{"holder":"1","name":"one","seconds":60}`))
	f.Add([]byte(`{"version":"1.0.0","sha256":"00","node":"n","why":"w","at":"2026-01-02T03:04:05Z"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if o, err := readLeaseOrder(data); err == nil && (o.Holder == "" || o.Seconds < 0) {
			t.Errorf("%+v", o)
		}
		if x, err := readFailure(data); err == nil && (x.Version == "" && x.SHA256 == "" || len(x.Why) > 1000) {
			t.Errorf("%+v", x)
		}
	})
}

// peerSettings are those by which nodes know each other.
func peerSettings(t *testing.T, h *home.Home) *tls.Config {
	t.Helper()
	c, err := h.Config()
	if err != nil {
		t.Fatal(err)
	}
	pair, err := h.Keys(c)
	if err != nil {
		t.Fatal(err)
	}
	s, err := peerTLS(pair)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// nodesFrom are all nodes as one of them sees them, itself first.
func nodesFrom(t *testing.T, homes []*home.Home, addresses []string, self int) []clusterNode {
	t.Helper()
	var here, others []clusterNode
	for i, h := range homes {
		r, err := reportOf(h)
		if err != nil {
			t.Fatal(err)
		}
		n := clusterNode{Instance: r.Instance, Name: r.Name, Address: addresses[i], Reachable: true}
		if i == self {
			n.Address = ""
			here = append(here, n)
			continue
		}
		others = append(others, n)
	}
	return append(here, others...)
}

// oneHolds has all nodes take the lock at once. One that cannot be asked in time,
// on a machine that is busy, is no answer, and all is tried again.
func oneHolds(t *testing.T, round int, homes []*home.Home, take func(i int) (func(), error)) {
	t.Helper()
	for range 10 {
		var wait sync.WaitGroup
		releases, faults := make([]func(), len(homes)), make([]error, len(homes))
		for i := range homes {
			wait.Go(func() { releases[i], faults[i] = take(i) })
		}
		wait.Wait()
		held, busy := 0, false
		for i, err := range faults {
			taken := (*takenError)(nil)
			switch {
			case errors.As(err, &taken):
				if taken.Name == "" || exitCode(err, false) != exitFault {
					t.Errorf("%v", err)
				}
			case err != nil:
				t.Logf("round %d: %v", round, err)
				busy = true
			default:
				held++
				for _, h := range homes {
					var l lease
					if err := h.LoadState(lockState, &l); err != nil || l.Name != "node"+string(rune('1'+i)) {
						t.Errorf("round %d: %s says %+v, %v", round, h.Dir(), l, err)
					}
				}
			}
		}
		for _, release := range releases {
			release()
		}
		if held > 1 || held == 0 && !busy {
			t.Fatalf("round %d: %d nodes hold the lock: %v", round, held, faults)
		}
		if held == 1 {
			return
		}
	}
	t.Fatalf("round %d: the nodes could not be asked", round)
}

// TestOneNodeUpdatesAtATime: of nodes that want to at once one gets the lock, as
// all others see it, and what has failed on one is known to all.
func TestOneNodeUpdatesAtATime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := transferHome(t, filepath.Join(dir, "1"), "corp-ad", "INSTANCE_NAME=node1")
	if _, err := loadInstance(first); err != nil {
		t.Fatal(err)
	}
	homes := []*home.Home{first, anotherNode(t, first, filepath.Join(dir, "2"), "INSTANCE_NAME=node2"), anotherNode(t, first, filepath.Join(dir, "3"), "INSTANCE_NAME=node3")}
	peers := []string{"127.0.0.1:1"} // where nobody is
	for _, h := range homes {
		peers = append(peers, servePeer(t, h))
	}
	next := &nextProgram{version: "2.0.0", released: true, sha256: "00", source: "x"}
	node := func(h *home.Home) *updateRun {
		c, err := h.Config()
		if err == nil {
			err = c.Set("PEERS", strings.Join(peers, ","))
		}
		if err != nil {
			t.Fatal(err)
		}
		return &updateRun{app: &app{stdout: discard, stderr: discard}, home: h, config: c, next: next, order: updateOrder{force: true}}
	}
	for round := range 3 {
		oneHolds(t, round, homes, func(i int) (func(), error) {
			return node(homes[i]).lockNodes(t.Context(), nodesFrom(t, homes, peers[1:], i), peerSettings(t, first))
		})
	}
	// One gives it back, and the next can have it.
	for _, h := range homes {
		release, err := node(h).among(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		release()
	}

	u := node(homes[1])
	u.order.force, u.config.Agent.Peers = false, peers[:1]
	if _, err := u.among(t.Context()); err == nil || !strings.Contains(err.Error(), "no other node is well") {
		t.Errorf("%v", err)
	}
	u = node(homes[1])
	u.tellAll(t.Context(), failure{Version: "2.0.0", SHA256: "00", Node: "node2", Why: "it fell", At: time.Now()})
	for i, h := range homes {
		u := node(h)
		u.order.force = false
		if _, err := u.among(t.Context()); err == nil || !strings.Contains(err.Error(), "version 2.0.0 has failed on the node node2") || !strings.Contains(err.Error(), "it fell") {
			t.Errorf("node %d: %v", i+1, err)
		}
		u.next = &nextProgram{version: "2.0.1", released: true, sha256: "01"}
		if err := u.refuseFailed(); err != nil {
			t.Errorf("node %d: another version: %v", i+1, err)
		}
		u.next = next
		if err := forgive(h, next); err != nil {
			t.Fatal(err)
		}
		if err := u.refuseFailed(); err != nil {
			t.Errorf("node %d: it was forgiven: %v", i+1, err)
		}
	}
}

// TestPeersOrdersAreBounded: what is no order is refused.
func TestPeersOrdersAreBounded(t *testing.T) {
	t.Parallel()
	h := transferHome(t, filepath.Join(t.TempDir(), "home"), "corp-ad")
	if _, err := loadInstance(h); err != nil {
		t.Fatal(err)
	}
	addr := servePeer(t, h)
	c, err := h.Config()
	if err != nil {
		t.Fatal(err)
	}
	pair, err := h.Keys(c)
	if err != nil {
		t.Fatal(err)
	}
	s, err := peerTLS(pair)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		path string
		body any
		want int
	}{
		{lockPath, leaseOrder{}, http.StatusBadRequest},
		{lockPath, "text", http.StatusBadRequest},
		{lockPath, leaseOrder{Holder: strings.Repeat("x", 10000)}, http.StatusBadRequest},
		{failedPath, failure{}, http.StatusBadRequest},
		{failedPath, failure{Version: "1", Why: strings.Repeat("x", 3000)}, http.StatusOK},
		{failedPath, failure{Version: "1", Why: strings.Repeat("x", 5000)}, http.StatusBadRequest},
		{"/v1/other", leaseOrder{}, http.StatusNotFound},
	} {
		if status, body, err := tellPeer(t.Context(), addr, tt.path, s, tt.body); err != nil || status != tt.want {
			t.Errorf("%s %+.60v: %d, %v: %.100s", tt.path, tt.body, status, err, body)
		}
	}
	if err := askLease(t.Context(), "127.0.0.1:1", s, leaseOrder{Holder: "x", Seconds: 1}); err == nil {
		t.Error("nobody is there, and agrees")
	}
	for range maxFailed + 5 {
		if err := remember(h, failure{Version: "1", Node: time.Now().String()}); err != nil {
			t.Fatal(err)
		}
	}
	var all failedList
	if err := h.LoadState(failedState, &all); err != nil || len(all.All) != maxFailed {
		t.Errorf("%d are remembered, %v", len(all.All), err)
	}
}
