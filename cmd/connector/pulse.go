package main

import (
	"context"
	"fmt"
	"time"
)

// pulseWithin is how long the parts may take to answer. All they do is take a
// lock: a machine that is that busy has other troubles.
const pulseWithin = 5 * time.Second

// A pulse finds out whether this process makes progress, for the service
// manager's watchdog. It asks what can be held up for ever only by this program
// itself, and so by nothing that a restart would not cure: neither the hub nor
// the directory is among it.
type pulse struct {
	ask    func()
	within time.Duration

	asked chan struct{} // closed by the answer; nil: nothing is being asked
	since time.Time
}

// well returns nil once all have answered, or an error when that takes long.
// One question is put at a time, so that a hung process does not grow. Calls
// must not overlap.
func (p *pulse) well(ctx context.Context) error {
	if p.asked == nil {
		asked := make(chan struct{})
		p.asked, p.since = asked, time.Now()
		go func() { p.ask(); close(asked) }()
	}
	patience := time.NewTimer(p.within)
	defer patience.Stop()
	select {
	case <-p.asked:
		p.asked = nil
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-patience.C:
		return fmt.Errorf("ask the parts how they fare: no answer for %s", time.Since(p.since).Round(time.Second))
	}
}

// touch takes every lock that logins, the console and the parts' reports need.
func (n *node) touch() {
	_ = n.status() // what the console serves
	n.dirReport.mu.Lock()
	n.dirReport.mu.Unlock() //nolint:staticcheck // it could be had: that is all that was to be known
	n.directory.waiting()
	n.mapper.waiting()
}
