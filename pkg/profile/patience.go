package profile

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// enough calls are known of when it is clear what the script needs.
	enough = 100
	// A call that others wait for may take so many times what the slowest took,
	// and no less than a while.
	generous = 20
	while    = 2 * time.Second
)

// A patience ends calls that take far longer than the script ever needs while
// others wait for a process: a script that does not end for some users must not
// hold up everybody else for the whole time limit.
type patience struct {
	least   time.Duration
	waiting atomic.Int32 // calls that wait for a process

	mu      sync.Mutex
	calls   int
	slowest time.Duration // of late
}

// errCrowded is why a call is ended before its time.
var errCrowded = errors.New("others wait")

// succeeded tells how long a call took that came to its end. The slowest is
// forgotten over thousands of calls.
func (p *patience) succeeded(took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls++
	p.slowest = max(took, p.slowest-p.slowest/1000)
}

// fair is how long a call may take that others wait for; most when there is no
// telling yet.
func (p *patience) fair(most time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.calls < enough {
		return most
	}
	return min(most, max(p.least, generous*p.slowest))
}

// bound returns ctx bounded by the time limit, and by what is fair once others
// wait. The cause of its end is what to say of it.
func (p *patience) bound(ctx context.Context, most, fair time.Duration) (context.Context, context.CancelFunc) {
	begun := time.Now()
	limited, end := context.WithCancelCause(ctx)
	limit := time.AfterFunc(most, func() { end(fmt.Errorf("no answer within %v", most)) })
	if fair >= most {
		return limited, func() { end(nil); limit.Stop() }
	}
	var look *time.Timer
	var ready sync.Mutex // look is set before it is used
	ready.Lock()
	look = time.AfterFunc(fair, func() {
		if p.waiting.Load() > 0 {
			end(fmt.Errorf("no answer within %v, and %w", time.Since(begun).Round(100*time.Millisecond), errCrowded))
			return
		}
		ready.Lock()
		defer ready.Unlock()
		if limited.Err() == nil {
			look.Reset(p.least / 10)
		}
	})
	ready.Unlock()
	return limited, func() {
		end(nil)
		limit.Stop()
		look.Stop()
	}
}
