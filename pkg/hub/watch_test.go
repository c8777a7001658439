package hub

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestAStoppedProcessIsBackAtOnce: nobody else lost a link when this process was
// stopped, and so it does not wait for its moment. Here the clock jumps.
func TestAStoppedProcessIsBackAtOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		asleep, window time.Duration
	}{
		"it was stopped": {time.Minute, thawed},
		"it was busy":    {missed / 2, spread},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, &people{}, nil, func(t *testing.T, hub *rawHub, c *Client, s *states, _ func()) {
				l := hub.accept(t)
				minded(l)
				sleep(t.Context(), 42*time.Second)
				c.watch.looked.Add(-int64(tt.asleep)) // as if the last look were so long ago
				_ = l.Close()                         // to cut it is all
				start := time.Now()
				minded(hub.accept(t))
				if took := time.Since(start); took != tt.window { // luck is at its worst in here
					t.Errorf("back after %v", took)
				}
				sleep(t.Context(), time.Minute) // over and done with
				if c.watch.stopped() {
					t.Error("it is still taken for stopped")
				}
			})
		})
	}
}

// TestAnAttemptThatHungWasAPause: a hub that takes connections and does not
// answer is asked again as soon as the attempt is given up, by then some 20 s
// old; whoever is in the middle of an attempt when the hub is back is in at once.
func TestAnAttemptThatHungWasAPause(t *testing.T) {
	bubble(t, &people{}, nil, func(t *testing.T, hub *rawHub, c *Client, s *states, _ func()) {
		begun := time.Now()
		for range 8 {
			<-hub.conns
		}
		if took := time.Since(begun); took != 7*(handshakeTimeout+firstBackoff) {
			t.Errorf("eight attempts began within %v", took)
		}
		minded(hub.accept(t))
		synctest.Wait()
		if !c.Accepted() {
			t.Error("not accepted")
		}
	})
}
