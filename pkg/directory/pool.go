package directory

import (
	"context"
	"slices"
	"sync"
	"time"
)

// An opener is what the pools of one server have in common.
type opener struct {
	open    func(context.Context) (*conn, error)
	stale   func(*conn) bool // whether an idle connection should not be used again
	avoided func() error     // why the server should not be waited for; nil when it may be
}

// shared hands out connections that carry many operations at once, as LDAP
// allows for all but binds (RFC 4511, section 3.1).
type shared struct {
	opener
	permits chan struct{}

	mu    sync.Mutex
	slots []*slot
}

// A slot holds one connection, opened by whoever needs it first.
type slot struct {
	load int           // operations under way or waiting for the connection; guarded by the pool
	door chan struct{} // holds a token while somebody opens the connection

	mu     sync.Mutex
	conn   *conn
	tries  uint64 // how often somebody has begun to open it
	failed uint64 // the last of them that failed, and how
	err    error
}

func newShared(o opener) *shared {
	p := &shared{opener: o, permits: make(chan struct{}, searchMost*searchLoad)}
	for range searchConns {
		p.slots = append(p.slots, newSlot())
	}
	return p
}

func newSlot() *slot { return &slot{door: make(chan struct{}, 1)} }

// enter waits for its turn and chooses the least busy slot.
func (p *shared) enter(ctx context.Context) (*slot, error) {
	select {
	case p.permits <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	best := p.slots[0]
	for _, s := range p.slots[1:] {
		if s.load < best.load {
			best = s
		}
	}
	if best.load >= searchLoad && len(p.slots) < searchMost {
		best = newSlot()
		p.slots = append(p.slots, best)
	}
	best.load++
	return best, nil
}

func (p *shared) leave(s *slot) {
	p.mu.Lock()
	s.load--
	p.mu.Unlock()
	<-p.permits
}

// get returns a connection that was opened after the first so many, and counts
// an operation in. Whoever calls it calls put.
func (p *shared) get(ctx context.Context, after uint64) (*conn, error) {
	s, err := p.enter(ctx)
	if err != nil {
		return nil, err
	}
	cn, err := p.connect(ctx, s, after)
	if err != nil {
		p.leave(s)
	}
	return cn, err
}

func (p *shared) connect(ctx context.Context, s *slot, after uint64) (*conn, error) {
	cn, tries := p.usable(s, after)
	if cn != nil {
		return cn, nil
	}
	select {
	case s.door <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { <-s.door }()
	if cn, _ = p.usable(s, after); cn != nil {
		return cn, nil
	}
	if err := s.failedSince(tries); err != nil {
		return nil, err
	}
	if err := p.avoided(); err != nil {
		return nil, err
	}
	s.begin()
	cn, err := p.open(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		if ctx.Err() == nil { // not just one caller's impatience
			s.failed, s.err = s.tries, err
		}
		return nil, err
	}
	cn.slot = s
	cn.take()
	s.conn = cn
	return cn, nil
}

func (s *slot) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tries++
}

// failedSince returns what came of another's try that began while this one
// waited: it is good for both. Else each of those who wait would wait for the
// same dead server in turn.
func (s *slot) failedSince(tries uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed > tries {
		return s.err
	}
	return nil
}

// usable returns the slot's connection, with an operation counted in, or nil
// and how many tries to open one there have been.
func (p *shared) usable(s *slot, after uint64) (*conn, uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return nil, s.tries
	}
	if !p.stale(s.conn) && s.conn.seq > after && s.conn.take() {
		return s.conn, 0
	}
	s.conn.retire()
	s.conn = nil
	return nil, s.tries
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
	p.leave(cn.slot)
}

// prune ends connections that are not to be used again.
func (p *shared) prune() {
	p.mu.Lock()
	slots := slices.Clone(p.slots)
	p.mu.Unlock()
	for _, s := range slots {
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
	opener
	permits chan struct{}

	mu   sync.Mutex
	idle []*conn // the last one used is the next one used
}

func newExclusive(n int, o opener) *exclusive {
	return &exclusive{opener: o, permits: make(chan struct{}, n)}
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
	err := p.avoided()
	if err == nil {
		var cn *conn
		if cn, err = p.open(ctx); err == nil {
			return cn, nil
		}
	}
	<-p.permits
	return nil, err
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
	cn.mu.Lock()
	cn.used = now
	cn.mu.Unlock()
	if p.stale(cn) {
		cn.kill()
	} else {
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
