package main

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// freshConns are the connections of which nobody has read a request yet. A server
// that is shut down closes those without an answer, also when the request is on
// its way: they are waited for before.
type freshConns struct {
	mu  sync.Mutex
	all map[net.Conn]bool
}

// freshWithin is how long one may take to ask: browsers open some that they do
// not need.
const freshWithin = 2 * time.Second

func (f *freshConns) note(c net.Conn, s http.ConnState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s == http.StateNew {
		f.all[c] = true
	} else {
		delete(f.all, c)
	}
}

func (f *freshConns) none() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.all) == 0
}

// await waits until there is none, for a while.
func (f *freshConns) await(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, freshWithin)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !f.none() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
