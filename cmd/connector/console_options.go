package main

import (
	"crypto/x509"
	"time"

	"ad-ldap-connector/pkg/console"
	"ad-ldap-connector/pkg/hub"
)

// consoleOptions are what the console shows and does: the same as the commands.
func (n *node) consoleOptions(secure *consoleTLS, ending <-chan struct{}) console.Options {
	memory := n.stats.console()
	o := console.Options{
		Health: n.agent.Health, Status: func() any { return n.status() }, Metrics: n.metricsHandler(),
		Sessions: memory.sessions,
		Redeem:   func(secret string) error { return memory.redeem(n.home, secret, time.Now()) },
		Password: func() (string, error) { return passwordHash(n.home) },
		Revoked:  func() time.Time { return revokedAt(n.home) },
		Ending:   ending, Version: thisBuild().Version, Now: time.Now, Log: n.log, Audit: n.changed,
		Overview: n.overview, Doctor: n.consoleDoctor, Logs: n.consoleLogs, Support: n.consoleSupport,
		Update: n.consoleUpdate(), Name: n.flags(),
	}
	if secure != nil {
		o.Certificate = func() *x509.Certificate { return secure.leaf() }
	}
	n.consolePages(&o)
	return o
}

// console returns what the console keeps over all nodes of this process.
func (s *stats) console() *consoleMemory {
	s.onceConsole.Do(func() { s.consoleKept = newConsoleMemory() })
	return s.consoleKept
}

// changed keeps what an administrator did: in the log always, and where there is
// an audit file, there.
func (n *node) changed(c console.Change) {
	n.log.Info("a change in the console", "part", "console", "change", c.What, "outcome", c.Outcome, "keys", c.Keys, "by", c.By, "remote", c.Remote)
	if n.config.Signals.AuditFile == "" {
		return
	}
	r := n.auditRecord(hub.Answer{Arrived: c.Time, Command: c.What, Outcome: c.Outcome, Took: c.Took})
	r.From, r.Remote, r.Method, r.Keys = "console", c.Remote, c.By, c.Keys
	n.stats.auditLog(n.log).add(r)
}

// overview is what the first page shows.
func (n *node) overview() console.Overview {
	s, memory := n.status(), n.stats.console()
	o := console.Overview{
		Instance: s.Instance, Connection: s.Connection, Tenant: s.Tenant, Health: n.agent.Health(),
		Accepted: s.Logins.Accepted, Refused: s.Logins.Refused, Faulted: s.Logins.Faulted,
		P50: fromMs(s.Logins.P50), P99: fromMs(s.Logins.P99),
		Points: memory.series.Points(), Unwell: memory.series.Unwell(), Clock: n.measured.Load(),
	}
	if ends := n.certificateEnds.Load(); ends != nil {
		o.Certificate = *ends
	}
	hash, err := passwordHash(n.home)
	o.NoPassword = err == nil && hash == ""
	if len(n.config.Agent.Peers) > 0 {
		o.Peers, o.Warned, o.Asking = memory.peers.look(n)
	}
	return o
}

func fromMs(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }

// seenLogin is a login as the overview has it.
func seenLogin(a hub.Answer) console.Login {
	l := console.Login{At: a.Arrived, User: a.User, Request: a.Request, Outcome: a.Outcome, Reason: a.Reason, Server: a.Server(), Took: a.Took}
	for _, s := range a.Stages {
		l.Stages = append(l.Stages, console.Stage{Name: s.Name, Took: s.Took})
	}
	return l
}
