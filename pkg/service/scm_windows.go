package service

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/mgr"
)

// An scm asks the Service Control Manager.
type scm struct{}

func system() (Manager, error) { return scm{}, nil }

// with opens the service and lets do use it; a service that is not there is
// ErrNotRegistered.
func with(name string, rights uint32, do func(*mgr.Service) error) error {
	if err := checkName(name); err != nil {
		return err
	}
	manager, err := windows.OpenSCManager(nil, nil, windows.SC_MANAGER_CONNECT)
	if err != nil {
		return fmt.Errorf("open the Service Control Manager: %w", err)
	}
	defer func() { _ = windows.CloseServiceHandle(manager) }() // nothing is kept back until then
	text, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return err
	}
	handle, err := windows.OpenService(manager, text, rights)
	if errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST) {
		return ErrNotRegistered
	}
	if err != nil {
		return denied(err)
	}
	s := &mgr.Service{Name: name, Handle: handle}
	defer func() { _ = s.Close() }() // the same
	return do(s)
}

// A deniedError is for an administrator to do.
type deniedError struct{ error }

func (e deniedError) Unwrap() error { return e.error }

// Hint says what to do.
func (deniedError) Hint() string { return "Run this as an administrator." }

func denied(err error) error {
	if errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		return deniedError{err}
	}
	return err
}

// failed is an error with what was being done.
func failed(doing, name string, err error) error {
	return fmt.Errorf("%s the service %s: %w", doing, name, denied(err))
}

