package main

import (
	"context"
	"net"
	"sync"
	"time"
)

// A spot is what is listened for, and where: the address as it is configured.
type spot struct {
	Name string `json:"name"`
	Addr string `json:"addr"`
}

// listeners are the sockets that cannot be had twice. They belong to the
// process, and are lent to one node after the other, also to two at a time:
// each connection goes to either of them.
type listeners struct {
	mu  sync.Mutex
	all map[spot]*lent
}

func newListeners() *listeners { return &listeners{all: map[spot]*lent{}} }

// open returns a listener of its own for the borrower, whose closing closes no
// socket. The socket is opened if it is not there yet.
func (l *listeners) open(ctx context.Context, name, addr string) (net.Listener, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := spot{name, addr}
	if l.all[at] == nil {
		ln, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
		if err != nil {
			return nil, err
		}
		l.all[at] = lend(ln)
	}
	s := l.all[at]
	s.start()
	s.borrowers++
	return &borrowed{lent: s, closed: make(chan struct{}), back: func() { l.back(s) }}, nil
}

// adopt takes in a socket that another process has opened.
func (l *listeners) adopt(at spot, ln net.Listener) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if former := l.all[at]; former != nil {
		former.close()
	}
	l.all[at] = lend(ln)
}

func (l *listeners) back(s *lent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.borrowers--
}

// settle closes the sockets that nobody has borrowed: those of an address that
// is no longer the configured one.
func (l *listeners) settle() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for at, s := range l.all {
		if s.borrowers == 0 {
			s.close()
			delete(l.all, at)
		}
	}
}

// close closes all. What they have accepted is still served by the borrowers.
func (l *listeners) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for at, s := range l.all {
		s.close()
		delete(l.all, at)
	}
}

// each gives the sockets to do, until one of them is an error.
func (l *listeners) each(do func(spot, net.Listener) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for at, s := range l.all {
		if err := do(at, s.ln); err != nil {
			return err
		}
	}
	return nil
}

// A lent listener accepts for all who have borrowed it.
type lent struct {
	ln        net.Listener
	accepted  chan accepted
	begin     sync.Once
	once      sync.Once
	closing   chan struct{} // closed with the socket
	ended     chan struct{} // closed when nothing more will be accepted
	borrowers int           // guarded by listeners.mu
}

type accepted struct {
	conn net.Conn
	err  error
}

// strandedWithin is how long a connection that was accepted at the very end
// waits for somebody to serve it.
const strandedWithin = time.Second

func lend(ln net.Listener) *lent {
	return &lent{ln: ln, accepted: make(chan accepted), closing: make(chan struct{}), ended: make(chan struct{})}
}

// start accepts from now on. Until somebody has borrowed the socket that is the
// business of the process that it comes from: what this one took would be lost
// with it, should it never come to serve.
func (s *lent) start() { s.begin.Do(func() { go s.accept() }) }

func (s *lent) close() {
	s.once.Do(func() {
		close(s.closing)
		_ = s.ln.Close()                      // it has no more to say
		s.begin.Do(func() { close(s.ended) }) // it never began
	})
}

// accept runs until the socket is closed. Errors, such as no descriptor being
// left, are the borrowers', who know to wait.
func (s *lent) accept() {
	defer close(s.ended)
	for {
		conn, err := s.ln.Accept()
		select {
		case s.accepted <- accepted{conn, err}: // between two nodes this waits
			continue
		case <-s.closing:
		}
		if conn == nil {
			return
		}
		select {
		case s.accepted <- accepted{conn, err}:
		case <-time.After(strandedWithin):
			_ = conn.Close() // nobody is left to serve it
		}
	}
}

// A borrowed listener is one node's.
type borrowed struct {
	lent   *lent
	once   sync.Once
	closed chan struct{}
	back   func()
}

// Accept waits for a connection that no other borrower has got.
func (b *borrowed) Accept() (net.Conn, error) {
	select {
	case <-b.closed:
		return b.last()
	default:
	}
	select {
	case a := <-b.lent.accepted:
		return a.conn, a.err
	case <-b.closed:
		return b.last()
	case <-b.lent.ended:
	}
	return nil, net.ErrClosed
}

// last is what a borrower still gets that has given the listener back: what was
// accepted before the socket was closed is for nobody else. While it is not, the
// next borrower takes it.
func (b *borrowed) last() (net.Conn, error) {
	select {
	case <-b.lent.closing:
	default:
		return nil, net.ErrClosed
	}
	select {
	case a := <-b.lent.accepted:
		return a.conn, a.err
	case <-b.lent.ended:
	}
	return nil, net.ErrClosed
}

// Close gives it back.
func (b *borrowed) Close() error {
	b.once.Do(func() {
		close(b.closed)
		b.back()
	})
	return nil
}

// Addr is where the socket listens.
func (b *borrowed) Addr() net.Addr { return b.lent.ln.Addr() }
