package wsfed

import (
	"context"
	"time"
)

// A gate lets so many in at the same time. Whoever finds it full waits a
// moment, and is then told to come again: a queue that grows helps nobody.
type gate chan struct{}

// gateWait is that moment.
const gateWait = time.Second

func newGate(n int) gate { return make(gate, n) }

// enter reports whether there was room in time. Who entered must leave.
func (g gate) enter(ctx context.Context) bool {
	select {
	case g <- struct{}{}:
		return true
	default:
	}
	patience := time.NewTimer(gateWait)
	defer patience.Stop()
	select {
	case g <- struct{}{}:
		return true
	case <-patience.C:
	case <-ctx.Done():
	}
	return false
}

func (g gate) leave() { <-g }