// current returns what is registered, nil if nothing is. What the connector did
// not register is a *ForeignError.
func current(name string) (*record, error) {
	var r *record
	err := with(name, windows.SERVICE_QUERY_CONFIG, func(s *mgr.Service) (err error) {
		if r, err = readRecord(s); err == nil && !strings.HasSuffix(r.Description, registered) {
			err = &ForeignError{Name: name, Where: r.BinaryPathName}
		}
		return err
	})
	if errors.Is(err, ErrNotRegistered) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (scm) Registered(_ context.Context, u Unit) (bool, error) {
	if err := u.check(); err != nil {
		return false, err
	}
	if u.Environment != "" {
		return false, fmt.Errorf("register %q: Windows services read no environment from a file", u.Name)
	}
	r, err := current(u.Name)
	if err != nil || r == nil {
		return false, err
	}
	known, _, err := eventSource(u.Name)
	return known && r.is(recordOf(u)), err
}

func (m scm) Register(ctx context.Context, u Unit) (Change, error) {
	if same, err := m.Registered(ctx, u); same || err != nil {
		return Change{}, err
	}
	before, err := current(u.Name)
	if err != nil {
		return Change{}, err
	}
	if err := ctx.Err(); err != nil {
		return Change{}, failed("register", u.Name, err)
	}
	known, _, err := eventSource(u.Name)
	if err != nil {
		return Change{}, failed("register", u.Name, err)
	}
	c := Change{undo: func(ctx context.Context) error { return m.putBack(ctx, u.Name, before, known) }}
	if before == nil {
		err = create(u)
	}
	if err == nil {
		err = put(u.Name, recordOf(u))
	}
	if err == nil {
		err = addEvents(u.Name)
	}
	if err != nil {
		return c, failed("register", u.Name, err)
	}
	return c, nil
}

// putBack is the way back from Register. The source of the event log stays if it
// was there before.
func (m scm) putBack(ctx context.Context, name string, before *record, events bool) error {
	var err error
	if before != nil {
		err = put(name, before)
	} else {
		err = m.drop(ctx, name)
	}
	if !events {
		err = errors.Join(err, removeEvents(name))
	}
	if err != nil {
		return failed("put back", name, err)
	}
	return nil
}

func (m scm) Remove(ctx context.Context, name string) error {
	if err := m.drop(ctx, name); err != nil {
		return err
	}
	if err := removeEvents(name); err != nil {
		return failed("remove", name, err)
	}
	return nil
}

// drop is Remove, but for the event log.
func (m scm) drop(ctx context.Context, name string) error {
	if r, err := current(name); err != nil || r == nil {
		return err
	}
	if err := m.Stop(ctx, name); err != nil {
		return err
	}
	err := with(name, windows.DELETE, (*mgr.Service).Delete)
	if err != nil && !errors.Is(err, ErrNotRegistered) && !errors.Is(err, windows.ERROR_SERVICE_MARKED_FOR_DELETE) {
		return failed("remove", name, err)
	}
	// It is gone once the last program that looks at it has closed it.
	err = eventually(ctx, func() (bool, error) {
		err := with(name, windows.SERVICE_QUERY_STATUS, func(*mgr.Service) error { return nil })
		return errors.Is(err, ErrNotRegistered), nil
	})
	if err != nil {
		return failed("remove", name, fmt.Errorf("wait until nobody looks at it: %w", err))
	}
	return nil
}

func (m scm) Start(ctx context.Context, name string) error {
	err := with(name, windows.SERVICE_START|windows.SERVICE_QUERY_STATUS, func(s *mgr.Service) error {
		if err := s.Start(); err != nil && !errors.Is(err, windows.ERROR_SERVICE_ALREADY_RUNNING) {
			return err
		}
		return eventually(ctx, func() (bool, error) {
			q, err := s.Query()
			if err == nil && q.State == svc.Stopped {
				err = fmt.Errorf("it ended before it was ready (%s)", ended(q))
			}
			return q.State == svc.Running, err
		})
	})
	if err != nil {
		return failed("start", name, err)
	}
	return nil
}

func (m scm) Stop(ctx context.Context, name string) error {
	err := with(name, windows.SERVICE_STOP|windows.SERVICE_QUERY_STATUS, func(s *mgr.Service) error {
		return eventually(ctx, func() (bool, error) {
			q, err := s.Query()
			if err != nil || q.State == svc.Stopped {
				return true, err
			}
			if q.State == svc.Running {
				if _, err = s.Control(svc.Stop); errors.Is(err, windows.ERROR_SERVICE_NOT_ACTIVE) {
					return true, nil
				}
			}
			return false, err
		})
	})
	if err != nil && !errors.Is(err, ErrNotRegistered) {
		return failed("stop", name, err)
	}
	return nil
}

func (scm) Status(_ context.Context, name string) (Status, error) {
	var st Status
	err := with(name, windows.SERVICE_QUERY_STATUS|windows.SERVICE_QUERY_CONFIG, func(s *mgr.Service) error {
		q, err := s.Query()
		if err != nil {
			return err
		}
		st.PID = int(q.ProcessId)
		switch q.State {
		case svc.Running, svc.Paused, svc.PausePending, svc.ContinuePending:
			st.State = Running
		case svc.StartPending:
			st.State = Starting
		case svc.StopPending:
			st.State = Stopping
		default:
			st.State, st.Detail = Stopped, ended(q)
		}
		c, err := basics(s)
		st.Enabled = c.StartType == mgr.StartAutomatic
		return err
	})
	if errors.Is(err, ErrNotRegistered) {
		return Status{State: None}, nil
	}
	if err != nil {
		return Status{}, failed("ask for", name, err)
	}
	return st, nil
}

// ended says how a service ended that did not do so on request.
func ended(q svc.Status) string {
	switch {
	case q.Win32ExitCode == 0 || q.Win32ExitCode == uint32(windows.ERROR_SERVICE_NEVER_STARTED):
		return ""
	case q.ServiceSpecificExitCode != 0:
		return fmt.Sprintf("exit code %d", q.ServiceSpecificExitCode)
	}
	return windows.Errno(q.Win32ExitCode).Error()
}

// eventually asks until it is so, for two minutes at most.
func eventually(ctx context.Context, so func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if ok, err := so(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}
