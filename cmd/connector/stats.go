package main

import (
	"log/slog"
	"slices"
	"sync"
	"time"

	"ad-ldap-connector/pkg/hub"
)

// latencies is how many of the last logins the percentiles are taken over.
const latencies = 1024

// Stats are what one run of the connector keeps over all its nodes: counts, and
// where others see it from.
type stats struct {
	seen *hub.Seen // the commands that were carried out; a reload does not forget them
	logs *runLog   // nil: none that could be tuned

	mu                         sync.Mutex
	accepted, refused, faulted int
	took                       []time.Duration // a ring
	next                       int

	once    sync.Once
	counted *metrics

	onceConsole sync.Once
	consoleKept *consoleMemory

	auditing sync.Mutex
	audit    *auditLog // nil: none was asked for yet
}

// metrics returns what /metrics counts.
func (s *stats) metrics() *metrics {
	s.once.Do(func() { s.counted = newMetrics() })
	return s.counted
}

// follow has all that outlives a node do as that node's configuration has it.
func (s *stats) follow(n *node) {
	if s.logs != nil {
		s.logs.tune(n.config)
	}
	if target := auditTargetOf(n.home, n.config); target.open != nil || s.audits() {
		s.auditLog(n.log).use(target)
	}
}

func (s *stats) audits() bool {
	s.auditing.Lock()
	defer s.auditing.Unlock()
	return s.audit != nil
}

// auditLog returns what writes the audit file.
func (s *stats) auditLog(log *slog.Logger) *auditLog {
	s.auditing.Lock()
	defer s.auditing.Unlock()
	if s.audit == nil {
		s.audit = newAuditLog(log.With("part", "audit"), s.metrics(), auditAgain)
	}
	return s.audit
}

// close writes what waits.
func (s *stats) close() {
	if s.audits() {
		s.audit.close()
	}
}

// A Logins document is the part of the status that counts logins.
type logins struct {
	Accepted int     `json:"accepted"`
	Refused  int     `json:"refused"`
	Faulted  int     `json:"faulted"`
	P50      float64 `json:"p50Ms"`
	P99      float64 `json:"p99Ms"`
}

// answered counts one answer of the hub.
func (s *stats) answered(a hub.Answer) {
	s.metrics().answered(a)
	if a.Command != "authenticate_user" {
		return
	}
	s.console().series.Answered(seenLogin(a))
	s.mu.Lock()
	defer s.mu.Unlock()
	switch a.Outcome {
	case "accepted":
		s.accepted++
	case "refused":
		s.refused++
	default:
		s.faulted++
	}
	if len(s.took) < latencies {
		s.took = append(s.took, a.Took)
		return
	}
	s.took[s.next] = a.Took
	s.next = (s.next + 1) % latencies
}

func (s *stats) logins() logins {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := logins{Accepted: s.accepted, Refused: s.refused, Faulted: s.faulted}
	if len(s.took) > 0 {
		sorted := slices.Sorted(slices.Values(s.took))
		l.P50, l.P99 = ms(sorted[len(sorted)/2]), ms(sorted[len(sorted)*99/100])
	}
	return l
}

// ms is a duration in milliseconds with two decimals, as the JSON documents
// have it.
func ms(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}
