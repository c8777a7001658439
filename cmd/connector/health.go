package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"

	"ad-ldap-connector/pkg/agent"
	"ad-ldap-connector/pkg/console"
)

// serveHealth listens on HEALTH_ADDR, for balancers and orchestrators. A port
// that is taken degrades this part and stops nothing else. When the node is to
// stop, it says so to whoever asks until the requests in hand are answered.
func (n *node) serveHealth(ctx context.Context, report func(agent.State, string)) error {
	ln, err := n.listeners.open(ctx, "health", n.config.Signals.HealthAddr)
	if err != nil {
		return fmt.Errorf("listen on HEALTH_ADDR: %w", err)
	}
	defer func() { _ = ln.Close() }() // a second time is no error
	select {
	case <-n.leads:
	case <-ctx.Done():
		return nil
	}
	addr, own := ln.Addr(), false
	if tcp, ok := addr.(*net.TCPAddr); ok {
		own = tcp.IP.IsLoopback()
	}
	p := &pulse{ask: n.touch, within: probedWithin}
	s := &http.Server{
		Handler: console.Probes(console.ProbeOptions{
			Health: n.agent.Health, Stopping: func() bool { return ctx.Err() != nil }, Alive: p.well, Details: own,
		}),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
	report(agent.OK, "http://"+addr.String())
	return serveUntil(ctx, s, ln, func() {
		if !n.relieved.Load() {
			n.awaitLast()
		}
	})
}

// probedWithin is how long the parts may take to answer a probe: less than who
// asks waits for it.
const probedWithin = 3 * time.Second

// awaitLast waits until the parts that answer somebody have ended, within what
// they may take.
func (n *node) awaitLast() {
	patience := time.NewTimer(n.config.Agent.Leave + n.config.Agent.Drain + farewells)
	defer patience.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		busy := slices.ContainsFunc(n.agent.Health(), func(h agent.Health) bool {
			return (h.Part == "hub" || h.Part == "signin") && (h.State != agent.Down || h.Detail != agent.Stopped)
		})
		if !busy {
			return
		}
		select {
		case <-patience.C:
			return
		case <-tick.C:
		}
	}
}
