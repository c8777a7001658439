package main

import (
	"context"
	"sync"

	"ad-ldap-connector/pkg/agent"
)

// setUp serves the console of a home that nobody has set up, until somebody has,
// or ctx ends. A home with any setting is left to the start, which says what is
// wrong with it.
func (s *succession) setUp(ctx context.Context) error {
	c, err := s.home.Config()
	if err != nil || hasSettings(c) {
		return nil //nolint:nilerr // the start says so
	}
	t, err := homeTransport(s.home, c.Network, s.environ)
	if err != nil {
		return err
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
		return err
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
	return n.agent.Run(ctx)
}
