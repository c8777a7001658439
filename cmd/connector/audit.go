package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ad-ldap-connector/pkg/agent"
	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/home"
)

// An auditRecord is what the audit file has of one request: a line of JSON.
// Members may be added; they are not renamed. It holds no password, no token
// and nothing of a profile.
type auditRecord struct {
	Time       time.Time `json:"time"`             // when the request came, UTC
	From       string    `json:"from"`             // "hub", "browser", or "console"
	Command    string    `json:"command"`          // as the tenant names it; "sign_in" of a browser; what was done in the console
	Request    string    `json:"request"`          // the tenant's pid of it; "" of a browser's
	User       string    `json:"user"`             // as it was asked about
	Outcome    string    `json:"outcome"`          // accepted, refused or fault
	Reason     string    `json:"reason,omitempty"` // of a refusal, or the fault's text
	Fault      string    `json:"fault,omitempty"`  // the kind of fault
	Server     string    `json:"server,omitempty"` // the directory server
	TookMs     float64   `json:"tookMs"`
	Tenant     string    `json:"tenant"`
	Connection string    `json:"connection"`
	Instance   string    `json:"instance"`         // this agent
	Link       int       `json:"link,omitempty"`   // the link to the hub that it came on, counted since the start
	Lost       bool      `json:"lost,omitempty"`   // the answer found no way to the hub
	Remote     string    `json:"remote,omitempty"` // the browser's address
	Method     string    `json:"method,omitempty"` // how a browser's user was proved, or the console's
	Keys       []string  `json:"keys,omitempty"`   // what a change in the console was about, by its names
}

// A missingRecords line says that there should be others.
type missingRecords struct {
	Time    time.Time `json:"time"`
	Missing int64     `json:"missing"`
}

const (
	auditQueue = 4096            // records that wait for the disk; more are left out, and counted
	auditBatch = 256             // records that are written at once
	auditFlush = time.Second     // how long a record that was written may wait to be safe from a crash of the machine
	auditAgain = 5 * time.Second // how long a file that cannot be written is left alone
)

// A recordFile is where records go: a *home.Record.
type recordFile interface {
	Write(p []byte) (int, error)
	Sync() error
	Size() (int64, error)
	Torn() bool
	Moved() bool
	PutAside(keep int) error
	Close() error
}

var _ recordFile = (*home.Record)(nil)

// An auditTarget is which file, and how much of it is kept.
type auditTarget struct {
	name  string
	open  func() (recordFile, error) // nil: none
	bytes int64
	keep  int
}

// An auditLog writes the audit file. It is never worth a login: to hand it a
// record takes no time and has no errors. While the file cannot be written
// records wait, as many as there is room for; those that do not fit are counted,
// and the file says so. It outlives the nodes of a process, since one node still
// answers while the next one begins.
type auditLog struct {
	again time.Duration
	log   *slog.Logger

	records chan auditRecord
	targets chan auditTarget
	missing atomic.Int64
	end     chan struct{}
	once    sync.Once
	done    chan struct{}

	health auditHealth

	written, lost prometheus.Counter
}

func newAuditLog(log *slog.Logger, m *metrics, again time.Duration) *auditLog {
	a := &auditLog{
		again: again, log: log, records: make(chan auditRecord, auditQueue), targets: make(chan auditTarget, 1),
		end: make(chan struct{}), done: make(chan struct{}), written: m.auditWritten, lost: m.auditLost,
	}
	go a.run()
	return a
}

// add takes a record.
func (a *auditLog) add(r auditRecord) {
	select {
	case a.records <- r:
	default:
		a.missing.Add(1)
		a.lost.Inc()
	}
}

// use has the records written to another file from now on, or to the same one,
// opened anew. It does not wait for that either: a disk may hang.
func (a *auditLog) use(t auditTarget) {
	for {
		select {
		case a.targets <- t:
			return
		default:
		}
		select {
		case <-a.targets: // nobody has begun with it yet
		default:
		}
	}
}

// close writes what waits, unless the disk takes too long.
func (a *auditLog) close() {
	a.once.Do(func() { close(a.end) })
	select {
	case <-a.done:
	case <-time.After(logLast):
	}
}

// run writes until the end. A target that is not there takes nothing, and
// records wait for one: a node hands over records only when it has one.
func (a *auditLog) run() {
	defer close(a.done)
	w := auditWriter{log: a}
	tick := time.NewTicker(auditFlush)
	defer tick.Stop()
	for {
		come := a.records
		if !w.ready(time.Now()) {
			come = nil
		}
		select {
		case r := <-come:
			w.take(r)
			w.write()
		case t := <-a.targets:
			w.become(t)
		case now := <-tick.C:
			w.tend(now)
		case <-a.end:
			select {
			case t := <-a.targets:
				w.become(t)
			default:
			}
			w.after = time.Time{} // the last try
			for w.open(); w.file != nil && w.bad == "" && len(a.records) > 0; {
				w.take(<-a.records)
				w.write()
			}
			w.tellMissing()
			w.shut()
			return
		}
	}
}

// An auditHealth is how the writing fares, for the part of the node that runs.
type auditHealth struct {
	mu     sync.Mutex
	to     func(agent.State, string)
	fault  string
	detail string
}

func (h *auditHealth) follow(to func(agent.State, string)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.to = to
	h.say()
}

func (h *auditHealth) set(fault, detail string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fault != fault || h.detail != detail {
		h.fault, h.detail = fault, detail
		h.say()
	}
}

func (h *auditHealth) say() {
	switch {
	case h.to == nil:
	case h.fault != "":
		h.to(agent.Degraded, h.fault)
	default:
		h.to(agent.OK, h.detail)
	}
}

// auditTargetOf is what a configuration wants.
func auditTargetOf(h *home.Home, c config.Config) auditTarget {
	name := c.Signals.AuditFile
	if name == "" {
		return auditTarget{}
	}
	return auditTarget{
		name: name,
		open: func() (recordFile, error) {
			r, err := h.OpenRecord(name)
			if err != nil {
				return nil, fmt.Errorf("AUDIT_FILE: %w", err)
			}
			return r, nil
		},
		bytes: int64(c.Signals.AuditMB) * 1_000_000, keep: c.Signals.AuditFiles,
	}
}

// encoded is a line.
func encoded(v any) []byte {
	line, err := json.Marshal(v)
	if err != nil { // a year beyond 9999 is all that can be wrong with it
		line = fmt.Appendf(nil, `{"fault":%q}`, err)
	}
	return append(line, '\n')
}
