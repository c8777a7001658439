package service

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// A Notifier tells the service manager how the service fares. Without a
// manager that listens, it tells nobody.
type Notifier struct {
	tell     func(message) error
	watchdog time.Duration // 0: nobody watches
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
