package service

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/windows/registry"
	"golang.org/x/sys/windows/svc/eventlog"
)

// eventSources is where the sources of the event log's Application log are.
const eventSources = `SYSTEM\CurrentControlSet\Services\EventLog\Application\`

// eventSource reports whether the event log knows a source of that name, and
// whether it is one of the connector's: its events have a text and no more, for
// which Windows has a file of messages.
func eventSource(name string) (known, ours bool, err error) {
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, eventSources+name, registry.QUERY_VALUE)
	if errors.Is(err, fs.ErrNotExist) {
		return false, false, nil
	}
	if err != nil {
		return false, false, fmt.Errorf("look for its source of the event log: %w", denied(err))
	}
	defer func() { _ = key.Close() }() // it was only read
	file, _, err := key.GetStringValue("EventMessageFile")
	return true, err == nil && strings.HasSuffix(strings.ToLower(file), `\eventcreate.exe`), nil
}

// addEvents makes the event log know the source, unless it does.
func addEvents(name string) error {
	known, _, err := eventSource(name)
	if err != nil || known {
		return err
	}
	if err := eventlog.InstallAsEventCreate(name, eventlog.Info|eventlog.Warning|eventlog.Error); err != nil {
		return fmt.Errorf("make it a source of the event log: %w", denied(err))
	}
	return nil
}

// removeEvents takes a source of the connector's from the event log. What it
// said there stays.
func removeEvents(name string) error {
	_, ours, err := eventSource(name)
	if err != nil || !ours {
		return err
	}
	if err := eventlog.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("take its source from the event log: %w", denied(err))
	}
	return nil
}
