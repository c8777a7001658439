package hub

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	watchEvery = 5 * time.Second
	// missed is how late a look at the watch must be for the process to have
	// been stopped: a busy machine is not that busy.
	missed = 15 * time.Second
	// wake is for how long after that what is lost is lost because of it: the
	// hub's farewell has been waiting in the socket.
	wake = 5 * time.Second
)

// A watch finds out that this process did not run for a while: it was stopped,
// or the machine was, and the hub has given its links up meanwhile.
type watch struct {
	looked atomic.Int64 // when it was looked at last, in ns of the machine's clock; 0: never
	woke   atomic.Int64 // when the process was seen to run again
}

// run looks at the watch until ctx ends.
func (w *watch) run(ctx context.Context) {
	for w.look(); sleep(ctx, watchEvery); {
		w.look()
	}
}

// look takes the machine's clock, which goes on while the machine sleeps; Go's
// monotonic one may not.
func (w *watch) look() {
	now := time.Now().UnixNano()
	if before := w.looked.Swap(now); before != 0 && now-before > int64(missed) {
		w.woke.Store(now)
	}
}

// stopped reports whether the process has just been stopped. It may be asked
// before the watch has noticed.
func (w *watch) stopped() bool {
	w.look()
	woke := w.woke.Load()
	return woke != 0 && time.Now().UnixNano()-woke < int64(wake)
}
