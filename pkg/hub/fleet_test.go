package hub

import (
	"context"
	"crypto"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// A fleet is many agents at one hub, on a clock that jumps.
type fleet struct {
	hub    *rawHub
	agents []*Client
}

const fleetSize = 200

// newFleet starts the agents; how they were dealt their luck is the seed.
func newFleet(t *testing.T, seed uint64, change func(*Options)) *fleet {
	f := &fleet{hub: newRawHub()}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, fleetSize)
	for i := range fleetSize {
		o := options("http://hub.example", io.Discard)
		o.Log, o.HTTP, o.MaxBackoff, o.Signer = nil, f.hub.client(), 30*time.Second, scribble{agentKey().Public()}
		if change != nil {
			change(&o)
		}
		c, err := New(&people{}, o)
		if err != nil {
			t.Fatal(err)
		}
		luck := rand.New(rand.NewPCG(seed, uint64(i)))
		c.random = luck.Float64
		f.agents = append(f.agents, c)
		go func() { done <- c.Run(ctx) }()
	}
	t.Cleanup(func() {
		cancel()
		for range fleetSize {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
	return f
}

// A scribble signs nothing that would verify, at no cost; this hub does not look.
type scribble struct{ public crypto.PublicKey }

func (s scribble) Public() crypto.PublicKey { return s.public }

func (scribble) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return []byte("~"), nil }

// arrive lets all agents in, and says when each came.
func (f *fleet) arrive(t *testing.T) (links []*rawLink, at []time.Duration) {
	t.Helper()
	start := time.Now()
	for range fleetSize {
		l := f.hub.accept(t)
		at = append(at, time.Since(start))
		links = append(links, l)
		go l.serve()
	}
	return links, at
}

// serve answers pings, and nothing else, until the link ends.
func (l *rawLink) serve() {
	for {
		op, payload, err := l.read()
		if err != nil {
			return
		}
		if op == opPing {
			op = opPong
		} else if op != opClose {
			continue
		}
		if _, err := l.Write(rawFrame(0x80|op, len(payload), string(payload))); err != nil {
			return
		}
	}
}

// crowded is the largest share that came within one second, wherever that
// second is laid.
func crowded(at []time.Duration) float64 {
	most := 0
	for i, from := range at {
		n := 0
		for _, t := range at[i:] {
			if t-from < time.Second {
				n++
			}
		}
		most = max(most, n)
	}
	return float64(most) / float64(len(at))
}

// TestTheFleetComesBackSpreadOut: a tenant's node goes away with the links of
// all its agents, as it pleases. They must not all be back in the same second,
// and all be back soon.
func TestTheFleetComesBackSpreadOut(t *testing.T) {
	agentKey() // made outside: it takes a while
	closing := func(l *rawLink) { _, _ = l.Write(rawFrame(0x80|opClose, 2, "\x03\xe9")) }
	cut := func(l *rawLink) { _ = l.Close() }
	for name, tt := range map[string]struct {
		end  func(*rawLink)
		away time.Duration // the hub refuses connections for so long
		all  time.Duration // until then all are back
	}{
		"the hub says that it goes away":     {closing, 0, 30 * time.Second},
		"the links are cut":                  {cut, 0, 30 * time.Second},
		"cut, and the hub is away for 3 s":   {cut, 3 * time.Second, 33 * time.Second},
		"cut, and the hub is away for 2 min": {cut, 2 * time.Minute, 2*time.Minute + 31*time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(3) {
				synctest.Test(t, func(t *testing.T) {
					f := newFleet(t, seed, nil)
					links, _ := f.arrive(t)
					sleep(t.Context(), time.Minute)
					f.hub.setDeny(tt.away > 0)
					start := time.Now()
					for _, l := range links {
						tt.end(l)
					}
					sleep(t.Context(), tt.away)
					f.hub.setDeny(false)
					_, at := f.arrive(t)
					took := time.Since(start)
					if share := crowded(at); share > 0.15 || took > tt.all {
						t.Errorf("seed %d: %.0f%% came within one second, all within %v", seed, 100*share, took)
					}
				})
			}
		})
	}
}

// TestAFlappingHub accepts everybody and closes at once, again and again: the
// agents do not come ever faster.
func TestAFlappingHub(t *testing.T) {
	agentKey()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 1, nil)
		links, _ := f.arrive(t)
		for round := range 3 {
			for _, l := range links {
				_ = l.Close()
			}
			var at []time.Duration
			links, at = f.arrive(t)
			if share := crowded(at); share > 0.15 {
				t.Errorf("round %d: %.0f%% came within one second", round, 100*share)
			}
		}
	})
}

// TestARejectedFleetIsPatient: agents that the tenant does not know stay, and
// ask at most so often.
func TestARejectedFleetIsPatient(t *testing.T) {
	agentKey()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 1, nil)
		reject := func(l *rawLink) {
			if _, _, err := l.read(); err == nil {
				_, _ = l.Write(rawFrame(0x80|opText, 30, fmt.Sprintf("%-30s", `{"n":"authentication_failure"}`)))
			}
			l.serve()
			_ = l.Close()
		}
		end := time.Now().Add(10 * time.Minute)
		n := 0
		for time.Now().Before(end) {
			l := f.hub.next(t)
			n++
			go reject(l)
		}
		// 5, 10, 20, 40 and then each 60 s, less up to a fifth: from 13 to 16.
		if n < 11*fleetSize || n > 17*fleetSize {
			t.Errorf("%d attempts of %d agents in ten minutes", n, fleetSize)
		}
		links, at := f.arrive(t)
		if share := crowded(at); len(links) != fleetSize || share > 0.15 {
			t.Errorf("%.0f%% came within one second", 100*share)
		}
	})
}
