package sandbox

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// ProxiedName is a name of the pretend tenant for agents that come by a way of
// StartProxy: nobody asks a proxy for localhost. It lies below localhost, so
// that it is no stranger's.
const ProxiedName = "tenant.localhost"

// A Passage is a stretch of the way between an agent and the tenant, on which
// octets may get stuck without either end being told, as behind a firewall that
// has forgotten a connection. What is stuck arrives once the way is free again.
type Passage struct {
	target   string
	proxy    bool
	listener net.Listener
	ctx      context.Context // ends with Close
	cancel   context.CancelFunc
	running  sync.WaitGroup

	mu      sync.Mutex
	there   bool // what the agent sends is stuck
	back    bool // what the tenant sends is
	changed chan struct{}
	carried map[string]bool // where connections came from, as the target sees it
}

// StartPassage opens a way to a server's address, from a loopback address of its
// own. The caller closes it.
func StartPassage(target string) (*Passage, error) { return startPassage(target, false) }

// StartProxy opens a way that begins at an HTTP proxy. Whoever says CONNECT there
// is led to the target, whatever name was asked for: several agents with the
// same settings can be told apart by the proxy in their environment.
func StartProxy(target string) (*Passage, error) { return startPassage(target, true) }

func startPassage(target string, proxy bool) (*Passage, error) {
	l, err := listenLoopback("127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open a way to %s: %w", target, err)
	}
	p := &Passage{target: target, proxy: proxy, listener: l, changed: make(chan struct{}), carried: map[string]bool{}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // it is closed, or the process has no more files: then nobody passes
			}
			p.running.Go(func() { p.join(conn) })
		}
	})
	return p, nil
}

// Addr is where the way begins: host and port.
func (p *Passage) Addr() string { return p.listener.Addr().String() }

// Carried reports whether the target has had a connection from an address that
// came this way.
func (p *Passage) Carried(address string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.carried[address]
}

// Hold says which octets get stuck from now on, on all connections: those to
// the tenant, and those from it. Connections are taken all the same.
func (p *Passage) Hold(there, back bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.there, p.back = there, back
	close(p.changed)
	p.changed = make(chan struct{})
}

// Close ends the way and all connections on it.
func (p *Passage) Close() error {
	p.cancel()
	err := p.listener.Close()
	p.running.Wait()
	return err
}

// free waits until octets pass in a direction, and reports false when the way
// was closed before.
func (p *Passage) free(there bool) bool {
	for {
		p.mu.Lock()
		held, changed := p.back, p.changed
		if there {
			held = p.there
		}
		p.mu.Unlock()
		if !held {
			return p.ctx.Err() == nil
		}
		select {
		case <-changed:
		case <-p.ctx.Done():
			return false
		}
	}
}

// join lets an agent's connection through until one of its ends has gone, and
// the other may know.
func (p *Passage) join(agent net.Conn) {
	from := io.Reader(agent)
	if p.proxy {
		r := bufio.NewReader(agent)
		ends := context.AfterFunc(p.ctx, func() { _ = agent.Close() }) // nothing is said yet that could get lost
		welcome := connects(agent, r)
		ends()
		if !welcome {
			_ = agent.Close() // it wants nothing that there is
			return
		}
		from = r
	}
	server, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(p.ctx, "tcp", p.target)
	if err != nil {
		_ = agent.Close() // that is all it is to learn
		return
	}
	p.mu.Lock()
	p.carried[server.LocalAddr().String()] = true
	p.mu.Unlock()
	var once sync.Once
	end := func() {
		once.Do(func() { _, _ = agent.Close(), server.Close() }) // what was to be written was
	}
	stop := context.AfterFunc(p.ctx, end)
	defer stop()
	var both sync.WaitGroup
	both.Go(func() { p.carry(from, server, true); end() })
	both.Go(func() { p.carry(server, agent, false); end() })
	both.Wait()
}

// connectWithin is how long somebody may take to say CONNECT.
const connectWithin = 10 * time.Second

// connects answers whoever says CONNECT, and reports whether that is what was
// said.
func connects(agent net.Conn, r *bufio.Reader) bool {
	if agent.SetDeadline(time.Now().Add(connectWithin)) != nil {
		return false
	}
	said, err := http.ReadRequest(r)
	if err != nil || said.Method != http.MethodConnect {
		_, _ = io.WriteString(agent, "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n") // it may have gone
		return false
	}
	_, err = io.WriteString(agent, "HTTP/1.1 200 Connection established\r\n\r\n")
	return err == nil && agent.SetDeadline(time.Time{}) == nil
}

// carry passes octets on in one direction. The end of them is as stuck as they
// are.
func (p *Passage) carry(from io.Reader, to io.Writer, there bool) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if !p.free(there) {
			return
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
