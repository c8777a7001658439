package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"ad-ldap-connector/pkg/agent"
	"ad-ldap-connector/pkg/console"
)

// consoleEnds is how long the answers under way may take when the console ends.
// They are small.
const consoleEnds = 2 * time.Second

// serveConsole listens on CONSOLE_ADDR. A port that is taken, or a certificate
// that cannot be read, degrades this part and stops nothing else. A node that
// is not the one that is asked yet leaves the questions to the one that is.
func (n *node) serveConsole(ctx context.Context, report func(agent.State, string)) error {
	secure, err := newConsoleTLS(n.config)
	if err != nil {
		return err
	}
	ln, err := n.listeners.open(ctx, "console", n.config.Agent.ConsoleAddr)
	if err != nil {
		return fmt.Errorf("listen on CONSOLE_ADDR: %w", err)
	}
	defer func() { _ = ln.Close() }() // a second time is no error
	// The configuration has been checked; what a name resolves to has not.
	if tcp, ok := ln.Addr().(*net.TCPAddr); ok && !tcp.IP.IsLoopback() && secure == nil {
		return errConsoleTLS
	}
	select {
	case <-n.leads:
	case <-ctx.Done():
		return nil
	}
	at := consoleAt(ln.Addr(), secure)
	r := running{Console: at, ConsoleName: consoleName(n.config.Agent.ConsoleAddr, secure), PID: pid(), Started: time.Now().UTC()}
	// Where "connector status" asks. A full disk is no reason to be silent to
	// all others.
	unsaved := n.home.SaveState("run", r)
	ending := make(chan struct{})
	s := &http.Server{
		Handler:           console.Handler(n.consoleOptions(secure, ending)),
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: time.Minute,
		MaxHeaderBytes: 32 << 10,
		ErrorLog:       slog.NewLogLogger(n.log.With("part", "console").Handler(), slog.LevelDebug),
	}
	if unsaved == nil {
		report(agent.OK, r.page())
	} else {
		report(agent.Degraded, fmt.Sprintf("%s serves, but connector status may not find it: %v", r.page(), unsaved))
	}
	over := ln
	if secure != nil {
		over = tls.NewListener(ln, secure.config())
	}
	return serveUntil(ctx, s, over, func() { close(ending) })
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
	if errors.Is(err, net.ErrClosed) {
		// Another process has taken the socket over, and this one is about to end.
		select {
		case <-ctx.Done():
		case <-time.After(consoleEnds):
		}
	}
	if stop() {
		_ = s.Close() // it serves no more in any case
		return err    // by itself
	}
	<-ended
	if !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

var errConsoleTLS = &hinted{
	errors.New("CONSOLE_ADDR can be reached from other machines, which takes TLS"), "set CONSOLE_TLS_CERT and CONSOLE_TLS_KEY, or listen on 127.0.0.1",
}
