package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// How long a part rests before it is started again. A part that ran for longer
// than the longest rest begins anew with the shortest.
const (
	shortestRest = 500 * time.Millisecond
	longestRest  = 30 * time.Second
	// settled is when a silent run counts as ok.
	settled = time.Second
)

type supervised struct {
	Part
	gauge
	ended atomic.Bool
}

func newSupervised(p Part, log *slog.Logger) *supervised {
	return &supervised{Part: p, gauge: gauge{
		log: log,
		now: Health{Part: p.Name, State: Degraded, Since: time.Now(), Detail: "not started yet"},
	}}
}

// supervise runs the part until ctx ends.
func (p *supervised) supervise(ctx context.Context) {
	defer p.ended.Store(true)
	defer p.stop()
	for failures := 0; ; failures++ {
		begun := time.Now()
		err := p.once(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(begun) > longestRest {
			failures = 0
		}
		rest := pause(failures)
		p.set(p.begin(), Degraded, fmt.Sprintf("starts again in %v: %v", rest.Round(100*time.Millisecond), err))
		p.log.Error("part ended", "err", err, "again_in", rest)
		timer := time.NewTimer(rest)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// errEnded is the reason of a part that returned nil although nobody asked it to.
var errEnded = errors.New("it ended by itself")

// once runs the part one time and returns why it ended. It contains panics, and
// a runtime.Goexit too, for its goroutine is its own.
func (p *supervised) once(ctx context.Context) error {
	run := p.begin()
	silent := time.AfterFunc(settled, func() { p.settle(run) })
	defer silent.Stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // whatever the run left behind

	done := make(chan error, 1)
	go func() {
		err := errEnded
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("panic: %v", r)
				p.log.Error("part panicked", "err", err, "stack", string(debug.Stack()))
			}
			done <- err
		}()
		if failed := p.Run(ctx, func(s State, detail string) { p.set(run, s, detail) }); failed != nil {
			err = failed
		}
	}()
	return <-done
}

// pause doubles with every failure. From the second on, up to half of it is
// left to chance, so that the agents of many machines do not start together
// what brought them down together.
func pause(failures int) time.Duration {
	rest := longestRest
	if failures < 6 { // the seventh would be more than the longest
		rest = min(shortestRest<<failures, longestRest)
	}
	return max(shortestRest, rest-rand.N(rest/2+1)) // it spreads starts, and keeps no secret
}
