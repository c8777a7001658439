package hub

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

// An Heir serves the hub in the place of a client that is about to end: the
// next one of this process, which is a *Client, or one of another process.
type Heir interface {
	// Command takes over a frame of the hub that came too late for us. It does
	// not keep the frame.
	Command(frame []byte)
	// Reply sends a reply for which we have no link any more.
	Reply(ctx context.Context, reply []byte) error
}

var _ Heir = (*Client)(nil)

// Leave says that another one of the same agent has been accepted by the hub,
// before Run's context ends. Then nothing that the hub sends is lost. Run goes
// on with its commands until, for a moment, none is at work, and closes its
// links then. What arrives after that, for the hub learns of the end half a
// round trip later, is given to the heir. So are replies whose link has ended.
func (c *Client) Leave(to Heir) { c.heir.Store(&to) }

// heirs returns the heir, nil if there is none.
func (c *Client) heirs() Heir {
	if to := c.heir.Load(); to != nil {
		return *to
	}
	return nil
}

// Command carries out a command that the hub has sent to a client of the same
// agent that was about to end. The reply leaves on a link of this one.
func (c *Client) Command(text []byte) {
	f, err := decodeFrame(text)
	if err != nil {
		return // it was looked at before it was handed on
	}
	if cmd, ok := commandsByName[f.Name]; ok {
		c.command(nil, cmd, f, text)
	}
}

// Reply sends a reply to a command that another client of the same agent has
// carried out, as soon as there is a link, until ctx ends.
func (c *Client) Reply(ctx context.Context, reply []byte) error { return c.deliver(ctx, nil, reply) }

const (
	// lullWithin is how long a client that has an heir looks for a moment at
	// which nothing is at work. Under a load without pauses there may be none.
	lullWithin = time.Second
	lullEvery  = time.Millisecond
	// partingTime is how long the hub may take to close a link in its turn.
	partingTime = 2 * time.Second
)

// lull admits no more commands from a moment on at which none is at work, or
// once lullWithin is over.
func (c *Client) lull() {
	beat := time.NewTicker(lullEvery)
	defer beat.Stop()
	for end := time.Now().Add(min(lullWithin, c.o.Drain)); time.Now().Before(end); <-beat.C {
		if c.shutIfIdle() {
			return
		}
	}
	c.shut()
}

// shutIfIdle reports whether it admits no more commands, because none is at
// work.
func (c *commands) shutIfIdle() bool {
	c.gate.Lock()
	defer c.gate.Unlock()
	if c.pending.n.Load() > 0 {
		return false
	}
	c.stopped()
	return true
}

// A tally is a WaitGroup that can be asked.
type tally struct {
	wait sync.WaitGroup
	n    atomic.Int64
}

// Add counts n more.
func (t *tally) Add(n int) {
	t.n.Add(int64(n))
	t.wait.Add(n)
}

// Done counts one less.
func (t *tally) Done() {
	t.n.Add(-1)
	t.wait.Done()
}

// Wait waits for the last one.
func (t *tally) Wait() { t.wait.Wait() }

// part closes the link by a close frame, and reads on until the hub has closed
// it too: what the hub has sent before it heard of the end is still taken in.
// The library's own Close throws that away.
func (l *link) part() {
	timer := time.AfterFunc(partingTime, func() { l.end(context.DeadlineExceeded) })
	defer timer.Stop()
	if l.sayClose() == nil {
		<-l.ctx.Done()
	}
	l.close(context.Canceled)
}

var errNoSocket = errors.New("the link's socket is not known")

// sayClose writes a close frame past the library, between two of its frames:
// it gives the socket each control frame, and each end of a message, by one
// write. No message follows.
func (l *link) sayClose() error {
	if l.socket == nil {
		return errNoSocket
	}
	select {
	case l.writer <- struct{}{}:
		defer func() { <-l.writer }()
	case <-l.ctx.Done():
		return context.Cause(l.ctx)
	}
	code := []byte{byte(websocket.StatusNormalClosure >> 8), byte(websocket.StatusNormalClosure & 0xff)}
	mask := make([]byte, 4)
	_, _ = rand.Read(mask) // crypto/rand.Read never fails
	for i := range code {
		code[i] ^= mask[i]
	}
	// RFC 6455, section 5.2: final and close; masked, two octets long.
	if err := l.socket.SetWriteDeadline(time.Now().Add(partingTime)); err != nil {
		return err
	}
	_, err := l.socket.Write(slices.Concat([]byte{0x88, 0x80 | byte(len(code))}, mask, code))
	return err
}
