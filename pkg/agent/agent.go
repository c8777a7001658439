// Package agent keeps the running connector's parts going, and knows how each
// of them fares.
package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A Part is one thing that runs for as long as the agent does.
type Part struct {
	Name string

	// Run works until ctx ends. When it returns or panics before, it is started
	// again after a while. It tells how it fares by report, which may be called
	// at any time from anywhere; calls after Run's return count for nothing. The
	// detail is shown to operators: it must hold no secrets. A part that reports
	// nothing is ok once it has run for a second.
	Run func(ctx context.Context, report func(State, string)) error
}

// The time that the parts have to end once ctx did, unless the agent's owner
// knows better. Service managers wait some 20 to 90 seconds before they kill.
const endWithin = 10 * time.Second

// An Agent runs its parts, each for itself: the trouble of one does not stop
// the others.
type Agent struct {
	EndWithin time.Duration // that the parts have to end; set before Run [10 s]

	log     *slog.Logger
	parts   []*supervised
	started atomic.Bool
}

// New returns an agent of the given parts. A nil log discards.
func New(log *slog.Logger, parts ...Part) *Agent {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	a := &Agent{EndWithin: endWithin, log: log}
	for _, p := range parts {
		a.parts = append(a.parts, newSupervised(p, log.With("part", p.Name)))
	}
	return a
}

// Run keeps the parts going until ctx ends, and returns nil once they all
// ended. Parts that have not ended EndWithin later are named in the log and in
// the error, and left behind: the process is about to exit. Run runs once.
func (a *Agent) Run(ctx context.Context) error {
	if a.started.Swap(true) {
		return errors.New("run the agent: it ran already")
	}
	var running sync.WaitGroup
	for _, p := range a.parts {
		running.Go(func() { p.supervise(ctx) })
	}
	<-ctx.Done()
	ended := make(chan struct{})
	go func() { running.Wait(); close(ended) }()
	patience := time.NewTimer(a.EndWithin)
	defer patience.Stop()
	select {
	case <-ended:
		return nil
	case <-patience.C:
	}
	var late []string
	for _, p := range a.parts {
		if !p.ended.Load() {
			late = append(late, p.Name)
		}
	}
	if len(late) == 0 { // it ended together with our patience
		return nil
	}
	a.log.Error("parts do not end", "parts", late, "after", a.EndWithin)
	return fmt.Errorf("stop the agent: still running after %v: %s", a.EndWithin, strings.Join(late, ", "))
}

// Health returns how each part fares, in the order of New. It never waits for a
// part.
func (a *Agent) Health() []Health {
	all := make([]Health, len(a.parts))
	for i, p := range a.parts {
		all[i] = p.get()
	}
	return all
}
