package hub

import "time"

const (
	firstBackoff  = 500 * time.Millisecond
	firstRejected = 5 * time.Second
	mostRejected  = 60 * time.Second

	// spread is the window in which agents come back that had been accepted. A
	// tenant's node that goes away closes the links of all its agents in the
	// same moment, and takes them all again in the next: within half a second
	// they would do to it what made it go away.
	spread = 15 * time.Second
)

// A backoff says how long to wait before the next attempt to connect.
type backoff struct {
	random     func() float64
	most       time.Duration
	losses     int
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

// lost is the wait after the end of a link on which the agent was accepted. It
// is not shorter for one that did not last, and attempts after it do not come
// as close to each other as those at a start.
func (b *backoff) lost() time.Duration {
	bound := max(doubled(min(firstBackoff, b.most), b.losses, b.most), min(spread, b.most))
	b.losses = max(b.losses+1, 4)
	return b.jitter(bound)
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
func (b *backoff) reset() { b.losses, b.rejections = 0, 0 }

func (b *backoff) jitter(bound time.Duration) time.Duration {
	return time.Duration(b.random() * float64(bound))
}

func doubled(d time.Duration, times int, most time.Duration) time.Duration {
	for ; times > 0 && d < most; times-- {
		d *= 2
	}
	return min(d, most)
}
