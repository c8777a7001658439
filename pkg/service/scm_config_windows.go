package service

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
	"golang.org/x/sys/windows/svc/mgr"
)

// recovery brings the service back whatever ended it, later each time. Each
// action past the last is the last again; after a quiet day it begins anew.
var recovery = []mgr.RecoveryAction{
	{Type: mgr.ServiceRestart, Delay: time.Second},
	{Type: mgr.ServiceRestart, Delay: 10 * time.Second},
	{Type: mgr.ServiceRestart, Delay: time.Minute},
}

// registered ends the description of a service that the connector registered.
const registered = "(Registered by the connector.)"

const quiet = 24 * 60 * 60 // seconds

// config is u as the Service Control Manager has it. The account is one that
// the system makes for this service alone, without a password.
func config(u Unit) mgr.Config {
	words := []string{windows.EscapeArg(u.Program)}
	for _, arg := range u.Args {
		words = append(words, windows.EscapeArg(arg))
	}
	return mgr.Config{
		ServiceType:      windows.SERVICE_WIN32_OWN_PROCESS,
		StartType:        mgr.StartAutomatic,
		DelayedAutoStart: true,
		ErrorControl:     mgr.ErrorNormal,
		BinaryPathName:   strings.Join(words, " "),
		ServiceStartName: `NT SERVICE\` + u.Name,
		DisplayName:      u.Name,
		Description:      u.Description + " " + registered,
		SidType:          windows.SERVICE_SID_TYPE_UNRESTRICTED,
	}
}

func create(u Unit) error {
	manager, err := mgr.Connect()
	if err != nil {
		return fmt.Errorf("open the Service Control Manager: %w", err)
	}
	defer func() { _ = manager.Disconnect() }() // nothing is kept back until then
	s, err := manager.CreateService(u.Name, u.Program, config(u), u.Args...)
	if err != nil {
		return err
	}
	return s.Close()
}

func put(name string, c mgr.Config, actions []mgr.RecoveryAction) error {
	// A service that is to be restarted needs SERVICE_START as well.
	const rights = windows.SERVICE_CHANGE_CONFIG | windows.SERVICE_QUERY_CONFIG | windows.SERVICE_START
	return with(name, rights, func(s *mgr.Service) error {
		if err := s.UpdateConfig(c); err != nil {
			return err
		}
		if len(actions) == 0 { // somebody took them away
			return s.ResetRecoveryActions()
		}
		if err := s.SetRecoveryActions(actions, quiet); err != nil {
			return err
		}
		return s.SetRecoveryActionsOnNonCrashFailures(true)
	})
}

// eventSources is where the sources of the event log's Application log are.
const eventSources = `SYSTEM\CurrentControlSet\Services\EventLog\Application\`

func hasEvents(name string) bool {
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, eventSources+name, registry.QUERY_VALUE)
	if err != nil {
		return false
	}
	_ = key.Close() // it was only read
	return true
}

// starts reports whether a service starts with the system. It asks for less
// than Config does, and so works where not all of that can be asked for.
func starts(s *mgr.Service) (bool, error) {
	size := uint32(1024)
	for {
		b := make([]byte, size)
		c := (*windows.QUERY_SERVICE_CONFIG)(unsafe.Pointer(&b[0])) //nolint:gosec // so the system returns it
		err := windows.QueryServiceConfig(s.Handle, c, size, &size)
		if !errors.Is(err, windows.ERROR_INSUFFICIENT_BUFFER) || int(size) <= len(b) {
			return err == nil && c.StartType == mgr.StartAutomatic, err
		}
	}
}
