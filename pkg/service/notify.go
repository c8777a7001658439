package service

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
)

// A Notifier tells the service manager how the service fares. Without a
// manager that listens, it tells nobody.
type Notifier struct {
	tell     func(message) error
	show     func(line string) error // nil: nobody reads it
	become   func(pid int) error     // nil: nobody listens
	watchdog time.Duration           // 0: nobody watches
	stopping sync.Once
	muted    atomic.Bool
}

// A message is what a service manager is told.
type message int

const (
	ready message = iota
	alive
	stopping
)

// Ready says that the service has begun its work. Whoever starts it waits for
// that.
func (n *Notifier) Ready() error {
	if err := n.say(ready); err != nil {
		return fmt.Errorf("tell the service manager that the service is ready: %w", err)
	}
	return nil
}

// Stop says that the service is about to end. Run does so when its context
// ends.
func (n *Notifier) Stop() {
	n.stopping.Do(func() { _ = n.say(stopping) }) // the end itself is seen anyway
}

// say tells the manager, unless another process is the service.
func (n *Notifier) say(m message) error {
	if n.muted.Load() {
		return nil
	}
	return n.tell(m)
}

// Managed reports whether a manager listens that a process of the service can
// tell of its successor.
func (n *Notifier) Managed() bool { return n.become != nil }

// Mute keeps it from telling anything: another process is the service, until
// Speak.
func (n *Notifier) Mute() { n.muted.Store(true) }

// Speak says that this process is the service from now on.
func (n *Notifier) Speak() { n.muted.Store(false) }

// Become tells the manager that the process pid is the service's main process
// from now on, a child of the one that says so, and says nothing more. The
// manager must have been told of the former one, and hears nobody else.
func (n *Notifier) Become(pid int) error {
	if !n.Managed() {
		return nil
	}
	if err := n.become(pid); err != nil {
		return fmt.Errorf("tell the service manager of the process %d: %w", pid, err)
	}
	n.Mute()
	return nil
}

// How often Show tells what has changed: news at once, but never faster than
// showEvery, and what changes all the time at leisure.
const (
	showEvery  = time.Second
	showRarely = 10 * time.Second
)

// longestLine is how much of a line is shown, in octets.
const longestLine = 400

// Show has the manager show in a line how the service fares, for as long as ctx
// lasts: what line returns, news first. Where the manager shows no lines it
// returns at once.
func (n *Notifier) Show(ctx context.Context, line func() (news, rest string)) {
	if n.show == nil {
		return
	}
	tick := time.NewTicker(showEvery)
	defer tick.Stop()
	news, rest, last := "", "", time.Time{}
	for {
		if a, b := line(); a != news || b != rest && time.Since(last) >= showRarely {
			if !n.muted.Load() && n.show(oneLine(a+b)) == nil { // else again in a moment
				news, rest, last = a, b, time.Now()
			}
		}
		select {
		case <-ctx.Done():
			if !n.muted.Load() {
				_ = n.show("stopping") // the end itself is seen anyway
			}
			return
		case <-tick.C:
		}
	}
}

// oneLine is a text without control characters, and not long.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	if len(text) > longestLine {
		text = strings.ToValidUTF8(text[:longestLine], "") + "..."
	}
	return text
}

// Watched reports whether the manager ends a service that keeps silent.
func (n *Notifier) Watched() bool { return n.watchdog > 0 }

// Watch tells the manager that the service lives, often enough, for as long as
// well returns nil, until ctx ends. A well that hangs or returns an error keeps
// it silent: after the watchdog's time the manager ends the service and starts
// it again. So well is to ask those whose hanging a restart would cure, and not
// whether a server elsewhere answers. Errors of well are given to say.
func (n *Notifier) Watch(ctx context.Context, well func(context.Context) error, say func(error)) {
	if !n.Watched() {
		return
	}
	// Three beats fit in, so that one may be late or lost.
	beat := time.NewTicker(n.watchdog / 3)
	defer beat.Stop()
	for {
		err := well(ctx)
		if err == nil {
			if err = n.say(alive); err != nil {
				err = fmt.Errorf("tell the service manager that the service lives: %w", err)
			}
		}
		if err != nil && ctx.Err() == nil {
			say(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
		}
	}
}
