package directory

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// shared hands out connections that carry many operations at once, as LDAP
// allows for all but binds (RFC 4511, section 3.1).
type shared struct {
	open  func(context.Context) (*conn, error)
	stale func(*conn) bool
	slots []slot
	next  atomic.Uint32
}

// A slot holds one connection, opened by whoever needs it first.
type slot struct {
	door chan struct{} // holds a token while somebody opens the connection

	mu    sync.Mutex
	conn  *conn
	fails uint64
	err   error // of the last failure
}

func newShared(n int, open func(context.Context) (*conn, error), stale func(*conn) bool) *shared {
	p := &shared{open: open, stale: stale, slots: make([]slot, n)}
	for i := range p.slots {
		p.slots[i].door = make(chan struct{}, 1)
	}
	return p
}

// get returns a connection that was opened after the first so many, and counts
// an operation in. Whoever calls it calls put.
func (p *shared) get(ctx context.Context, after uint64) (*conn, error) {
	s := &p.slots[p.next.Add(1)%uint32(len(p.slots))]
	cn, fails := p.usable(s, after)
	if cn != nil {
		return cn, nil
	}
	select {
	case s.door <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { <-s.door }()
	// What came of another's opening while this one waited is good for both:
	// else each of those who wait would wait for the same dead server in turn.
	cn, failsNow := p.usable(s, after)
	if cn != nil {
		return cn, nil
	}
	if failsNow != fails {
		s.mu.Lock()
		defer s.mu.Unlock()
		return nil, s.err
	}
	cn, err := p.open(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		if ctx.Err() == nil { // not just one caller's impatience
			s.fails++
			s.err = err
		}
		return nil, err
	}
	cn.take()
	s.conn = cn
	return cn, nil
}

// usable returns the slot's connection, with an operation counted in, or nil.
func (p *shared) usable(s *slot, after uint64) (*conn, uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return nil, s.fails
	}
	if !p.stale(s.conn) && s.conn.seq > after && s.conn.take() {
		return s.conn, s.fails
	}
	s.conn.retire()
	s.conn = nil
	return nil, s.fails
}

// put counts the operation out. A connection that was lost, or that owes an
// answer nobody waits for, is not handed out again.
func (p *shared) put(cn *conn, err error, now time.Time) {
	switch {
	case lost(err):
		cn.kill()
	case timedOut(err):
		cn.retire()
	}
	cn.done(now)
}

// prune ends connections that are not to be used again.
func (p *shared) prune() {
	for i := range p.slots {
		s := &p.slots[i]
		s.mu.Lock()
		if s.conn != nil && p.stale(s.conn) {
			s.conn.retire()
			s.conn = nil
		}
		s.mu.Unlock()
	}
}

// exclusive hands out connections that carry one operation at a time: binds,
// and what must not meet others.
type exclusive struct {
	open    func(context.Context) (*conn, error)
	stale   func(*conn) bool
	permits chan struct{}

	mu   sync.Mutex
	idle []*conn // the last one used is the next one used
}

func newExclusive(n int, open func(context.Context) (*conn, error), stale func(*conn) bool) *exclusive {
	return &exclusive{open: open, stale: stale, permits: make(chan struct{}, n)}
}

// get waits for its turn and returns a connection that was opened after the
// first so many. Whoever calls it calls put.
func (p *exclusive) get(ctx context.Context, after uint64) (*conn, error) {
	select {
	case p.permits <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	for cn := p.pop(); cn != nil; cn = p.pop() {
		if !p.stale(cn) && cn.seq > after {
			return cn, nil
		}
		cn.kill()
	}
	cn, err := p.open(ctx)
	if err != nil {
		<-p.permits
		return nil, err
	}
	return cn, nil
}

func (p *exclusive) pop() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == 0 {
		return nil
	}
	cn := p.idle[len(p.idle)-1]
	p.idle = p.idle[:len(p.idle)-1]
	return cn
}

// put gives the connection back.
func (p *exclusive) put(cn *conn, err error, now time.Time) {
	if lost(err) || timedOut(err) {
		cn.kill()
	}
	if !cn.dead() {
		cn.mu.Lock()
		cn.used = now
		cn.mu.Unlock()
		p.mu.Lock()
		p.idle = append(p.idle, cn)
		p.mu.Unlock()
	}
	<-p.permits
}

// prune ends idle connections that are not to be used again.
func (p *exclusive) prune() {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, cn := range idle {
		if p.stale(cn) {
			cn.kill()
			continue
		}
		p.mu.Lock()
		p.idle = append(p.idle, cn)
		p.mu.Unlock()
	}
}
