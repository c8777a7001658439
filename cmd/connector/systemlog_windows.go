package main

import (
	"fmt"
	"log/slog"
	"strings"

	"golang.org/x/sys/windows/svc/eventlog"
)

// openSystemLog returns what takes records to the Event Log, under the name of
// the service; nil in a terminal, where there is no service.
func openSystemLog(service string) (put func(note) error, level slog.Level, err error) {
	if service == "" {
		return nil, 0, nil
	}
	l, err := eventlog.Open(service)
	if err != nil {
		return nil, 0, fmt.Errorf("open the Event Log for %s: %w", service, err)
	}
	return func(n note) error { // the handle is closed with the process
		id, text := eventID(n), eventText(n)
		switch {
		case n.level >= slog.LevelError:
			return l.Error(id, text)
		case n.level >= slog.LevelWarn:
			return l.Warning(id, text)
		}
		return l.Info(id, text)
	}, slog.LevelWarn, nil
}

// systemIsStderr: a service has no stderr, and a terminal no service.
const systemIsStderr = false

// longestEvent is less than an event's text may have, in UTF-16.
const longestEvent = 15_000

// eventText is what an event shows. A zero would end it.
func eventText(n note) string {
	text := strings.ToValidUTF8(strings.ReplaceAll(n.text, "\x00", "\uFFFD"), "\uFFFD")
	if len(text) > longestEvent {
		text = strings.ToValidUTF8(text[:longestEvent], "") + " ..."
	}
	return text
}
