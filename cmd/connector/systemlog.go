package main

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

const (
	systemQueue = 2048            // records that wait for the system's log; more are left out
	systemWait  = 2 * time.Second // how long one record is waited for before others go to stderr
)

// A note is a record on its way to the system's log.
type note struct {
	time   time.Time
	level  slog.Level
	event  string            // the message alone, by which records of a kind are found
	text   string            // the message with its attributes, for people
	fields map[string]string // the attributes
}

// A systemLog carries records to the log of the system: systemd's journal, or
// the Event Log of Windows. It is never worth a login: handing a record to it
// takes no time and has no errors, whatever becomes of that log. What the log
// does not take goes to stderr as a line.
type systemLog struct {
	put     func(note) error
	instead slog.Handler
	wait    time.Duration

	notes chan note
	lost  atomic.Int64 // records that found no place in the queue
	end   chan struct{}
	once  sync.Once
	done  chan struct{} // closed when all is handed over

	late chan error // of a record that the log has not taken yet; nil: there is none
	held note       // that record
}

func newSystemLog(put func(note) error, instead slog.Handler, wait time.Duration) *systemLog {
	s := &systemLog{
		put: put, instead: instead, wait: wait,
		notes: make(chan note, systemQueue), end: make(chan struct{}), done: make(chan struct{}),
	}
	go func() {
		defer close(s.done)
		takeAll(s.notes, s.end, s.take)
		s.tellLost()
	}()
	return s
}

// Close hands over what waits, unless that takes too long.
func (s *systemLog) Close() {
	s.once.Do(func() { close(s.end) })
	select {
	case <-s.done:
	case <-time.After(logLast):
	}
}

func (s *systemLog) add(n note) {
	select {
	case s.notes <- n:
	default:
		s.lost.Add(1)
	}
}

func (s *systemLog) take(n note) {
	s.tellLost()
	s.send(n)
}

func (s *systemLog) tellLost() {
	if lost := s.lost.Swap(0); lost > 0 {
		r := slog.NewRecord(time.Now(), slog.LevelWarn, "lines are missing here: the system's log was too slow", 0)
		r.Add("lines", lost)
		s.send((&systemHandler{}).note(r))
	}
}

// send hands a record over. While the log holds one up, all that follow are
// written to stderr; that one is so only if the log refuses it in the end.
func (s *systemLog) send(n note) {
	if s.late != nil {
		select {
		case err := <-s.late:
			s.late = nil
			if err != nil {
				s.aside(s.held)
			}
		default:
			s.aside(n)
			return
		}
	}
	taken := make(chan error, 1)
	go func() { taken <- s.put(n) }()
	patience := time.NewTimer(s.wait)
	defer patience.Stop()
	select {
	case err := <-taken:
		if err != nil {
			s.aside(n)
		}
	case <-patience.C:
		s.late, s.held = taken, n
	}
}

// aside writes a record to stderr.
func (s *systemLog) aside(n note) {
	_ = s.instead.Handle(context.Background(), slog.NewRecord(n.time, n.level, n.text, 0)) // nowhere is left to say it
}

// A systemHandler makes notes of records.
type systemHandler struct {
	log   *systemLog
	level slog.Leveler

	line   lineHandler // for the text
	fields map[string]string
}

func (s *systemLog) handler(level slog.Leveler) slog.Handler {
	return &systemHandler{log: s, level: level}
}

// Enabled reports whether records of this level are handed on.
func (h *systemHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

// Handle hands one record on.
func (h *systemHandler) Handle(_ context.Context, r slog.Record) error {
	h.log.add(h.note(r))
	return nil
}

func (h *systemHandler) note(r slog.Record) note {
	n := note{time: r.Time, level: r.Level, event: r.Message, fields: maps.Clone(h.fields)}
	if n.fields == nil {
		n.fields = map[string]string{}
	}
	r.Attrs(func(a slog.Attr) bool {
		eachAttr(h.line.group, a, func(key, text string) { n.fields[key] = text })
		return true
	})
	var b bytes.Buffer
	h.line.body(&b, r)
	n.text = b.String()
	return n
}

// WithAttrs returns a handler whose records carry attrs as well.
func (h *systemHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.fields = maps.Clone(h.fields)
	if c.fields == nil {
		c.fields = map[string]string{}
	}
	for _, a := range attrs {
		eachAttr(h.line.group, a, func(key, text string) { c.fields[key] = text })
	}
	c.line = *h.line.WithAttrs(attrs).(*lineHandler)
	return &c
}

// WithGroup returns a handler that prefixes the keys that follow.
func (h *systemHandler) WithGroup(name string) slog.Handler {
	c := *h
	c.line = *h.line.WithGroup(name).(*lineHandler)
	return &c
}
