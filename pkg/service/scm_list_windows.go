package service

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc/mgr"
)

func (scm) List(ctx context.Context) ([]Registration, error) {
	handle, err := windows.OpenSCManager(nil, nil, windows.SC_MANAGER_CONNECT|windows.SC_MANAGER_ENUMERATE_SERVICE)
	if err != nil {
		return nil, fmt.Errorf("open the Service Control Manager: %w", denied(err))
	}
	m := &mgr.Mgr{Handle: handle}
	defer func() { _ = m.Disconnect() }() // nothing is kept back until then
	names, err := m.ListServices()
	if err != nil {
		return nil, fmt.Errorf("list the services: %w", denied(err))
	}
	slices.Sort(names)
	var list []Registration
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("list the connector's services: %w", err)
		}
		if !strings.HasPrefix(name, systemName("")) {
			continue
		}
		r, err := current(name)
		if err != nil || r == nil {
			continue // a foreign one, or one that is gone by now
		}
		list = append(list, parseCommand(name, r.BinaryPathName))
	}
	return list, nil
}

// parseCommand reads a registered command line: the program, and the home that
// it is told.
func parseCommand(name, command string) Registration {
	r := Registration{Name: name}
	words, err := windows.DecomposeCommandLine(command)
	if err != nil || len(words) == 0 {
		return r
	}
	r.Program = words[0]
	if i := slices.Index(words, "--home"); i >= 0 && i+1 < len(words) {
		r.Home = words[i+1]
	}
	return r
}

func homeOf(name string) string {
	r, err := current(name)
	if err != nil || r == nil {
		return ""
	}
	return parseCommand(name, r.BinaryPathName).Home
}
