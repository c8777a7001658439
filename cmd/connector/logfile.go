package main

import (
	"bytes"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/DeRuina/timberjack"

	"ad-ldap-connector/pkg/home"
)

// How much of the log the home keeps: five files of 10 MB, one of them in use,
// for four weeks. A file that does not fill up is put aside after a week, so
// that age counts for it too.
const (
	logMegabytes = 10
	logAside     = 4
	logDays      = 28
	logWeek      = 7 * 24 * time.Hour
)

const (
	logQueue = 2048            // lines that wait for the disk; more are left out
	logAgain = time.Minute     // how long a file that cannot be written is left alone
	logLast  = 2 * time.Second // how long the end waits for the disk
)

// A logFile is the runtime's log in the home, beside the one on stderr. It is
// never worth a login: writing to it takes no time and has no errors, whatever
// the disk does. A file that cannot be written is given up with one warning on
// stderr, and tried again later; lines that came meanwhile are on stderr only.
type logFile struct {
	open  func() (io.WriteCloser, error)
	tell  *slog.Logger // stderr's
	again time.Duration
	json  func() bool // whether it is written as JSON; nil: never

	lines chan []byte
	lost  atomic.Int64 // lines that found no place in the queue
	end   chan struct{}
	once  sync.Once
	done  chan struct{} // closed when all is written
}

func newLogFile(open func() (io.WriteCloser, error), tell *slog.Logger, again time.Duration) *logFile {
	f := &logFile{
		open: open, tell: tell, again: again,
		lines: make(chan []byte, logQueue), end: make(chan struct{}), done: make(chan struct{}),
	}
	go f.run()
	return f
}

// openLogFile opens the log of a home, which puts full and old files aside.
func openLogFile(h *home.Home) (io.WriteCloser, error) {
	name, err := h.LogFile()
	if err != nil {
		return nil, err
	}
	return &timberjack.Logger{
		Filename: name, FileMode: 0o600, MaxSize: logMegabytes, MaxBackups: logAside, MaxAge: logDays, RotationInterval: logWeek,
	}, nil
}

// Write takes one line, and always all of it.
func (f *logFile) Write(line []byte) (int, error) {
	select {
	case f.lines <- bytes.Clone(line):
	default:
		f.lost.Add(1)
	}
	return len(line), nil
}

// Close writes what waits, unless the disk takes too long. Lines that come
// later are left out.
func (f *logFile) Close() {
	f.once.Do(func() { close(f.end) })
	select {
	case <-f.done:
	case <-time.After(logLast):
	}
}

func (f *logFile) run() {
	defer close(f.done)
	var w logWriter
	defer func() { w.close() }()
	takeAll(f.lines, f.end, func(line []byte) { f.put(&w, line) })
}

// takeAll calls do for what comes until end is closed, and then for what waits.
func takeAll[T any](come <-chan T, end <-chan struct{}, do func(T)) {
	for {
		select {
		case x := <-come:
			do(x)
			continue
		case <-end:
		}
		for {
			select {
			case x := <-come:
				do(x)
			default:
				return
			}
		}
	}
}

// A logWriter is the file while it works, or when to try it again.
type logWriter struct {
	to    io.WriteCloser // nil: given up, or not opened yet
	after time.Time
	bad   bool // it was given up, and that was said
	torn  bool // a part of a line is in it
	lost  int64
}

func (w *logWriter) close() {
	if w.to != nil {
		_ = w.to.Close() // what could not be written was said
		w.to = nil
	}
}

func (f *logFile) put(w *logWriter, line []byte) {
	w.lost += f.lost.Swap(0)
	if w.to == nil && time.Now().Before(w.after) {
		w.lost++
		return
	}
	err := f.write(w, line)
	if err == nil {
		return
	}
	w.close()
	w.lost++
	w.after = time.Now().Add(f.again)
	if !w.bad {
		w.bad = true
		f.tell.Warn("the log file is given up for now; the log goes on here", "err", err)
	}
}

func (f *logFile) write(w *logWriter, line []byte) (err error) {
	if w.to == nil {
		if w.to, err = f.open(); err != nil {
			return err
		}
	}
	var b bytes.Buffer
	if w.torn {
		b.WriteByte('\n')
	}
	if w.lost > 0 {
		newLog(&b, f.json != nil && f.json(), false).Warn("lines are missing here; the log on stderr has them", "lines", w.lost)
	}
	b.Write(line)
	n, err := w.to.Write(b.Bytes())
	if n > 0 {
		w.torn = b.Bytes()[n-1] != '\n'
	}
	if err != nil {
		return err
	}
	if w.bad {
		f.tell.Info("the log file is written again")
	}
	w.bad, w.lost = false, 0
	return nil
}
