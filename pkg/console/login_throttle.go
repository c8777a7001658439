package console

import "time"

// Wrong passwords: so many at once are a typing error; then each takes longer,
// up to a bound. It is one count for all: on loopback everybody has the same
// address, and a one-time link gets in all the same.
const (
	freeTries    = 5
	firstWait    = 2 * time.Second
	longestWait  = 5 * time.Minute
	forgivenIn   = 30 * time.Minute
	atOnceChecks = 1 // passwords that are being compared: each takes 19 MiB
)

// A throttle makes guessing slow. Its owner has the lock.
type throttle struct {
	now   func() time.Time
	wrong int
	last  time.Time // when it was wrong
	busy  int
}

// enter begins a try, or says how long to wait for the next one.
func (t *throttle) enter() (wait time.Duration) {
	now := t.now()
	if t.wrong > 0 && now.Sub(t.last) > forgivenIn {
		t.wrong = 0
	}
	if t.busy >= atOnceChecks {
		return time.Second
	}
	if t.wrong >= freeTries {
		pause := longestWait
		if n := t.wrong - freeTries; n < 8 {
			pause = min(longestWait, firstWait<<n)
		}
		if wait = t.last.Add(pause).Sub(now); wait > 0 && wait <= longestWait {
			return wait
		}
	}
	t.busy++
	return 0
}

// leave ends a try.
func (t *throttle) leave(right bool) {
	t.busy--
	if right {
		t.wrong = 0
		return
	}
	t.wrong++
	t.last = t.now()
}
