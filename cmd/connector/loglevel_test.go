package main

import (
	"encoding/json"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/home"
)

// tuned is a running log of a home, and what it says on stderr.
func tuned(t *testing.T, verbose bool) (*runLog, *home.Home, *transcript) {
	t.Helper()
	h, said := logHome(t), new(transcript)
	if err := h.Create(); err != nil {
		t.Fatal(err)
	}
	l := (&app{stderr: said, verbose: verbose}).openRunLog("")
	l.openFile(h)
	t.Cleanup(l.close)
	return l, h, said
}

func signals(format, level string) config.Config {
	c := config.Default()
	c.Signals.LogFormat, c.Signals.LogLevel = format, level
	return c
}

// TestLogChangesWhileItRuns: a reload changes the format and the level, also of
// loggers that were made before, and the file is read all the same.
func TestLogChangesWhileItRuns(t *testing.T) {
	l, h, said := tuned(t, false)
	hub := l.log.With("part", "hub")
	hub.Debug("hidden 1")
	hub.Info("one", "request", "p1")
	l.tune(signals("json", "debug"))
	hub.Debug("two", "request", "p2", "took", time.Second)
	l.tune(signals("text", "warn"))
	hub.Info("hidden 2")
	hub.Warn("three", "request", "p1")
	l.tune(signals("json", "error"))
	hub.Warn("hidden 3")
	hub.Error("four")
	l.close()
	lines := strings.Split(strings.TrimSuffix(said.String(), "\n"), "\n")
	if len(lines) != 4 || strings.Contains(said.String(), "hidden") || !strings.Contains(lines[0], "] one part=hub request=p1") ||
		!json.Valid([]byte(lines[1])) || !strings.Contains(lines[2], "] warn: three") || !json.Valid([]byte(lines[3])) {
		t.Errorf("stderr has\n%s", said)
	}
	out, note, err := showLogs(t.Context(), h)
	if got := out.String(); err != nil || note.String() != "" || strings.Count(got, "\n") != 4 ||
		!strings.Contains(got, "] debug: two part=hub request=p2 took=1s\n") || !strings.Contains(got, "] error: four part=hub\n") {
		t.Errorf("%v, %s: %s", err, note, got)
	}
	for request, want := range map[string]string{"p1": "one three ", "p2": "two ", "p": ""} {
		out, _, err := showLogs(t.Context(), h, "--request", request, "-o", "json")
		got := ""
		for line := range strings.Lines(out.String()) {
			var one logLine
			if err := json.Unmarshal([]byte(line), &one); err != nil {
				t.Error(err)
			}
			got += one.Message + " "
		}
		if err != nil || got != want {
			t.Errorf("--request %s: %q, %v", request, got, err)
		}
	}
	if out, _, err := showLogs(t.Context(), h, "--request", "p1", "-n", "1"); err != nil || !strings.Contains(out.String(), "three") || strings.Contains(out.String(), "one") {
		t.Errorf("the last of p1: %q, %v", out, err)
	}
}

// TestLevelForAWhile: it holds until its time, over a reload too, and over
// damage to its file nothing is said twice.
func TestLevelForAWhile(t *testing.T) {
	l, h, said := tuned(t, false)
	now := time.Now()
	w := levelWatch{log: l, home: h}
	want := func(what string, level slog.Level) {
		t.Helper()
		if got := l.level.Level(); got != level {
			t.Errorf("%s: %v, want %v", what, got, level)
		}
	}
	w.look(now)
	want("at first", slog.LevelInfo)
	if _, note, err := showLogs(t.Context(), h, "--level", "debug", "--for", "10m"); err != nil || !strings.Contains(note.String(), "no connector runs here") {
		t.Fatal(err, note)
	}
	w.look(now)
	want("asked", slog.LevelDebug)
	l.tune(signals("text", "warn"))
	want("reloaded", slog.LevelDebug)
	w.look(now.Add(9 * time.Minute))
	want("after nine minutes", slog.LevelDebug)
	w.look(now.Add(11 * time.Minute))
	want("after eleven", slog.LevelWarn)
	if _, err := os.Stat(h.Path("state", "log-level.json")); !os.IsNotExist(err) {
		t.Errorf("the file is still there: %v", err)
	}
	if _, _, err := showLogs(t.Context(), h, "--level", "error"); err != nil {
		t.Fatal(err)
	}
	w.look(now)
	want("less", slog.LevelError)
	if _, _, err := showLogs(t.Context(), h, "--level", "default"); err != nil {
		t.Fatal(err)
	}
	w.look(now)
	want("given back", slog.LevelWarn)
	for _, bad := range []string{"{", `{"level":"loud","until":"2100-01-01T00:00:00Z"}`, `{"level":"debug","until":"2100-01-01T00:00:00Z"}`} {
		if err := os.WriteFile(h.Path("state", "log-level.json"), []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		w.look(now)
		w.look(now)
		want(bad, slog.LevelWarn)
	}
	if n := strings.Count(said.String(), "the level that was asked for is ignored"); n != 3 {
		t.Errorf("%d warnings: %s", n, said)
	}
	if n := strings.Count(said.String(), "log level: "); n != 2 { // at warn nobody hears of the other two
		t.Errorf("%d changes are told: %s", n, said)
	}
}

func TestVerboseStays(t *testing.T) {
	l, h, _ := tuned(t, true)
	l.tune(signals("text", "error"))
	if err := h.SaveState(levelState, askedLevel{"warn", time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	(&levelWatch{log: l, home: h}).look(time.Now())
	if got := l.level.Level(); got != slog.LevelDebug {
		t.Errorf("-v logs at %v", got)
	}
}

func TestSystemLevelFollows(t *testing.T) {
	for _, tt := range []struct{ level, least, want slog.Level }{
		{slog.LevelInfo, slog.LevelInfo, slog.LevelInfo}, {slog.LevelDebug, slog.LevelInfo, slog.LevelDebug}, {slog.LevelError, slog.LevelInfo, slog.LevelError},
		{slog.LevelInfo, slog.LevelWarn, slog.LevelWarn}, {slog.LevelDebug, slog.LevelWarn, slog.LevelInfo},
		{slog.LevelWarn, slog.LevelWarn, slog.LevelWarn}, {slog.LevelError, slog.LevelWarn, slog.LevelError},
	} {
		if got := (systemLevel{tt.level, tt.least}).Level(); got != tt.want {
			t.Errorf("%v over %v: %v, want %v", tt.level, tt.least, got, tt.want)
		}
	}
}

func TestLevelIsAskedRightly(t *testing.T) {
	for name, args := range map[string][]string{
		"no such level": {"--level", "loud"}, "for ever": {"--level", "debug", "--for", "25h"}, "for no time": {"--level", "debug", "--for", "0s"},
		"for without": {"--for", "5m"},
	} {
		if _, _, err := showLogs(t.Context(), logHome(t), args...); exitCode(err, false) != exitUsage {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := showLogs(t.Context(), logHome(t), "--level", "debug"); exitCode(err, false) != exitFault {
		t.Errorf("without a home: %v", err)
	}
}
