package main

import (
	"context"
	"fmt"
	"sync"

	"ad-ldap-connector/pkg/agent"
)

// setUp serves the console of a home that nobody has set up, until somebody has,
// or ctx ends. A home with any setting is left to the start, which says what is
// wrong with it.
// The socket stays open until the node that comes after serves it.
func (s *succession) setUp(ctx context.Context) (handOver func(*turn), err error) {
	nothing := func(*turn) {}
	c, err := s.home.Config()
	if err != nil || hasSettings(c) {
		return nothing, nil // the start says what is wrong
	}
	t, err := homeTransport(s.home, c.Network, s.environ)
	if err != nil {
		return nothing, err
	}
	ln, err := s.listeners.open(ctx, "console", c.Agent.ConsoleAddr)
	if err != nil {
		return nothing, fmt.Errorf("listen on CONSOLE_ADDR: %w", err)
	}
	outer := ctx
	handOver = func(t *turn) {
		t.await(outer, changeWithin, func() string {
			for _, p := range t.agent.Health() {
				if p.Part == "console" && p.State == agent.OK {
					return ""
				}
			}
			return "console: not served yet"
		})
		_ = ln.Close() // it gives the socket back
		s.listeners.settle()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	n := &node{
		home: s.home, config: c, environ: s.environ, transport: t, log: s.log, stats: s.counts, listeners: s.listeners, leads: make(chan struct{}),
		settled: sync.OnceFunc(cancel),
	}
	n.takeUp = func(context.Context) string { // an archive has been imported
		c, err := s.home.Config()
		if err == nil {
			err = c.Validate()
		}
		if err != nil {
			return oneLine(err.Error())
		}
		n.settled()
		return ""
	}
	if n.identity, err = loadInstance(s.home); err != nil {
		return handOver, err
	}
	n.agent = agent.New(s.log, agent.Part{Name: "setup", Run: func(ctx context.Context, report func(agent.State, string)) error {
		report(agent.Down, "not set up yet: connector console prints the link to where that is done")
		<-ctx.Done()
		return nil
	}}, agent.Part{Name: "console", Run: n.serveConsole})
	close(n.leads)
	s.current.Store(n)
	s.log.Info("not set up yet: waiting for that in the console", "home", s.home.Dir(), "console", c.Agent.ConsoleAddr)
	if err := s.manager.Ready(); err != nil {
		s.log.Warn("the service manager was not told", "err", err)
	}
	return handOver, n.agent.Run(ctx)
}
