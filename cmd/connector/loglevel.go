package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/home"
)

// logLevels are the values of LOG_LEVEL.
var logLevels = map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}

// A tuning is how much a running connector logs, and how. Both may change at
// any time: by the configuration, and by a level that is asked for a while.
type tuning struct {
	level slog.LevelVar
	json  atomic.Bool

	mu         sync.Mutex
	verbose    bool // asked for when it was started: nothing makes it say less
	configured slog.Level
	asked      *askedLevel // nil: none
}

// begin takes what is known before the home is. What does not fit its key is
// told when the configuration is read.
func (t *tuning) begin(verbose bool, format, level string) {
	t.verbose, t.configured = verbose, logLevels[level] // none is info's zero
	t.json.Store(format == "json")
	t.set()
}

func (t *tuning) asJSON() bool { return t.json.Load() }

// tune takes what a configuration says.
func (t *tuning) tune(c config.Config) {
	t.json.Store(c.Signals.LogFormat == "json")
	t.mu.Lock()
	defer t.mu.Unlock()
	t.configured = logLevels[c.Signals.LogLevel]
	t.set()
}

// ask sets the level that is asked for; nil ends that.
func (t *tuning) ask(a *askedLevel) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asked = a
	t.set()
}

// set makes the level what it should be. Where there may be others, the lock is
// held.
func (t *tuning) set() {
	level := t.configured
	if t.asked != nil {
		level = logLevels[t.asked.Level]
	}
	if t.verbose {
		level = slog.LevelDebug
	}
	t.level.Set(level)
}

// A systemLevel is that of a system's log, which by itself wants no less than
// least, and follows when more is asked for.
type systemLevel struct {
	of    slog.Leveler
	least slog.Level
}

// Level is the least that the log gets.
func (s systemLevel) Level() slog.Level {
	level := s.of.Level()
	if level < slog.LevelInfo {
		return s.least - (slog.LevelInfo - level)
	}
	return max(s.least, level)
}

// An askedLevel is the state by which "connector logs --level" reaches a running
// connector: a file of the home, which only root and the connector's account
// can write.
type askedLevel struct {
	Level string    `json:"level"`
	Until time.Time `json:"until"`
}

const (
	levelState   = "log-level"
	levelLongest = 24 * time.Hour
	levelEvery   = time.Second
)

// check says why the level cannot be, or no longer; "" when it can.
func (a *askedLevel) check(now time.Time) (fault string) {
	if _, ok := logLevels[a.Level]; !ok {
		return fmt.Sprintf("%.40q is no level", a.Level)
	}
	if a.Until.After(now.Add(levelLongest + time.Hour)) { // clocks differ, and are set
		return "it would be for more than a day"
	}
	return ""
}

// follow takes the level that is asked for, until ctx ends.
func (l *runLog) follow(ctx context.Context, h *home.Home) {
	w := levelWatch{log: l, home: h}
	tick := time.NewTicker(levelEvery)
	defer tick.Stop()
	for {
		w.look(time.Now())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// A levelWatch knows what it has seen of the state, so that a look at a file
// that stays as it is costs next to nothing.
type levelWatch struct {
	log  *runLog
	home *home.Home

	seen fs.FileInfo // nil: there was none
	now  *askedLevel // that holds; nil: none
}

func (w *levelWatch) look(now time.Time) {
	info, err := os.Lstat(w.home.Path("state", levelState+".json"))
	if err != nil {
		info = nil
	}
	if !sameFile(w.seen, info) {
		w.seen = info
		w.take(now)
	}
	if w.now != nil && !now.Before(w.now.Until) {
		w.become(nil)
		_ = w.home.RemoveState(levelState) // it holds no longer in any case
	}
}

// sameFile reports whether two looks at a name saw the same file, unchanged.
func sameFile(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// take reads the state.
func (w *levelWatch) take(now time.Time) {
	var asked askedLevel
	err := w.home.LoadState(levelState, &asked)
	if err == nil {
		if fault := asked.check(now); fault != "" {
			err = errors.New(fault)
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		w.become(nil)
	case err != nil:
		w.log.log.Warn("the level that was asked for is ignored", "err", err)
		w.become(nil)
	case now.Before(asked.Until):
		w.become(&asked)
	default:
		w.become(nil)
	}
}

// become logs the change where both the former and the next level allow it to
// be seen, if one of them does.
func (w *levelWatch) become(next *askedLevel) {
	if next == nil && w.now == nil {
		return
	}
	before := w.log.level.Level()
	w.now = next
	tell := func() {
		if next == nil {
			w.log.log.Info("log level: as configured again")
			return
		}
		w.log.log.Info("log level: as asked for", "level", next.Level, "until", next.Until.UTC().Format(time.RFC3339))
	}
	if before <= slog.LevelInfo {
		tell()
		w.log.ask(next)
		return
	}
	w.log.ask(next)
	tell()
}
