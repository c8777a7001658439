package directory

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// A conn is one connection to one server. The library knows no contexts: a
// request that is given up stays outstanding until the connection ends, and so
// a conn on which that happened is not used again.
type conn struct {
	server *server
	ldap   *ldap.Conn
	line   *line
	wire   *wire
	secure bool      // TLS
	opened time.Time // real, as the deadlines of the operations are
	seq    uint64    // how many were opened before it
	forget func()
	slot   *slot // of a shared pool

	// watch is called when an operation is not answered for a while, with a
	// context that ends with the operation; nil for nobody.
	watch func(context.Context, *conn)

	searches atomic.Bool // it is ready for searches, now and later
	ended    atomic.Bool

	mu      sync.Mutex
	live    int  // operations under way whose callers still wait
	retired bool // ends with the last of them
	used    time.Time
}

// line is the socket below the library. A write that the peer does not take
// would hold up the library's only loop, and with it every operation of the
// connection, for ever: so each has its time.
type line struct {
	net.Conn
	tcp    net.Conn // the same without TLS, whose Close may wait to say goodbye
	writes atomic.Uint64
	broken atomic.Bool           // what was written did not go out
	gauge  gauge                 // of what is read, by one goroutine at a time
	beyond atomic.Bool           // the bounds of the gauge
	ending atomic.Pointer[error] // why nothing can be read any more
}

// Read keeps from the library what it would drown in.
func (l *line) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	if fault := l.gauge.pass(b[:n]); fault != nil {
		l.beyond.Store(true)
		return 0, fault
	}
	if err != nil {
		l.ending.CompareAndSwap(nil, &err)
	}
	return n, err
}

func (l *line) Write(b []byte) (int, error) {
	l.writes.Add(1)
	if err := l.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		l.broken.Store(true)
		return 0, err
	}
	n, err := l.Conn.Write(b)
	if err != nil {
		l.broken.Store(true)
	}
	return n, err
}

// wire is the socket itself. It knows when the peer was last heard of.
type wire struct {
	net.Conn
	server   *server
	heard    moment
	patience time.Duration // for an answer to each thing written; 0 without end
}

// A moment is when something last happened, by the clock that only goes on: what
// is done to the machine's time must not make a server look silent, or alive.
type moment struct{ since atomic.Int64 } // start, in nanoseconds

var start = time.Now()

func (m *moment) set() { m.since.Store(int64(time.Since(start))) }

// time is long ago when it never happened.
func (m *moment) time() time.Time {
	if since := m.since.Load(); since != 0 {
		return start.Add(time.Duration(since))
	}
	return time.Time{}
}

func (w *wire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if n > 0 {
		w.heard.set()
		w.server.heard.set()
	}
	if w.patience > 0 && errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("no answer within %s", w.patience)
	}
	return n, err
}

func (w *wire) Write(b []byte) (int, error) {
	if w.patience > 0 {
		if err := w.SetReadDeadline(time.Now().Add(w.patience)); err != nil {
			return 0, err
		}
	}
	return w.Conn.Write(b)
}

// kill ends the connection and, soon after, whatever waits for it.
func (c *conn) kill() {
	if c.ended.Swap(true) {
		return
	}
	// The error of closing a socket that is given up says nothing.
	_ = c.line.tcp.Close()
	if c.forget != nil {
		c.forget()
	}
}

// dead reports whether either side has ended the connection.
func (c *conn) dead() bool { return c.ended.Load() || c.ldap.IsClosing() }

// idleSince returns for how long nothing has used the connection.
func (c *conn) idleSince(now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.live > 0 || c.used.IsZero() {
		return 0
	}
	return now.Sub(c.used)
}

// take counts an operation in, unless the connection is retired.
func (c *conn) take() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.retired {
		return false
	}
	c.live++
	return true
}

// done counts an operation out.
func (c *conn) done(now time.Time) {
	c.mu.Lock()
	c.live--
	c.used = now
	last := c.retired && c.live == 0
	c.mu.Unlock()
	if last {
		c.kill()
	}
}

// retire lets no new operation in, and ends the connection with the last one
// under way. Each has its deadline, so that comes.
func (c *conn) retire() {
	c.mu.Lock()
	c.retired = true
	idle := c.live == 0
	c.mu.Unlock()
	if idle {
		c.kill()
	}
}

// watched has an operation watched that is not answered for a while, until what
// it returns is called.
func (c *conn) watched(ctx context.Context) (stop func()) {
	if c.watch == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	timer := time.AfterFunc(patience, func() { c.watch(ctx, c) })
	return func() {
		timer.Stop()
		cancel()
	}
}

// multiplex runs one operation among others on a connection, and waits for it
// no longer than ctx. An operation that is given up goes on until the
// connection ends; its result is dropped.
func multiplex[T any](ctx context.Context, cn *conn, op func(*ldap.Conn) (T, error)) (T, error) {
	defer cn.watched(ctx)()
	return meanwhile(ctx, cn, op)
}

// meanwhile is multiplex for what watches over others itself.
func meanwhile[T any](ctx context.Context, cn *conn, op func(*ldap.Conn) (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() { done <- o }()
		defer cn.judge(&o.err)
		defer guard(&o.err)
		o.value, o.err = op(cn.ldap)
		o.err = cn.line.because(o.err)
	}()
	select {
	case o := <-done:
		return o.value, o.err
	case <-ctx.Done():
		var none T
		return none, givenUp(ctx)
	}
}

// alone runs the only operation of a connection, and ends the connection when
// ctx is over before.
func alone[T any](ctx context.Context, cn *conn, op func(*ldap.Conn) (T, error)) (value T, err error) {
	defer cn.watched(ctx)()
	stop := context.AfterFunc(ctx, cn.kill)
	defer func() {
		if !stop() && err != nil {
			err = givenUp(ctx)
		}
	}()
	defer cn.judge(&err)
	defer guard(&err)
	value, err = op(cn.ldap)
	return value, cn.line.because(err)
}

// because gives the error of an operation on a connection that ended the cause
// that the library drops when that was before it had sent anything: a server's
// TLS alert, say.
func (l *line) because(err error) error {
	ending := l.ending.Load()
	if ending == nil || !lost(err) || inWords(clean(bare(err).Error())) != wasLost {
		return err
	}
	return ldap.NewError(ldap.ErrorNetwork, fmt.Errorf("%s: %w", wasLost, *ending))
}

// A garbled error is an answer that cannot be read: something was done, and it
// cannot be told what.
type garbled struct{ error }

func (g *garbled) Unwrap() error { return g.error }

// judge tells an answer that cannot be read from none: the connection is there
// still.
func (c *conn) judge(err *error) {
	if lost(*err) && !errors.Is(*err, ldap.ErrSizeLimitExceeded) && (c.line.beyond.Load() || !c.dead() && !c.line.broken.Load()) {
		*err = &garbled{*err}
	}
}

// givenUp is the error of an operation whose ctx is over: the reason why, which
// is always known as a loss of time or patience and never of the connection.
func givenUp(ctx context.Context) error {
	cause := context.Cause(ctx)
	if timedOut(cause) {
		return cause
	}
	return fmt.Errorf("%w: %w", ctx.Err(), cause)
}

// guard turns a panic of the library over a server's bytes into an error.
func guard(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("the server's answer cannot be read: %v", r)
	}
}
