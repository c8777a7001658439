package hub

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ad-ldap-connector/pkg/identity"
)

// TestNothingIsLostToAnHeir: what the hub has sent before it heard that a link
// ends is answered, by the one that comes after.
func TestNothingIsLostToAnHeir(t *testing.T) {
	work := make(chan struct{})
	h := &people{}
	bubble(t, h, nil, func(t *testing.T, hub *rawHub, old *Client, _ *states, stopOld func()) {
		work = make(chan struct{}) // of this bubble
		h.authenticate = func(_ context.Context, c identity.Credentials) (identity.Profile, error) {
			if c.Username == "slow" {
				<-work
			}
			return profile(`{"id":"jane"}`), nil
		}
		former := hub.accept(t)
		o := options("http://hub.example", new(diary))
		o.HTTP = hub.client()
		next, stopNext := start(t, h, o)
		defer stopNext()
		current := hub.accept(t)
		atCurrent, _ := minded(current)
		login := func(pid, user string) string {
			return ask("authenticate_user", fmt.Sprintf(`{"pid":%q,"username":%q,"password":"secret"}`, pid, user))
		}
		answer := func(pid string) string { return `{"n":"` + pid + `_result","p":{"profile":{"id":"jane"}}}` }

		former.text(t, login("first", "slow"))
		synctest.Wait()
		old.Leave(next)
		ended := make(chan struct{})
		go func() { stopOld(); close(ended) }()
		synctest.Wait()
		former.text(t, login("second", "jane")) // it still serves: one is at work
		if got := former.hear(t); got != answer("second") {
			t.Errorf("while the first is at work: %s", got)
		}
		work <- struct{}{}
		if got := former.hear(t); got != answer("first") {
			t.Errorf("the first: %s", got)
		}
		sleep(t.Context(), 10*lullEvery)
		// The close frame waits in the pipe; the hub has not read it, and asks on.
		for i := range 20 {
			pid := fmt.Sprint("late", i)
			former.text(t, login(pid, "jane"))
			if got := heard(t, atCurrent); got != answer(pid) {
				t.Errorf("too late for the old one: %s", got)
			}
		}
		former.farewell(t)
		_ = former.Close() // the client may have been faster
		<-ended
		if old.Accepted() || !next.Accepted() {
			t.Errorf("accepted: the old one %t, the next one %t", old.Accepted(), next.Accepted())
		}
	})
}

// TestALoadWithoutPauses: where something is always at work, what comes is
// handed on after a while, and the replies to what is at work still go out.
func TestALoadWithoutPauses(t *testing.T) {
	h := &people{}
	bubble(t, h, func(o *Options) { o.Drain = 10 * time.Second }, func(t *testing.T, hub *rawHub, old *Client, _ *states, stopOld func()) {
		work := make(chan struct{})
		h.authenticate = func(_ context.Context, c identity.Credentials) (identity.Profile, error) {
			if c.Username == "slow" {
				<-work
			}
			return profile(`{"id":"jane"}`), nil
		}
		former := hub.accept(t)
		atFormer, gone := minded(former)
		o := options("http://hub.example", new(diary))
		o.HTTP = hub.client()
		next, stopNext := start(t, h, o)
		defer stopNext()
		atCurrent, _ := minded(hub.accept(t))
		former.text(t, ask("authenticate_user", `{"pid":"slow","username":"slow","password":"secret"}`))
		former.text(t, ask("authenticate_user", `{"pid":"orphan","username":"slow","password":"secret"}`))
		synctest.Wait()
		old.Leave(next)
		go stopOld()
		sleep(t.Context(), lullWithin+time.Second)
		former.text(t, ask("authenticate_user", `{"pid":"after","username":"jane","password":"secret"}`))
		if got := heard(t, atCurrent); !strings.HasPrefix(got, `{"n":"after_result","p":{"profile"`) {
			t.Errorf("what came after a while: %s", got)
		}
		work <- struct{}{}
		if got := heard(t, atFormer); !strings.Contains(got, `_result","p":{"profile"`) {
			t.Errorf("what was at work: %s", got)
		}
		_ = former.Close() // the hub is faster
		<-gone
		synctest.Wait()
		work <- struct{}{}
		if got := heard(t, atCurrent); !strings.Contains(got, `_result","p":{"profile"`) {
			t.Errorf("what was at work when the link ended: %s", got)
		}
		stopOld()
	})
}

// TestAHubThatDoesNotPart is left without its farewell.
func TestAHubThatDoesNotPart(t *testing.T) {
	for name, reads := range map[string]bool{"it reads": true, "it hangs": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, &people{}, nil, func(t *testing.T, hub *rawHub, old *Client, _ *states, stop func()) {
				l := hub.accept(t)
				if reads {
					go func() {
						for {
							if _, _, err := l.read(); err != nil {
								return
							}
						}
					}()
				}
				old.Leave(old) // it does not matter who
				begun := time.Now()
				stop()
				if took := time.Since(begun); took > partingTime+time.Second {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}
