package service

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode"
)

// A Notifier tells the service manager how the service fares. Without a
// manager that listens, it tells nobody.
type Notifier struct {
	tell     func(message) error
	show     func(line string) error // nil: nobody reads it
	watchdog time.Duration           // 0: nobody watches
	stopping sync.Once
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
	if err := n.tell(ready); err != nil {
		return fmt.Errorf("tell the service manager that the service is ready: %w", err)
	}
	return nil
}

// Stop says that the service is about to end. Run does so when its context
// ends.
func (n *Notifier) Stop() {
	n.stopping.Do(func() { _ = n.tell(stopping) }) // the end itself is seen anyway
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
			if n.show(oneLine(a+b)) == nil { // else again in a moment
				news, rest, last = a, b, time.Now()
			}
		}
		select {
		case <-ctx.Done():
			_ = n.show("stopping") // the end itself is seen anyway
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
			if err = n.tell(alive); err != nil {
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
