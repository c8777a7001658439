package service

import (
	"errors"
	"slices"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc/mgr"
)

// A record is what the Service Control Manager has of a service.
type record struct {
	mgr.Config // without Dependencies, LoadOrderGroup and TagId, which are left as they are
	recovery   []mgr.RecoveryAction
	reset      uint32 // seconds
	always     bool   // also after an orderly end that reports a failure

	// lacks are kinds of information that this manager does not keep. Windows
	// keeps them all; Wine, where the tests run, refuses some. What a manager
	// does not keep is not missing from a service.
	lacks []uint32
}

// recordOf is what the manager is to have of u. The account is one that the
// system makes for this service alone, without a password.
func recordOf(u Unit) *record {
	words := []string{windows.EscapeArg(u.Program)}
	for _, arg := range u.Args {
		words = append(words, windows.EscapeArg(arg))
	}
	return &record{
		Config: mgr.Config{
			ServiceType:      windows.SERVICE_WIN32_OWN_PROCESS,
			StartType:        mgr.StartAutomatic,
			DelayedAutoStart: true,
			ErrorControl:     mgr.ErrorNormal,
			BinaryPathName:   strings.Join(words, " "),
			ServiceStartName: `NT SERVICE\` + u.Name,
			DisplayName:      u.Name,
			Description:      u.Description + " " + registered,
			SidType:          windows.SERVICE_SID_TYPE_UNRESTRICTED,
		},
		recovery: recovery, reset: quiet, always: true,
	}
}

// is reports whether r is all that want says, as far as its manager keeps that.
func (r *record) is(want *record) bool {
	kept := func(level uint32) bool { return !slices.Contains(r.lacks, level) }
	switch {
	case r.BinaryPathName != want.BinaryPathName, !strings.EqualFold(r.ServiceStartName, want.ServiceStartName),
		r.StartType != want.StartType, r.ErrorControl != want.ErrorControl, r.DisplayName != want.DisplayName, r.Description != want.Description:
	case kept(windows.SERVICE_CONFIG_DELAYED_AUTO_START_INFO) && r.DelayedAutoStart != want.DelayedAutoStart:
	case kept(windows.SERVICE_CONFIG_SERVICE_SID_INFO) && r.SidType != want.SidType:
	case kept(windows.SERVICE_CONFIG_FAILURE_ACTIONS) && (r.reset != want.reset || !slices.Equal(r.recovery, want.recovery)):
	case kept(windows.SERVICE_CONFIG_FAILURE_ACTIONS_FLAG) && r.always != want.always:
	default:
		return true
	}
	return false
}

// readRecord asks for all that is compared, and for what says whose it is.
func readRecord(s *mgr.Service) (*record, error) {
	c, err := basics(s)
	if err != nil {
		return nil, err
	}
	r := &record{Config: c}
	for level, take := range map[uint32]func([]byte){
		windows.SERVICE_CONFIG_DESCRIPTION: func(b []byte) {
			d := (*windows.SERVICE_DESCRIPTION)(unsafe.Pointer(&b[0])) //nolint:gosec // so the system returns it, and below
			r.Description = windows.UTF16PtrToString(d.Description)
		},
		windows.SERVICE_CONFIG_DELAYED_AUTO_START_INFO: func(b []byte) { r.DelayedAutoStart = first(b) != 0 },
		windows.SERVICE_CONFIG_SERVICE_SID_INFO:        func(b []byte) { r.SidType = first(b) },
		windows.SERVICE_CONFIG_FAILURE_ACTIONS_FLAG:    func(b []byte) { r.always = first(b) != 0 },
		windows.SERVICE_CONFIG_FAILURE_ACTIONS: func(b []byte) {
			f := (*windows.SERVICE_FAILURE_ACTIONS)(unsafe.Pointer(&b[0])) //nolint:gosec // the same
			r.reset = f.ResetPeriod
			for _, a := range unsafe.Slice(f.Actions, f.ActionsCount) { //nolint:gosec // the same
				r.recovery = append(r.recovery, mgr.RecoveryAction{Type: int(a.Type), Delay: time.Duration(a.Delay) * time.Millisecond})
			}
		},
	} {
		b, err := ask(func(b []byte, size *uint32) error {
			return windows.QueryServiceConfig2(s.Handle, level, &b[0], uint32(len(b)), size)
		})
		if errors.Is(err, windows.ERROR_INVALID_LEVEL) {
			r.lacks = append(r.lacks, level)
			continue
		}
		if err != nil {
			return nil, err
		}
		take(b)
	}
	return r, nil
}

// basics is what everybody may ask for who sees the service.
func basics(s *mgr.Service) (mgr.Config, error) {
	b, err := ask(func(b []byte, size *uint32) error {
		c := (*windows.QUERY_SERVICE_CONFIG)(unsafe.Pointer(&b[0])) //nolint:gosec // so the system returns it
		return windows.QueryServiceConfig(s.Handle, c, uint32(len(b)), size)
	})
	if err != nil {
		return mgr.Config{}, err
	}
	c := (*windows.QUERY_SERVICE_CONFIG)(unsafe.Pointer(&b[0])) //nolint:gosec // the same
	return mgr.Config{
		ServiceType: c.ServiceType, StartType: c.StartType, ErrorControl: c.ErrorControl,
		BinaryPathName:   windows.UTF16PtrToString(c.BinaryPathName),
		ServiceStartName: windows.UTF16PtrToString(c.ServiceStartName),
		DisplayName:      windows.UTF16PtrToString(c.DisplayName),
	}, nil
}

// ask repeats a question until the answer has room.
func ask(question func(b []byte, size *uint32) error) ([]byte, error) {
	size := uint32(1024)
	for {
		b := make([]byte, size)
		err := question(b, &size)
		if !errors.Is(err, windows.ERROR_INSUFFICIENT_BUFFER) || int(size) <= len(b) {
			return b, err
		}
	}
}

// first is the number that an answer begins with.
func first(b []byte) uint32 { return *(*uint32)(unsafe.Pointer(&b[0])) } //nolint:gosec // at least 1024 octets
