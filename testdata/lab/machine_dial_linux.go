package lab

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Dial connects to a server on the machine's own loopback interface.
func (m *Machine) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result, 1)
	go func() {
		// The thread is in the machine's network from then on, and ends with this
		// goroutine.
		runtime.LockOSThread()
		conn, err := m.dial(ctx, network, address)
		done <- result{conn, err}
	}()
	r := <-done
	return r.conn, r.err
}

func (m *Machine) dial(ctx context.Context, network, address string) (net.Conn, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", m.leader))
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, err
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

// Dial connects to a server on the loopback interface of Windows.
func (w *Windows) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return w.m.Dial(ctx, network, address)
}
