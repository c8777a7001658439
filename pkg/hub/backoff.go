package hub

import "time"

const (
	firstBackoff  = 500 * time.Millisecond
	firstRejected = 5 * time.Second
	mostRejected  = 60 * time.Second

	// spread is the window in which an agent with one link comes back. A
	// tenant's node that goes away closes the links of all its agents in the
	// same moment, and takes them all again in the next: within half a second
	// they would do to it what made it go away. Of 200 agents that each choose
	// their moment in 18 s, more than 15% meet in some second once in 17,000
	// times; in 15 s it would be once in 600, in 12 s once in 18.
	spread = 18 * time.Second

	// swift is the window for the first link of an agent that keeps two, whose
	// second follows by itself: so many links in all, half of which may come
	// sooner. Of the 400 of 200 agents more than 20% come in some second less
	// than once in 100,000 times, more than 15% once in 8. No window that
	// brings every agent back within 5 s does better than once in 70 by the
	// latter measure, as long as agents know nothing of each other.
	swift = 4500 * time.Millisecond

	// steady is the end of the window, from swift on, for a link that the agent
	// can do without: another one serves, or is about to.
	steady = 15 * time.Second

	// An agent that was stopped itself, with its machine or by a signal, lost
	// its link alone, and is waited for.
	thawed = 500 * time.Millisecond
)

// A backoff says how long to wait before the next attempt to connect.
type backoff struct {
	random     func() float64
	most       time.Duration
	losses     int
	short      int // links in a row that were lost as soon as accepted
	rejections int
}

// next is the wait after an attempt that failed: somewhere between nothing and
// a bound that doubles from half a second to most. All of it is jitter, because
// after an outage of the hub every agent of every tenant comes back at once.
func (b *backoff) next() time.Duration {
	bound := doubled(min(firstBackoff, b.most), b.losses, b.most)
	b.losses++
	return b.jitter(bound)
}

// lost is the wait after the end of a link on which the agent was accepted:
// somewhere in the window from first to last, and attempts after it do not come
// as close to each other as those at a start. The window doubles from the third
// link on that ends as soon as it was accepted: that hub is not to be helped.
func (b *backoff) lost(first, last, lasted time.Duration) time.Duration {
	b.losses = max(b.losses+1, 4)
	if lasted >= brief {
		b.short = 0
	} else if b.short++; b.short > 2 {
		last = doubled(last, b.short-2, b.most)
	}
	last = min(last, b.most)
	first = min(first, last)
	return first + b.jitter(last-first)
}

// rejected is the wait after the hub's no: 5 s, doubling to a minute, less up
// to a fifth. It goes on for ever, because the tenant may learn the agent's
// certificate later.
func (b *backoff) rejected() time.Duration {
	bound := doubled(firstRejected, b.rejections, mostRejected)
	b.rejections++
	return bound - time.Duration(b.random()*float64(bound)/5)
}

// reset forgets the past, after a link that was good.
func (b *backoff) reset() { b.losses, b.short, b.rejections = 0, 0, 0 }

func (b *backoff) jitter(bound time.Duration) time.Duration {
	return time.Duration(b.random() * float64(bound))
}

func doubled(d time.Duration, times int, most time.Duration) time.Duration {
	for ; times > 0 && d < most; times-- {
		d *= 2
	}
	return min(d, most)
}
