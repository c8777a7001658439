package hub

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// stagger is how much younger than the other a client's second link is made.
// The tenant's nodes close a link after so long: two of the same age would end
// together. It is longer than a lost link is away (steady, and the handshake),
// and short enough for all links of all agents to be back within half a minute.
const stagger = 24 * time.Second

// A place is where one of the client's links is kept.
type place struct {
	began  time.Time // the attempt that is under way, or that led to link; zero while there is none
	link   *link     // accepted; nil while there is none
	state  State
	detail string
}

// lines are the client's links, and where replies find one that is alive.
type lines struct {
	told  func(State, string)
	fault func() error // why no command can be verified

	telling sync.Mutex // told gets the states in their order
	mu      sync.Mutex // guards what follows
	places  []place
	back    time.Time     // when the agent may be back that had lost all its links
	changed chan struct{} // closed and replaced when a place changes
	err     error         // why there is no link
}

func newLines(n int, told func(State, string), fault func() error) lines {
	return lines{told: told, fault: fault, places: make([]place, n), changed: make(chan struct{})}
}

// change edits place i, wakes all who wait for a change, and tells the state.
func (l *lines) change(i int, edit func(*place)) {
	l.telling.Lock()
	defer l.telling.Unlock()
	l.mu.Lock()
	edit(&l.places[i])
	close(l.changed)
	l.changed = make(chan struct{})
	state, detail := l.summary(i)
	l.mu.Unlock()
	l.told(state, detail)
}

// again tells the state anew, because commands can be verified now, or no
// longer, if that matters.
func (l *lines) again() {
	l.telling.Lock()
	defer l.telling.Unlock()
	l.mu.Lock()
	state, detail := l.summary(0)
	l.mu.Unlock()
	if state == Accepted || state == Keyless {
		l.told(state, detail)
	}
}

// summary is the state of all, after place i has changed: one accepted link is
// enough to serve.
func (l *lines) summary(i int) (State, string) {
	up, missing := 0, ""
	for _, p := range l.places {
		switch {
		case p.state == Accepted:
			up++
		case p.detail != "" && missing == "":
			missing = ": " + p.detail
		}
	}
	if up == 0 {
		return l.places[i].state, l.places[i].detail
	}
	if err := l.fault(); err != nil {
		return Keyless, err.Error()
	}
	if up == len(l.places) {
		return Accepted, ""
	}
	return Accepted, fmt.Sprintf("%d of %d links%s", up, len(l.places), missing)
}

// turn waits until place i may be dialled for: at once, unless the agent waits
// for its moment to come back, or another place has a link, or is about to, that
// is too young to have one of nearly the same age beside it. It reports false
// when ctx ends.
func (l *lines) turn(ctx context.Context, i int) bool {
	for {
		l.mu.Lock()
		now := time.Now()
		wait := l.back.Sub(now)
		for j, p := range l.places {
			if j != i && !p.began.IsZero() {
				wait = max(wait, stagger-now.Sub(p.began))
			}
		}
		if wait <= 0 && ctx.Err() == nil {
			l.places[i].began = now // before anybody else looks
			l.mu.Unlock()
			return true
		}
		changed := l.changed
		l.mu.Unlock()
		timer := time.NewTimer(wait)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return false
		}
	}
}

// comeBack is how long place i waits after it lost its link, which lasted for so
// long. An agent that is left without any link chooses its moment to be back, for
// all its places: one that waits for its turn would else dial in the moment of the
// loss, together with those of all other agents. What it can do without takes its
// time.
func (c *Client) comeBack(i int, pause *backoff, lasted time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	first, last := time.Duration(0), spread
	switch {
	case c.watch.stopped():
		last = thawed
	case c.served(i) || now.Before(c.back):
		return pause.lost(swift, steady, lasted)
	case len(c.places) > 1:
		last = swift
	}
	wait := pause.lost(first, last, lasted)
	c.back = now.Add(wait)
	return wait
}

// served reports whether another place than i has a link that stands. The lock
// is held.
func (l *lines) served(i int) bool {
	for j, p := range l.places {
		if j != i && p.link != nil && p.link.ctx.Err() == nil {
			return true
		}
	}
	return false
}

// pick returns a link that is accepted and has not ended: from, if it is one.
// When there is none, the channel is closed once that may have changed.
func (l *lines) pick(from *link) (*link, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var alive *link
	for _, p := range l.places {
		if p.link != nil && p.link.ctx.Err() == nil && (alive == nil || p.link == from) {
			alive = p.link
		}
	}
	return alive, l.changed
}

// Accepted reports whether the hub has accepted the agent, on a link that
// still stands.
func (c *Client) Accepted() bool {
	l, _ := c.pick(nil)
	return l != nil
}

// Err says why there is no accepted link: the last attempt's error, which may
// be ErrRejected. It is nil while the agent is accepted, and before the first
// attempt has ended.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.places {
		if p.link != nil {
			return nil
		}
	}
	return c.err
}
