package directory

import (
	"context"
	"errors"
	"sync"
	"time"
)

// deniedFor is how long a refused service account is not tried again at first;
// it doubles with each refusal, up to maxPause.
const deniedFor = 30 * time.Second

// letInFor is how long a service account that was let in is taken to be let in
// again: those who bind by then need not do so one after the other.
const letInFor = time.Second

// A denial is what is known of a service account that was refused: it is not
// tried again at once, for a directory would lock it. Clients of the same server
// share one.
type denial struct {
	turn chan struct{} // holds a token while somebody finds out whether the account is let in

	mu    sync.Mutex
	until time.Time // by Options.Now
	pause time.Duration
	err   error
	letIn time.Time // when it was last; real
}

func newDenial() *denial { return &denial{turn: make(chan struct{}, 1)} }

// isDenial reports whether a server does not take the service account, and
// trying again may lock it.
func isDenial(err error) bool {
	var e *saslError
	var k *kerberosError
	if errors.As(err, &k) {
		return k.denied()
	}
	code, message, ok := result(err)
	if !ok || errors.As(err, &e) {
		return false
	}
	// 389 Directory Server says of a locked account that it would not even try.
	_, refused := meaningOf(code, message)
	return refused
}

// bindInTurn binds as the service account. While it is not known whether that
// is let in, one tries, and all others wait for what comes of it: a password
// that was changed is refused once, and not once for each connection that is
// being opened.
func (c *Client) bindInTurn(ctx context.Context, cn *conn) error {
	d := c.denial
	if !d.lately() {
		select {
		case d.turn <- struct{}{}:
		case <-ctx.Done():
			return &Error{Doing: "bind as the service account", Server: cn.server.url, Err: givenUp(ctx)}
		}
		defer d.leave(d.lately())()
		if err := d.recent(c.o.Now()); err != nil {
			return err
		}
	}
	err := c.bindService(ctx, cn)
	d.learn(err, c.o.Now())
	return err
}

// leave gives the turn back: at once when the account is known to be let in, and
// else when what it returns is called.
func (d *denial) leave(known bool) func() {
	if known {
		<-d.turn
		return func() {}
	}
	return func() { <-d.turn }
}

// lately reports whether the account was let in a moment ago.
func (d *denial) lately() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Since(d.letIn) < letInFor
}

// learn remembers what came of a bind.
func (d *denial) learn(err error, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case err == nil:
		d.pause, d.letIn = 0, time.Now()
	case isDenial(err):
		d.pause = min(max(deniedFor, 2*d.pause), maxPause)
		d.until, d.err, d.letIn = now.Add(d.pause), err, time.Time{}
	}
}

// recent returns the refusal for which the account is not to be tried now.
func (d *denial) recent(now time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now.Before(d.until) {
		return d.err
	}
	return nil
}

// forgive lets a refused account be tried at once.
func (d *denial) forgive() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.until = time.Time{}
}
