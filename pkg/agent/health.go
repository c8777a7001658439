package agent

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// A State is how a part fares, in one word.
type State string

// The states, from best to worst.
const (
	OK       State = "ok"
	Degraded State = "degraded" // it works in part, or is about to start again
	Down     State = "down"     // it does not do its work
)

func (s State) rank() int {
	switch s {
	case OK:
		return 0
	case Degraded:
		return 1
	}
	return 2 // a word that is not in the list is no good news
}

// Stopped is the detail of a part that has ended for good.
const Stopped = "stopped"

// Health is how one part fares.
type Health struct {
	Part   string
	State  State
	Since  time.Time // when State became what it is; a change of Detail alone does not count
	Detail string    // why, for operators; may be empty
}

// Worst returns the worst state of all; OK when there are none.
func Worst(all []Health) State {
	worst := 0
	for _, h := range all {
		worst = max(worst, h.State.rank())
	}
	return [...]State{OK, Degraded, Down}[worst]
}

// A gauge holds the health of one part. Reports count only for the run that
// they belong to, so that the remains of an ended one cannot call it ok.
type gauge struct {
	log *slog.Logger

	mu       sync.Mutex
	now      Health
	run      int  // counts the part's starts and ends
	reported bool // in this run
}

func (g *gauge) get() Health {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.now
}

// begin ends the reports of earlier runs and returns the number of the next.
func (g *gauge) begin() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.run++
	g.reported = false
	return g.run
}

// set records what run has to say of itself.
func (g *gauge) set(run int, s State, detail string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if run == g.run {
		g.reported = true
		g.change(s, detail)
	}
}

// settle calls a run ok that goes on and has nothing to say.
func (g *gauge) settle(run int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if run == g.run && !g.reported {
		g.change(OK, "")
	}
}

// stop ends the reports for good. The log has no need of it: all parts stop.
func (g *gauge) stop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.run++
	g.become(Down, Stopped)
}

// change records and logs. Only changes of the state are logged: a detail may
// count seconds. The lock is held, as it is for become.
func (g *gauge) change(s State, detail string) {
	if !g.become(s, detail) {
		return
	}
	level := slog.LevelInfo
	if s != OK {
		level = slog.LevelWarn
	}
	g.log.Log(context.Background(), level, "part changed its state", "state", string(s), "detail", detail)
}

func (g *gauge) become(s State, detail string) (changed bool) {
	g.now.Detail = detail
	if s == g.now.State {
		return false
	}
	g.now.State, g.now.Since = s, time.Now()
	return true
}
