package service

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
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

// create registers the least of u, and whose it is.
func create(u Unit) error {
	manager, err := mgr.Connect()
	if err != nil {
		return fmt.Errorf("open the Service Control Manager: %w", err)
	}
	defer func() { _ = manager.Disconnect() }() // nothing is kept back until then
	c := recordOf(u).Config
	c.SidType, c.DelayedAutoStart = windows.SERVICE_SID_TYPE_NONE, false // put sees to them
	s, err := manager.CreateService(u.Name, u.Program, c, u.Args...)
	if err != nil {
		return err
	}
	return s.Close()
}

// put gives a service what r says, as far as the manager keeps that.
func put(name string, r *record) error {
	return with(name, changing, func(s *mgr.Service) error {
		if err := configure(s, r.Config); err != nil {
			return err
		}
		if len(r.recovery) == 0 { // somebody took them away
			return kept(s.ResetRecoveryActions())
		}
		if err := kept(s.SetRecoveryActions(r.recovery, r.reset)); err != nil {
			return err
		}
		return kept(s.SetRecoveryActionsOnNonCrashFailures(r.always))
	})
}

// changing are the rights that it takes. One that is to be restarted needs
// SERVICE_START as well.
const changing = windows.SERVICE_CHANGE_CONFIG | windows.SERVICE_QUERY_CONFIG | windows.SERVICE_START

// configure is mgr.Service.UpdateConfig, for a manager that may not keep all.
func configure(s *mgr.Service, c mgr.Config) error {
	var texts [4]*uint16
	for i, text := range []string{c.BinaryPathName, c.ServiceStartName, c.DisplayName, c.Description} {
		if text == "" && i < 3 { // it stays as it is
			continue
		}
		var err error
		if texts[i], err = windows.UTF16PtrFromString(text); err != nil {
			return err
		}
	}
	err := windows.ChangeServiceConfig(s.Handle, c.ServiceType, c.StartType, c.ErrorControl, texts[0], nil, nil, nil, texts[1], nil, texts[2])
	if err != nil {
		return err
	}
	delayed := uint32(0)
	if c.DelayedAutoStart {
		delayed = 1
	}
	for _, info := range []struct {
		level uint32
		value unsafe.Pointer
	}{
		{windows.SERVICE_CONFIG_DESCRIPTION, unsafe.Pointer(&windows.SERVICE_DESCRIPTION{Description: texts[3]})}, //nolint:gosec // so the system takes it
		{windows.SERVICE_CONFIG_DELAYED_AUTO_START_INFO, unsafe.Pointer(&delayed)},                                //nolint:gosec // the same
		{windows.SERVICE_CONFIG_SERVICE_SID_INFO, unsafe.Pointer(&c.SidType)},                                     //nolint:gosec // the same
	} {
		if err := kept(windows.ChangeServiceConfig2(s.Handle, info.level, (*byte)(info.value))); err != nil {
			return err
		}
	}
	return nil
}

// kept passes over that a manager does not keep what it was told.
func kept(err error) error {
	if errors.Is(err, windows.ERROR_INVALID_LEVEL) {
		return nil
	}
	return err
}
