package main

import (
	"io"
	"log/slog"

	"ad-ldap-connector/pkg/home"
)

// A runLog is where a running connector's records go: to the system's log where
// that is what a service has, else to stderr; and to the home's log file.
type runLog struct {
	log   *slog.Logger // to all of them
	apart *slog.Logger // to those that a fault said on stderr does not reach
	tuning

	system *systemLog // nil: stderr
	file   *logFile   // nil: none yet, or none at all
}

// openRunLog opens what there is before the home is known. A system's log that
// cannot be opened is said on stderr, which then is the log.
func (a *app) openRunLog(service string) *runLog {
	l := &runLog{apart: slog.New(slog.DiscardHandler)}
	l.begin(a.verbose, a.env("LOG_FORMAT"), a.env("LOG_LEVEL"))
	stderr := newEitherHandler(a.stderr, &l.level, func() bool { return a.json() || l.asJSON() })
	l.log = slog.New(stderr)
	if a.json() {
		return l // whoever asks for lines of JSON is to get them, also in a journal
	}
	put, least, err := openSystemLog(service)
	if err != nil {
		l.log.Warn("the log goes on here", "err", err)
	}
	if put == nil {
		return l
	}
	l.system = newSystemLog(put, stderr, systemWait)
	l.log = slog.New(l.system.handler(systemLevel{&l.level, least}))
	l.apart = l.log
	return l
}

// openFile adds the log file of the home. Where all settings come from the
// environment nothing else is kept in the home either, and there is none.
func (l *runLog) openFile(h *home.Home) {
	c, err := h.Config()
	if err == nil {
		l.tune(c)
	}
	if err == nil && c.EnvOnly() {
		return
	}
	l.file = newLogFile(func() (io.WriteCloser, error) { return openLogFile(h) }, l.log, logAgain)
	l.file.json = l.asJSON
	file := newEitherHandler(l.file, &l.level, l.asJSON)
	if l.log, l.apart = slog.New(slog.NewMultiHandler(l.log.Handler(), file)), slog.New(file); l.system != nil {
		l.apart = l.log
	}
}

// close writes what waits.
func (l *runLog) close() {
	if l.file != nil {
		l.file.Close()
	}
	if l.system != nil {
		l.system.Close()
	}
}
