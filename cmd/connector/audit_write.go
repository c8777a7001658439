package main

import (
	"bytes"
	"fmt"
	"time"
)

// An auditWriter is the file while it works, or when to try it again. One
// goroutine has it.
type auditWriter struct {
	log    *auditLog
	target auditTarget

	file    recordFile // nil: none, or given up
	after   time.Time  // not before then
	bad     string     // why it was given up; "" while it works
	torn    bool       // a part of a line is in the file
	dirty   bool       // something was written since it was flushed
	pending [][]byte   // lines that are to be written next, in their order
}

// ready reports whether records may be taken.
func (w *auditWriter) ready(now time.Time) bool {
	return w.target.open != nil && len(w.pending) == 0 && (w.file != nil || !now.Before(w.after))
}

// become begins another target.
func (w *auditWriter) become(t auditTarget) {
	w.shut()
	w.target, w.after = t, time.Time{}
	w.open()
	w.write()
}

// take takes a record, and those that came with it.
func (w *auditWriter) take(r auditRecord) {
	w.pending = append(w.pending, encoded(r))
	for len(w.pending) < auditBatch {
		select {
		case r := <-w.log.records:
			w.pending = append(w.pending, encoded(r))
		default:
			return
		}
	}
}

// tend does what is to be done when there is no record: flush, notice that the
// file was put aside by another, and try again one that was given up.
func (w *auditWriter) tend(now time.Time) {
	if w.file == nil {
		if w.target.open != nil && !now.Before(w.after) {
			w.open()
			w.write()
		}
		return
	}
	if w.file.Moved() {
		w.shut()
		w.open()
		w.write()
	}
	if w.dirty && w.file != nil {
		if err := w.file.Sync(); err != nil {
			w.giveUp(err)
			return
		}
		w.dirty = false
	}
}

// open opens the target.
func (w *auditWriter) open() {
	if w.file != nil || w.target.open == nil {
		return
	}
	file, err := w.target.open()
	if err != nil {
		w.giveUp(err)
		return
	}
	w.file, w.torn = file, file.Torn()
	w.tellMissing()
	if size, err := file.Size(); err == nil && size < w.target.bytes && len(w.pending) == 0 {
		w.well()
	}
}

// tellMissing puts a line before all others that says how many there should be.
func (w *auditWriter) tellMissing() {
	if w.target.open == nil {
		return
	}
	if n := w.log.missing.Swap(0); n > 0 {
		w.pending = append([][]byte{encoded(missingRecords{time.Now().UTC(), n})}, w.pending...)
	}
}

// write writes what is pending.
func (w *auditWriter) write() {
	w.open()
	if w.file == nil || len(w.pending) == 0 {
		return
	}
	if err := w.put(); err != nil {
		w.giveUp(err)
		return
	}
	if w.turn() {
		w.well()
	}
}

// put adds the pending lines. Those that got there whole are pending no longer.
func (w *auditWriter) put() error {
	var b bytes.Buffer
	if w.torn {
		b.WriteByte('\n')
	}
	head := b.Len()
	for _, line := range w.pending {
		b.Write(line)
	}
	n, err := w.file.Write(b.Bytes())
	if n > 0 {
		w.dirty, w.torn = true, b.Bytes()[n-1] != '\n'
	}
	n -= head
	for len(w.pending) > 0 && n >= len(w.pending[0]) {
		n -= len(w.pending[0])
		w.pending = w.pending[1:]
		w.log.written.Inc()
	}
	if err == nil {
		w.pending = nil
	}
	return err
}

// turn puts a file aside that is as large as one may be, and reports whether
// all is well.
func (w *auditWriter) turn() bool {
	size, err := w.file.Size()
	if err == nil && (size < w.target.bytes || w.file.Moved()) { // by another process, just now
		return true
	}
	if err == nil {
		err = w.file.PutAside(w.target.keep)
	}
	if err != nil {
		w.giveUp(err)
		return false
	}
	w.dirty = false
	return true
}

func (w *auditWriter) giveUp(err error) {
	w.after = time.Now().Add(w.log.again)
	if w.file != nil {
		_ = w.file.Close() // the first error is the one to tell
		w.file, w.dirty = nil, false
	}
	why := fmt.Sprintf("requests are answered, but their records wait: %s", oneLine(err.Error()))
	if w.bad == "" {
		w.log.log.Warn("the audit file cannot be written", "err", err)
	}
	w.bad = why
	if missing := w.log.missing.Load(); missing > 0 {
		why += fmt.Sprintf("; %d records are lost", missing)
	}
	w.log.health.set(why, "")
}

func (w *auditWriter) well() {
	if w.bad != "" {
		w.log.log.Info("the audit file is written again")
	}
	w.bad = ""
	w.log.health.set("", w.target.name)
}

// shut closes the file.
func (w *auditWriter) shut() {
	if w.file == nil {
		return
	}
	if len(w.pending) > 0 {
		_ = w.put() // it is as good as it will be
	}
	if err := w.file.Close(); err != nil {
		w.log.log.Warn("the audit file cannot be written", "err", err)
	}
	w.file, w.dirty = nil, false
}
