//go:build unix

package main

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"

	"github.com/coreos/go-systemd/v22/journal"
	"github.com/google/go-cmp/cmp"
)

func TestJournalFields(t *testing.T) {
	long := strings.Repeat("x", 100)
	got := journalFields(note{event: "answered", fields: map[string]string{
		"user": "alice\xff", "g.in-n": "1", "ümlaut": "2", "event": "mine", "": "3", long: "4",
	}})
	want := map[string]string{
		"SYSLOG_IDENTIFIER": "connector", "CONNECTOR_EVENT": "answered", "CONNECTOR_USER": "alice\uFFFD", "CONNECTOR_G_IN_N": "1",
		"CONNECTOR__MLAUT": "2", "CONNECTOR_": "3", "CONNECTOR_" + strings.Repeat("X", 54): "4",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for level, want := range map[slog.Level]journal.Priority{
		slog.LevelDebug: journal.PriDebug, slog.LevelInfo: journal.PriInfo, slog.LevelWarn: journal.PriWarning,
		slog.LevelError: journal.PriErr, slog.LevelError + 4: journal.PriErr, slog.LevelWarn + 1: journal.PriWarning,
	} {
		if got := priority(level); got != want {
			t.Errorf("%s: %d, want %d", level, got, want)
		}
	}
}

// TestNoJournalHere checks that a variable that was inherited means nothing,
// and that a broken one is no reason to be silent.
func TestNoJournalHere(t *testing.T) {
	for value, said := range map[string]string{"": "", "1:2": "", "broken": "] warn: the log goes on here err="} {
		t.Setenv("JOURNAL_STREAM", value)
		var stderr transcript
		l := (&app{stderr: &stderr}).openRunLog("name")
		l.log.Info("hello")
		l.close()
		if text := stderr.String(); l.system != nil || !strings.Contains(text, said) || !strings.HasSuffix(text, "] hello\n") {
			t.Errorf("%q: %q", value, text)
		}
	}
}

// systemHelp is help for what not all systems have.
func systemHelp(verb string, args []string) error {
	if verb != "note" { // N: a record of so many octets, for the journal
		return fmt.Errorf("%q is no verb", verb)
	}
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	return putJournal(note{event: "big", text: "big", fields: map[string]string{"err": strings.Repeat("line\n", n/5)}})
}
