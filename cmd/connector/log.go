package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
)

// newLog returns a logger of a fixed form. Text lines begin as those of the
// existing connector do, "[YYYY-MM-DD HH:MM:SS] " in UTC, so that whatever
// reads its logs can read these.
func newLog(w io.Writer, asJSON, debug bool) *slog.Logger {
	level := slog.LevelInfo
	if debug {
		level = slog.LevelDebug
	}
	if asJSON {
		return slog.New(newJSONHandler(w, level))
	}
	return slog.New(newLineHandler(w, level))
}

func newLineHandler(w io.Writer, level slog.Leveler) slog.Handler {
	return &lineHandler{w: w, level: level, mu: new(sync.Mutex)}
}

// newJSONHandler writes an object a line: time, level, msg and the attributes;
// durations are in nanoseconds.
func newJSONHandler(w io.Writer, level slog.Leveler) slog.Handler {
	return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key == slog.TimeKey && a.Value.Kind() == slog.KindTime {
			a.Value = slog.TimeValue(a.Value.Time().UTC()) // as in the text
		}
		return a
	}})
}

// An eitherHandler writes each record in the form that is wanted at that moment.
type eitherHandler struct {
	asJSON     func() bool
	text, json slog.Handler
}

func newEitherHandler(w io.Writer, level slog.Leveler, asJSON func() bool) slog.Handler {
	return &eitherHandler{asJSON, newLineHandler(w, level), newJSONHandler(w, level)}
}

// Enabled reports whether records of this level are written.
func (h *eitherHandler) Enabled(ctx context.Context, l slog.Level) bool {
	return h.text.Enabled(ctx, l) // the level is the same for both
}

// Handle writes one record.
func (h *eitherHandler) Handle(ctx context.Context, r slog.Record) error {
	if h.asJSON() {
		return h.json.Handle(ctx, r)
	}
	return h.text.Handle(ctx, r)
}

// WithAttrs returns a handler whose records carry attrs as well.
func (h *eitherHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &eitherHandler{h.asJSON, h.text.WithAttrs(attrs), h.json.WithAttrs(attrs)}
}

// WithGroup returns a handler that prefixes the keys that follow.
func (h *eitherHandler) WithGroup(name string) slog.Handler {
	return &eitherHandler{h.asJSON, h.text.WithGroup(name), h.json.WithGroup(name)}
}

// A lineHandler writes one line for each record: the time, the level when it
// is not the ordinary one, the message, then key=value pairs.
type lineHandler struct {
	w     io.Writer
	mu    *sync.Mutex
	level slog.Leveler
	with  string // attributes given by With, already written
	group string
}

// Enabled reports whether records of this level are written.
func (h *lineHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

// Handle writes one record.
func (h *lineHandler) Handle(_ context.Context, r slog.Record) error {
	var b bytes.Buffer
	b.WriteString(r.Time.UTC().Format("[2006-01-02 15:04:05] "))
	if r.Level != slog.LevelInfo {
		b.WriteString(strings.ToLower(r.Level.String()) + ": ")
	}
	h.body(&b, r)
	b.WriteByte('\n')
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := h.w.Write(b.Bytes())
	return err
}

// body writes a record's message and attributes.
func (h *lineHandler) body(b *bytes.Buffer, r slog.Record) {
	b.WriteString(r.Message)
	b.WriteString(h.with)
	r.Attrs(func(a slog.Attr) bool { writeAttr(b, h.group, a); return true })
}

// WithAttrs returns a handler whose lines carry attrs as well.
func (h *lineHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var b bytes.Buffer
	b.WriteString(h.with)
	for _, a := range attrs {
		writeAttr(&b, h.group, a)
	}
	c := *h
	c.with = b.String()
	return &c
}

// WithGroup returns a handler that prefixes the keys that follow.
func (h *lineHandler) WithGroup(name string) slog.Handler {
	c := *h
	c.group += name + "."
	return &c
}

func writeAttr(b *bytes.Buffer, group string, a slog.Attr) {
	eachAttr(group, a, func(key, text string) {
		b.WriteString(" " + pairKey.Replace(key) + "=")
		// A value that could be mistaken for another line or pair is quoted: user
		// names come from outside.
		if text == "" || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == '"' || r == '=' || !unicode.IsPrint(r) }) {
			text = strconv.Quote(text)
		}
		b.WriteString(text)
	})
}

// pairKey makes a word of a key that is more than one.
var pairKey = strings.NewReplacer(" ", "_", "=", "_", `"`, "_", "\n", "_")

// eachAttr calls do for an attribute, or for all that a group holds, with the
// text that a log has of its value.
func eachAttr(group string, a slog.Attr, do func(key, text string)) {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		for _, member := range v.Group() {
			eachAttr(group+a.Key+".", member, do)
		}
		return
	}
	if a.Equal(slog.Attr{}) {
		return
	}
	text := v.String()
	if v.Kind() == slog.KindDuration {
		text = v.Duration().Round(10 * time.Microsecond).String()
	}
	do(group+a.Key, text)
}
