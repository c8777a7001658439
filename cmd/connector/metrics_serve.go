package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"ad-ldap-connector/pkg/agent"
)

// serveMetrics listens on METRICS_ADDR, for a Prometheus elsewhere. A port that
// is taken degrades this part and stops nothing else.
func (n *node) serveMetrics(ctx context.Context, report func(agent.State, string)) error {
	ln, err := n.listeners.open(ctx, "metrics", n.config.Signals.MetricsAddr)
	if err != nil {
		return fmt.Errorf("listen on METRICS_ADDR: %w", err)
	}
	defer func() { _ = ln.Close() }() // a second time is no error
	select {
	case <-n.leads:
	case <-ctx.Done():
		return nil
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", n.metricsHandler())
	s := &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second, WriteTimeout: time.Minute,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: quiet,
	}
	stop := context.AfterFunc(ctx, func() { _ = s.Close() }) // what is cut off is scraped again
	defer stop()
	report(agent.OK, "http://"+ln.Addr().String()+"/metrics")
	if err := s.Serve(ln); ctx.Err() == nil || !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
