package main

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ad-ldap-connector/pkg/sandbox"
)

// drillPatience is how long the tenant of a drill waits for the answer to one
// login, whichever agents it has to ask.
const drillPatience = 30 * time.Second

// How a login of a drill ended.
const (
	wasAccepted = iota
	wasRefused  // as it was to be: the password was wrong
	wasFaulted  // an error that says why
	wasWrong    // an answer that is not true
	wasLost     // no answer until the tenant's patience ended
)

// A try is one login of a drill, in time since its load began.
type try struct {
	begun, ended time.Duration
	outcome      int
	special      bool
}

// A drillLoad keeps logins in flight through the hub of a pretend tenant.
type drillLoad struct {
	cloud    *sandbox.Cloud
	start    time.Time
	pace     <-chan struct{} // one token a login; nil: as many as there can be
	special  atomic.Bool     // some log in who are special
	answered atomic.Int64    // good answers until now

	mu     sync.Mutex
	tries  []try
	reason map[string]int // of the faults, and of wrong answers
	wait   sync.WaitGroup
	stop   context.CancelFunc
}

// specialUsers are so many of the last users, who log in on the last eighth of
// the places while special is set.
const specialUsers = 8

func startLoad(ctx context.Context, cloud *sandbox.Cloud, inFlight int, pace <-chan struct{}) *drillLoad {
	l := &drillLoad{cloud: cloud, start: time.Now(), pace: pace, reason: map[string]int{}}
	ctx, l.stop = context.WithCancel(ctx)
	for i := range inFlight {
		place := i * 8 / inFlight
		l.wait.Go(func() { l.work(ctx, place == 7) })
	}
	return l
}

// end takes no more logins, and waits for those in flight.
func (l *drillLoad) end() {
	l.stop()
	l.wait.Wait()
}

func (l *drillLoad) now() time.Duration { return time.Since(l.start) }

func (l *drillLoad) work(ctx context.Context, last bool) {
	for {
		select {
		case <-ctx.Done():
			return
		default:
		}
		if l.pace != nil {
			select {
			case <-l.pace:
			case <-ctx.Done():
				return
			}
		}
		t := try{begun: l.now(), special: last && l.special.Load()}
		user := rand.IntN(drillUsers - specialUsers)
		if t.special {
			user = drillUsers - 1 - rand.IntN(specialUsers)
		}
		var why string
		t.outcome, why = l.login(user, rand.IntN(8) > 0)
		t.ended = l.now()
		if t.outcome <= wasRefused {
			l.answered.Add(1)
		}
		l.mu.Lock()
		l.tries = append(l.tries, t)
		if why != "" && (l.reason[why] > 0 || len(l.reason) < 20) {
			l.reason[why]++
		}
		l.mu.Unlock()
	}
}

// login logs one user in. A tenant without an agent waits for one.
func (l *drillLoad) login(user int, right bool) (outcome int, why string) {
	ctx, cancel := context.WithTimeout(context.Background(), drillPatience) // its own: what is in flight is waited for
	defer cancel()
	r := sandbox.Request{Username: sandbox.GeneratedUser(user), Password: sandbox.GeneratedPassword(user)}
	if !right {
		r.Password = "not-the-password"
	}
	for {
		answer, err := l.cloud.Request(ctx, "authenticate_user", r)
		if err == nil {
			return judgeAnswer(answer.Reply, right)
		}
		if !errors.Is(err, sandbox.ErrNoAgent) {
			return wasLost, ""
		}
		select {
		case <-ctx.Done():
			return wasLost, ""
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func judgeAnswer(reply []byte, right bool) (outcome int, why string) {
	var r struct {
		Err *struct {
			Name, Message string
			Inner         struct {
				Message string `json:"message"`
			} `json:"inner"`
		} `json:"err"`
		Profile map[string]any `json:"profile"`
	}
	if err := json.Unmarshal(reply, &r); err != nil {
		return wasWrong, "not to be read: " + err.Error()
	}
	switch {
	case r.Err == nil && right && len(r.Profile) > 0:
		return wasAccepted, ""
	case r.Err == nil:
		return wasWrong, "a wrong password, or nobody, was accepted"
	case r.Err.Name == "WrongPassword" && !right:
		return wasRefused, ""
	case r.Err.Name != "":
		return wasWrong, "answered with " + r.Err.Name
	case r.Err.Inner.Message != "":
		return wasFaulted, r.Err.Inner.Message
	case r.Err.Message != "":
		return wasFaulted, r.Err.Message
	}
	return wasWrong, "an error without a word"
}

// A outcomes is what became of the logins of a drill.
type outcomes struct {
	accepted, refused, faulted, wrong, lost int
	worst                                   time.Duration // the slowest answer
	special                                 int           // logins of special users
	usual                                   time.Duration // the slowest answer to anybody else
	recovered                               time.Duration // from the fault's end until all answers were good
	lostAfter, faultAfter, faultBefore      int           // begun after the fault's end, or over before its begin
	reasons                                 []string      // the most frequent first
}

// count counts what became of the logins, with a fault between two moments.
func (l *drillLoad) count(begin, end time.Duration) outcomes {
	l.mu.Lock()
	defer l.mu.Unlock()
	var c outcomes
	first, last := time.Duration(-1), time.Duration(0)
	for _, t := range l.tries {
		good := false
		switch t.outcome {
		case wasAccepted:
			c.accepted++
			good = true
		case wasRefused:
			c.refused++
			good = true
		case wasFaulted:
			c.faulted++
		case wasWrong:
			c.wrong++
		case wasLost:
			c.lost++
		}
		if t.outcome != wasLost {
			c.worst = max(c.worst, t.ended-t.begun)
		}
		if t.special {
			c.special++
		} else if t.outcome != wasLost {
			c.usual = max(c.usual, t.ended-t.begun)
		}
		if good && t.ended >= end && (first < 0 || t.ended < first) {
			first = t.ended
		}
		if good {
			continue
		}
		switch {
		case t.begun >= end:
			last = max(last, t.ended)
			if t.outcome == wasLost {
				c.lostAfter++
			} else {
				c.faultAfter++
			}
		case t.ended < begin:
			c.faultBefore++
		}
	}
	c.recovered = max(first, last) - end
	if first < 0 {
		c.recovered = max(l.now()-end, 0) // it never did
	}
	for why := range l.reason {
		c.reasons = append(c.reasons, why)
	}
	slices.SortFunc(c.reasons, func(a, b string) int { return l.reason[b] - l.reason[a] })
	return c
}

// steady reports whether for the last second, and since then at least, there
// were good answers and no others.
func (l *drillLoad) steady(since time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	after, good := max(since, l.now()-time.Second), 0
	for _, t := range slices.Backward(l.tries) {
		if t.ended < after {
			break
		}
		if t.outcome <= wasRefused {
			good++
		} else if t.begun >= since {
			return false
		}
	}
	return good > 0 && l.now()-since >= time.Second
}
