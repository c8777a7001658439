package lab

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"
)

// A Proxy stands between a client and a TCP server, and does to what passes
// whatever a network does. What it is told holds for all links, those that
// exist and those to come, unless it says otherwise.
type Proxy struct {
	Addr string // where it listens, on loopback

	t      testing.TB
	target string
	wait   sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener // nil while nobody listens
	changed  chan struct{}
	links    map[*link]struct{}
	opened   int
	delay    time.Duration
	hung     bool // nothing passes
	hungTo   int  // nothing passes on so many links that were opened first
	drip     time.Duration
	cutAfter int // octets of answers until the links are reset; -1 is never
}

// A link is one connection through a proxy.
type link struct {
	p      *Proxy
	number int
	client *net.TCPConn
	done   chan struct{}

	mu     sync.Mutex
	server net.Conn // nil until the proxy has one
	closed bool
}

// NewProxy starts a proxy in front of a server's address, until the test ends.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	p := &Proxy{t: t, target: target, changed: make(chan struct{}), links: map[*link]struct{}{}, cutAfter: -1}
	p.listen("127.0.0.1:0")
	t.Cleanup(func() {
		p.Down()
		p.wait.Wait()
	})
	return p
}

func (p *Proxy) listen(addr string) {
	p.t.Helper()
	var l net.Listener
	Eventually(p.t, "the proxy's port to be free", func() bool { // a connection from it ends soon
		var err error
		l, err = net.Listen("tcp", addr)
		return err == nil
	})
	p.mu.Lock()
	p.listener, p.Addr = l, l.Addr().String()
	p.mu.Unlock()
	p.wait.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.take(c.(*net.TCPConn))
		}
	})
}

func (p *Proxy) take(c *net.TCPConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener == nil {
		reset(c)
		return
	}
	p.opened++
	l := &link{p: p, number: p.opened, client: c, done: make(chan struct{})}
	p.links[l] = struct{}{}
	p.wait.Go(l.run)
}

// change changes what the proxy does, and wakes who waits for that.
func (p *Proxy) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	close(p.changed)
	p.changed = make(chan struct{})
}

// Delay has everything arrive so much later, in each direction.
func (p *Proxy) Delay(each time.Duration) { p.change(func() { p.delay = each }) }

// Drip has answers arrive a few octets at a time, with a pause before each; 0
// ends it.
func (p *Proxy) Drip(pause time.Duration) { p.change(func() { p.drip = pause }) }

// Hang lets nothing pass any more: new connections are taken, and never answered.
func (p *Proxy) Hang() { p.change(func() { p.hung = true }) }

// HangLinks lets nothing pass on the links that exist. New ones work.
func (p *Proxy) HangLinks() { p.change(func() { p.hungTo = p.opened }) }

// Resume ends Hang and HangLinks. What was held up arrives.
func (p *Proxy) Resume() { p.change(func() { p.hung, p.hungTo = false, 0 }) }

// CutAfter resets all links once so many more octets of answers have passed.
func (p *Proxy) CutAfter(octets int) { p.change(func() { p.cutAfter = octets }) }

// Reset resets all links.
func (p *Proxy) Reset() {
	for _, l := range p.all() {
		l.close(true)
	}
}

// Down resets all links, and refuses connections until Up.
func (p *Proxy) Down() {
	p.mu.Lock()
	if p.listener != nil {
		_ = p.listener.Close() // nothing was to be written
		p.listener = nil
	}
	p.mu.Unlock()
	p.Reset()
}

// Up ends Down.
func (p *Proxy) Up() {
	p.t.Helper()
	p.listen(p.Addr)
}

// Open returns how many links there are.
func (p *Proxy) Open() int { return len(p.all()) }

// Opened returns how many links there have ever been.
func (p *Proxy) Opened() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.opened
}

func (p *Proxy) all() []*link {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]*link, 0, len(p.links))
	for l := range p.links {
		all = append(all, l)
	}
	return all
}

func reset(c *net.TCPConn) {
	_ = c.SetLinger(0) // the kernel then sends a reset
	_ = c.Close()
}

// close ends the link, by a reset where that is wanted.
func (l *link) close(byReset bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.closed = true
	close(l.done)
	if byReset {
		reset(l.client)
	} else {
		_ = l.client.Close() // all was written
	}
	if l.server != nil {
		_ = l.server.Close() // the client has gone
	}
	l.p.mu.Lock()
	delete(l.p.links, l)
	l.p.mu.Unlock()
}

// run joins the two ends.
func (l *link) run() {
	// A client that leaves is seen even while nothing passes.
	asked := make(chan chunk, 1024)
	l.p.wait.Go(func() {
		l.read(l.client, asked)
		l.close(false)
	})
	if !l.passes() {
		return
	}
	server, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(context.Background(), "tcp", l.p.target)
	if err != nil {
		l.close(true)
		return
	}
	l.mu.Lock()
	l.server = server
	closed := l.closed
	l.mu.Unlock()
	if closed {
		_ = server.Close() // nobody wants it any more
		return
	}
	answers := make(chan chunk, 1024)
	l.p.wait.Go(func() {
		defer close(answers)
		l.read(server, answers)
	})
	l.p.wait.Go(func() { l.write(server, asked, false) })
	l.write(l.client, answers, true)
	l.close(false)
}

// A chunk is what was read at one time, and when it is to arrive.
type chunk struct {
	due  time.Time
	data []byte
}

func (l *link) read(from net.Conn, to chan<- chunk) {
	for {
		buf := make([]byte, 16<<10)
		n, err := from.Read(buf)
		if n > 0 {
			l.p.mu.Lock()
			due := time.Now().Add(l.p.delay)
			l.p.mu.Unlock()
			select {
			case to <- chunk{due, buf[:n]}:
			case <-l.done:
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (l *link) write(to net.Conn, from <-chan chunk, answers bool) {
	for {
		var c chunk
		var ok bool
		select {
		case c, ok = <-from:
		case <-l.done:
			return
		}
		if !ok || !l.sleep(time.Until(c.due)) || !l.passes() {
			return
		}
		if answers {
			c.data = l.cut(c.data)
		}
		l.p.mu.Lock()
		drip := l.p.drip
		l.p.mu.Unlock()
		for answers && drip > 0 && len(c.data) > 7 {
			if !l.sleep(drip) {
				return
			}
			if _, err := to.Write(c.data[:7]); err != nil {
				return
			}
			c.data = c.data[7:]
		}
		if _, err := to.Write(c.data); err != nil {
			return
		}
	}
}

// cut returns what may still pass of an answer, and resets all links after it.
func (l *link) cut(data []byte) []byte {
	l.p.mu.Lock()
	left := l.p.cutAfter
	if left < 0 || left > len(data) {
		l.p.cutAfter = max(-1, left-len(data))
		l.p.mu.Unlock()
		return data
	}
	l.p.cutAfter = -1
	l.p.mu.Unlock()
	_, _ = l.client.Write(data[:left]) // it is reset anyway
	l.p.Reset()
	return nil
}

func (l *link) sleep(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.done:
		return false
	}
}

// passes waits until something may pass; not when the link has ended.
func (l *link) passes() bool {
	for {
		l.p.mu.Lock()
		hung, changed := l.p.hung || l.number <= l.p.hungTo, l.p.changed
		l.p.mu.Unlock()
		if !hung {
			return true
		}
		select {
		case <-changed:
		case <-l.done:
			return false
		}
	}
}
