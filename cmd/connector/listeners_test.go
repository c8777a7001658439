package main

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// greet serves a listener: each connection is told the name, and closed. It
// returns how to stop, and wait.
func greet(t *testing.T, ln net.Listener, name string) (stop func()) {
	t.Helper()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := ln.Accept()
			if err != nil {
				if !errors.Is(err, net.ErrClosed) {
					t.Error(err)
				}
				return
			}
			_, _ = io.WriteString(conn, name) // whoever listens
			_ = conn.Close()                  // it was only to be accepted
		}
	}()
	return func() { _ = ln.Close(); <-ended }
}

func greeted(t *testing.T, address string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	said, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(said)
}

// TestListenersOutliveTheirBorrowers: one after the other, with a gap between,
// and two at a time.
func TestListenersOutliveTheirBorrowers(t *testing.T) {
	t.Parallel()
	l := newListeners()
	defer l.close()
	open := func(addr string) net.Listener {
		t.Helper()
		ln, err := l.open(context.Background(), "console", addr)
		if err != nil {
			t.Fatal(err)
		}
		return ln
	}
	first := open("127.0.0.1:0")
	address := first.Addr().String()
	stop := greet(t, first, "first")
	if got := greeted(t, address); got != "first" {
		t.Errorf("%q answers", got)
	}
	second := open("127.0.0.1:0")
	if got := second.Addr().String(); got != address {
		t.Errorf("the same address is %s, then %s", address, got)
	}
	stop()
	waits := make(chan string, 1)
	go func() { waits <- greeted(t, address) }() // while nobody serves
	stop = greet(t, second, "second")
	if got := <-waits; got != "second" {
		t.Errorf("%q answers", got)
	}
	l.settle()
	if got := greeted(t, address); got != "second" {
		t.Errorf("%q answers after what is not used was closed", got)
	}
	if _, err := l.open(context.Background(), "console", address); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("an address that is taken: %v", err) // it is another spot
	}
	other := open("localhost:0")
	stopOther := greet(t, other, "other")
	stop()
	l.settle()
	if _, err := net.Dial("tcp", address); err == nil {
		t.Error("the former address still answers")
	}
	if got := greeted(t, other.Addr().String()); got != "other" {
		t.Errorf("%q answers", got)
	}
	l.close()
	if _, err := other.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	stopOther()
}

// conns is a listener of the connections that are put into it.
type conns chan net.Conn

func (c conns) Accept() (net.Conn, error) {
	if conn, ok := <-c; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}
func (c conns) Close() error { close(c); return nil }
func (conns) Addr() net.Addr { return nil }

// TestAcceptedAtTheEnd: what was accepted before the socket was closed is
// served all the same.
func TestAcceptedAtTheEnd(t *testing.T) {
	t.Parallel()
	l, source := newListeners(), make(conns)
	l.adopt(spot{"console", "x"}, source)
	ln, err := l.open(context.Background(), "console", "x")
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := net.Pipe()
	defer func() { _ = ours.Close() }()
	source <- theirs // it is accepted by now, and nobody has it yet
	l.close()
	if conn, err := ln.Accept(); err != nil || conn != theirs {
		t.Errorf("%v, %v", conn, err)
	}
	if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

// A handedListener accepts what it is handed, and no sooner than it is asked.
type handedListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *handedListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}
func (l *handedListener) Close() error   { close(l.closed); return nil }
func (l *handedListener) Addr() net.Addr { return &net.TCPAddr{} }

// TestNoConnectionIsStranded: one that was accepted just before a socket became
// another process's is still served, and a process that serves nobody yet takes
// none.
func TestNoConnectionIsStranded(t *testing.T) {
	t.Parallel()
	h := &handedListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	l, at := newListeners(), spot{"signin", "here"}
	l.adopt(at, h)
	one, other := net.Pipe()
	defer func() { _, _ = one.Close(), other.Close() }()
	select {
	case h.conns <- one:
		t.Fatal("a connection was taken, and there is nobody to serve it")
	case <-time.After(50 * time.Millisecond):
	}
	b, err := l.open(t.Context(), at.Name, at.Addr)
	if err != nil {
		t.Fatal(err)
	}
	h.conns <- one // accepted, and not fetched
	l.close()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if c, err := b.Accept(); err != nil || c != one {
		t.Errorf("%v, %v", c, err)
	}
	if c, err := b.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v, %v", c, err)
	}

	// Nobody ever borrowed it.
	h = &handedListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	l.adopt(at, h)
	l.close()
	<-h.closed
}
