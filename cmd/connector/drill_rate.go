package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"ad-ldap-connector/pkg/sandbox"
)

// A rateTry is one login of a load at a steady rate, in time since it began.
type rateTry struct {
	begun, ended time.Duration
	outcome      int
	by           int   // the node that answered, -1: none
	asked        []int // those that were asked, in order
}

// A rateLoad begins so many logins a second, whatever becomes of those before:
// as users do.
type rateLoad struct {
	cloud *sandbox.Cloud
	node  func(remote string) int
	start time.Time
	stop  context.CancelFunc
	wait  sync.WaitGroup
	slots chan struct{}

	mu     sync.Mutex
	tries  []rateTry
	reason map[string]int // of the faults, and of wrong answers
	held   int            // logins that had to wait, because too many were under way
}

const (
	rateBeat = 5 * time.Millisecond
	rateMost = 900 // logins at a time: fewer than the tenant takes
)

// startRate starts a load. Node says whose address one is.
func startRate(ctx context.Context, cloud *sandbox.Cloud, perSecond int, node func(remote string) int) *rateLoad {
	l := &rateLoad{cloud: cloud, node: node, start: time.Now(), slots: make(chan struct{}, rateMost), reason: map[string]int{}}
	ctx, l.stop = context.WithCancel(ctx)
	l.wait.Go(func() {
		beat := time.NewTicker(rateBeat)
		defer beat.Stop()
		for dealt := 0; ; {
			select {
			case <-beat.C:
			case <-ctx.Done():
				return
			}
			for due := int(l.now().Seconds() * float64(perSecond)); dealt < due; dealt++ {
				if !l.begin(ctx) {
					return
				}
			}
		}
	})
	return l
}

// begin begins one login, as soon as there is room for it.
func (l *rateLoad) begin(ctx context.Context) bool {
	select {
	case l.slots <- struct{}{}:
	default:
		l.mu.Lock()
		l.held++
		l.mu.Unlock()
		select {
		case l.slots <- struct{}{}:
		case <-ctx.Done():
			return false
		}
	}
	l.wait.Go(func() {
		defer func() { <-l.slots }()
		l.login(rand.IntN(drillUsers), rand.IntN(8) > 0)
	})
	return true
}

// end begins no more logins, and waits for those under way.
func (l *rateLoad) end() {
	l.stop()
	l.wait.Wait()
}

func (l *rateLoad) now() time.Duration { return time.Since(l.start) }

func (l *rateLoad) login(user int, right bool) {
	ctx, cancel := context.WithTimeout(context.Background(), drillPatience) // its own: what is under way is waited for
	defer cancel()
	r := sandbox.Request{Username: sandbox.GeneratedUser(user), Password: sandbox.GeneratedPassword(user)}
	if !right {
		r.Password = "not-the-password"
	}
	t, why := rateTry{begun: l.now(), outcome: wasLost, by: -1}, ""
	answer, err := l.cloud.Request(ctx, "authenticate_user", r)
	t.ended = l.now()
	if err == nil {
		t.by = l.node(answer.Remote)
		for _, remote := range answer.Asked {
			t.asked = append(t.asked, l.node(remote))
		}
		if t.outcome, why = judgeAnswer(answer.Reply, right); t.outcome == wasAccepted && !strings.Contains(string(answer.Reply), `"`+r.Username+`"`) {
			t.outcome, why = wasWrong, "the profile of somebody else"
		}
	} else if !errors.Is(err, sandbox.ErrNoAnswer) {
		why = err.Error()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tries = append(l.tries, t)
	if why != "" && (l.reason[why] > 0 || len(l.reason) < 20) {
		l.reason[why]++
	}
}

// reasons are why logins failed, the most frequent first.
func (l *rateLoad) reasons() (all []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for why := range l.reason {
		all = append(all, why)
	}
	slices.SortFunc(all, func(a, b string) int { return l.reason[b] - l.reason[a] })
	return all
}
