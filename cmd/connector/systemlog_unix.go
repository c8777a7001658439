//go:build unix

package main

import (
	"log/slog"
	"strings"

	"github.com/coreos/go-systemd/v22/journal"
)

// openSystemLog returns what takes records to the journal where stderr leads
// there, as it does under systemd, and nil elsewhere. What is said on stderr
// too would be there twice.
func openSystemLog(string) (put func(note) error, level slog.Level, err error) {
	under, err := journal.StderrIsJournalStream()
	if err != nil || !under {
		return nil, 0, err
	}
	return putJournal, slog.LevelInfo, nil
}

// systemIsStderr reports whether what is said on stderr is in the system's log.
const systemIsStderr = true

// putJournal hands a record to the journal. MESSAGE is what people read, with
// the attributes; each of them is a field of its own too.
func putJournal(n note) error { return journal.Send(n.text, priority(n.level), journalFields(n)) }

func journalFields(n note) map[string]string {
	fields := map[string]string{}
	for key, text := range n.fields {
		fields[fieldName(key)] = strings.ToValidUTF8(text, "\uFFFD")
	}
	fields["CONNECTOR_EVENT"] = n.event
	fields["SYSLOG_IDENTIFIER"] = "connector" // as for what is written to stderr
	return fields
}

// longestField is how long a field's name may be, as journald has it.
const longestField = 64

// fieldName is the journal's name of an attribute.
func fieldName(key string) string {
	name := "CONNECTOR_" + strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
			return r
		}
		return '_'
	}, key)
	return name[:min(len(name), longestField)]
}

// priority is syslog's word for a level.
func priority(l slog.Level) journal.Priority {
	switch {
	case l >= slog.LevelError:
		return journal.PriErr
	case l >= slog.LevelWarn:
		return journal.PriWarning
	case l >= slog.LevelInfo:
		return journal.PriInfo
	}
	return journal.PriDebug
}
