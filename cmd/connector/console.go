package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"ad-ldap-connector/pkg/agent"
	"ad-ldap-connector/pkg/console"
)

// consoleEnds is how long the answers under way may take when the console ends.
// They are small.
const consoleEnds = 2 * time.Second

// serveConsole listens on CONSOLE_ADDR. A port that is taken degrades this
// part and stops nothing else. A node that is not the one that is asked yet
// leaves the questions to the one that is.
func (n *node) serveConsole(ctx context.Context, report func(agent.State, string)) error {
	ln, err := n.listeners.open(ctx, "console", n.config.Agent.ConsoleAddr)
	if err != nil {
		return fmt.Errorf("listen on CONSOLE_ADDR: %w", err)
	}
	defer func() { _ = ln.Close() }() // a second time is no error
	select {
	case <-n.leads:
	case <-ctx.Done():
		return nil
	}
	addr := ln.Addr().String()
	// Where "connector status" asks. A full disk is no reason to be silent to
	// all others.
	unsaved := n.home.SaveState("run", running{Console: addr, PID: pid(), Started: time.Now().UTC()})
	s := &http.Server{
		Handler: console.Handler(console.Options{
			Health: n.agent.Health, Status: func() any { return n.status() }, Metrics: n.metricsHandler(),
		}),
		ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, WriteTimeout: time.Minute,
	}
	if unsaved == nil {
		report(agent.OK, "http://"+addr)
	} else {
		report(agent.Degraded, fmt.Sprintf("http://%s serves, but connector status may not find it: %v", addr, unsaved))
	}
	return serveUntil(ctx, s, ln, func() {})
}

// serveUntil serves until ctx ends. Then it does what is to be done before, and
// lets the answers in hand finish.
func serveUntil(ctx context.Context, s *http.Server, ln net.Listener, before func()) error {
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		before()
		patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), consoleEnds)
		defer cancel()
		if s.Shutdown(patience) != nil {
			_ = s.Close() // who has not finished by now does not matter any more
		}
	})
	err := s.Serve(ln)
	if stop() {
		_ = s.Close() // it serves no more in any case
		return err    // by itself
	}
	<-ended
	if !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
