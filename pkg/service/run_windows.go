package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
)

// A notManagedError says that nobody started the service as one.
type notManagedError struct{ error }

func (e notManagedError) Unwrap() error { return e.error }

// Hint says what to do.
func (notManagedError) Hint() string {
	return `The Service Control Manager alone starts this; in a terminal it is "connector run".`
}

// endWithin is what the Service Control Manager is told to wait at a time for
// the service to end; it is told again while it does.
const endWithin = 10 * time.Second

// run does not ask whether this is a service: in some environments the answer
// is no though it is one. Who calls it has been told by the command line.
func run(ctx context.Context, name string, main func(context.Context, *Notifier) error) error {
	if name == "" {
		return main(ctx, &Notifier{tell: func(message) error { return nil }})
	}
	h := &handler{ctx: ctx, main: main}
	if err := svc.Run(name, h); err != nil {
		if errors.Is(err, windows.ERROR_FAILED_SERVICE_CONTROLLER_CONNECT) {
			err = notManagedError{err}
		}
		return fmt.Errorf("run as the service %s: %w", name, err)
	}
	return h.err
}

type handler struct {
	ctx  context.Context
	main func(context.Context, *Notifier) error
	err  error
}

// Execute answers the Service Control Manager while main runs.
func (h *handler) Execute(_ []string, requests <-chan svc.ChangeRequest, status chan<- svc.Status) (specific bool, code uint32) {
	ctx, cancel := context.WithCancel(h.ctx)
	defer cancel()
	status <- svc.Status{State: svc.StartPending, WaitHint: uint32(90 * time.Second / time.Millisecond)}
	told := make(chan message, 1)
	n := &Notifier{tell: func(m message) error {
		if m != ready {
			return nil // there is no watchdog, and the end is seen below
		}
		select {
		case told <- m:
		default: // it was said before
		}
		return nil
	}}
	done := make(chan error, 1)
	go func() { done <- h.main(ctx, n) }()

	current := svc.Status{State: svc.StartPending}
	var beat <-chan time.Time
	end := ctx.Done()
	for {
		select {
		case <-told:
			if current.State == svc.StartPending {
				current = svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptShutdown | svc.AcceptPreShutdown}
				status <- current
			}
		case r := <-requests:
			switch r.Cmd {
			case svc.Interrogate:
				status <- current
			case svc.Stop, svc.Shutdown, svc.PreShutdown:
				cancel()
			}
		case <-end:
			end = nil
			ticker := time.NewTicker(endWithin / 2)
			defer ticker.Stop()
			beat = ticker.C
			current = svc.Status{State: svc.StopPending, WaitHint: uint32(endWithin / time.Millisecond)}
			status <- current
		case <-beat:
			current.CheckPoint++ // else it is taken for hung
			status <- current
		case h.err = <-done:
			if h.err != nil || ctx.Err() == nil { // nobody asked it to end
				return true, 1 // counts as a failure: the recovery actions follow
			}
			return false, 0
		}
	}
}
