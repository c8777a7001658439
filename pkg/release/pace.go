package release

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// errNoAnswer ends a request that nobody answers.
var errNoAnswer = errors.New("no answer")

// A slowError ends a body that comes too slowly.
type slowError struct {
	text      string
	transient bool // the line may have broken without a word
}

func (e *slowError) Error() string { return e.text }

// watched is a body that ends when no octet comes for a while, or too few do.
// Only time spent on waiting for it counts: our disk may be slow, too.
type watched struct {
	io.ReadCloser
	ctx     context.Context
	cancel  context.CancelCauseFunc
	o       Options
	waited  time.Duration // in this window
	arrived int64         // octets in this window
}

func watch(ctx context.Context, body io.ReadCloser, cancel context.CancelCauseFunc, o Options) *watched {
	return &watched{ReadCloser: body, ctx: ctx, cancel: cancel, o: o}
}

func (w *watched) Read(p []byte) (int, error) {
	silent := &slowError{fmt.Sprintf("no octet came for %s", w.o.Idle), true}
	idle := time.AfterFunc(w.o.Idle, func() { w.cancel(silent) })
	began := time.Now()
	n, err := w.ReadCloser.Read(p)
	idle.Stop()
	w.waited += time.Since(began)
	w.arrived += int64(n)
	if slow := (*slowError)(nil); err != nil && errors.As(context.Cause(w.ctx), &slow) {
		return n, slow
	}
	if err == nil && w.waited >= w.o.RateWindow {
		if rate := float64(w.arrived) / w.waited.Seconds(); rate < float64(w.o.MinRate) {
			return n, &slowError{fmt.Sprintf("%.0f octets a second came, and %d are the least to wait for", rate, w.o.MinRate), false}
		}
		w.waited, w.arrived = 0, 0
	}
	return n, err
}

func (w *watched) Close() error {
	w.cancel(nil)
	return w.ReadCloser.Close()
}

// retry does something until it succeeds, fails for good, or has been tried
// often enough in a row, with growing pauses or those that the server wants. Do
// reports whether it got a good piece further, which begins the count anew.
func (o Options) retry(ctx context.Context, doing string, do func() (further bool, err error)) error {
	pause := &backoff.ExponentialBackOff{InitialInterval: o.pause, RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: 30 * o.pause}
	pause.Reset()
	for tried := 1; ; tried++ {
		further, err := do()
		if further {
			tried = 1
			pause.Reset()
		}
		e := (*Error)(nil)
		if err == nil || !errors.As(err, &e) || !e.transient || tried >= o.Tries {
			return err
		}
		timer := time.NewTimer(max(e.after, pause.NextBackOff()))
		select {
		case <-ctx.Done():
			timer.Stop()
			return canceled(ctx, doing, err)
		case <-timer.C:
		}
	}
}
