package tenant

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

// A Clock is one reading of the tenant's clock.
type Clock struct {
	Time      time.Time     // the tenant's, at the middle of the round trip
	Offset    time.Duration // the tenant's clock minus ours: positive when ours is behind
	RoundTrip time.Duration // twice the uncertainty of Offset, at most
}

// Clock reads the tenant's clock once: GET https://HOST/test. The way there and
// the way back are taken to be equally long, and name lookup, connecting and
// TLS are not counted. Who wants a better value takes the sample with the
// shortest RoundTrip of several. The error is an *Error, of CauseClock when the
// answer tells no time.
func (c *Client) Clock(ctx context.Context, t Ticket) (Clock, error) {
	const doing = "read the tenant's clock"
	watch := stopwatch{now: c.now}
	a, err := c.do(watch.trace(ctx), doing, t, http.MethodGet, t.test(), nil)
	if err != nil {
		return Clock{}, err
	}
	var said struct{ Clock any }
	if err := a.decode(doing, t, &said); err != nil {
		return Clock{}, err
	}
	ms, ok := said.Clock.(float64) // exact for some 285,000 years
	if !ok || ms < earliest || ms > latest {
		err := errors.New("the answer has no clock")
		if said.Clock != nil {
			err = errors.New("the answer's clock is not in milliseconds since 1970")
		}
		return Clock{}, &Error{Doing: doing, Host: t.Host(), Cause: CauseClock, Err: err}
	}
	tenant := time.UnixMicro(int64(ms * 1000)).UTC()
	middle, took := watch.middle()
	return Clock{Time: tenant, Offset: tenant.Sub(middle), RoundTrip: took}, nil
}

// The times that a clock may tell, in milliseconds: what is outside was meant
// in another unit. They are in the years 2001 and 5138.
const (
	earliest = 1e12
	latest   = 1e14
)

// A stopwatch notes when a request's connection stood and when the first byte
// of the answer came.
type stopwatch struct {
	now func() time.Time

	mu         sync.Mutex // the transport's goroutines call back
	sent, came time.Time
}

func (w *stopwatch) trace(ctx context.Context) context.Context {
	w.sent = w.now()
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.sent, w.came = w.now(), time.Time{}
		},
		GotFirstResponseByte: func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.came = w.now()
		},
	})
}

func (w *stopwatch) middle() (time.Time, time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.came.IsZero() { // a transport that traces nothing
		w.came = w.now()
	}
	took := max(w.came.Sub(w.sent), 0)
	return w.sent.Add(took / 2), took
}
