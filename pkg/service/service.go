// Package service puts the connector in the care of the system's service
// manager: systemd, the Service Control Manager of Windows, or launchd.
package service

import (
	"context"
	"errors"
	"time"
)

// A Manager registers services with the system, and starts and stops them.
// Everything is idempotent: what holds already is left as it is.
type Manager interface {
	// Registered reports whether the service is registered, exactly as u says,
	// and will start with the system.
	Registered(ctx context.Context, u Unit) (bool, error)

	// Register makes the service start with the system as u says, from the next
	// start on; it starts and stops nothing. A service of that name that the
	// connector did not register is a *ForeignError, and stays. The way back is
	// in the Change, also when there is an error.
	Register(ctx context.Context, u Unit) (Change, error)

	// Remove stops a service and leaves nothing of it. One that is not there is
	// no error; one that the connector did not register is a *ForeignError.
	Remove(ctx context.Context, name string) error

	// Start returns once the service has said that it is ready. One that is not
	// there is ErrNotRegistered.
	Start(ctx context.Context, name string) error

	// Stop returns once the service has ended.
	Stop(ctx context.Context, name string) error

	// Status tells how a service fares; of one that is not there too.
	Status(ctx context.Context, name string) (Status, error)

	// List returns the services that the connector registered here, by name.
	List(ctx context.Context) ([]Registration, error)
}

// System returns the service manager of this system, or a *NoManagerError that
// says what is there in its place.
func System() (Manager, error) { return system() }

// Name is the service's name. The first one on a machine has the name that
// monitoring already watches; further ones are told apart by their instance,
// which is "" for the first.
func Name(instance string) string { return systemName(instance) }

// HomeOf returns the home of a service that the connector registered, or "". It
// needs no rights and asks no manager where a look at a file tells.
func HomeOf(name string) string { return homeOf(name) }

// A Change is what a registration did.
type Change struct{ undo func(context.Context) error }

// Changed reports whether anything was changed.
func (c Change) Changed() bool { return c.undo != nil }

// Undo puts back what was registered before, or nothing if nothing was. It may
// be called again after it failed.
func (c Change) Undo(ctx context.Context) error {
	if c.undo == nil {
		return nil
	}
	return c.undo(ctx)
}

// State says whether a service runs.
type State string

// The states of a service.
const (
	None     State = "none"     // it is not registered
	Stopped  State = "stopped"  // it does not run; Detail says why, if it ended by itself
	Starting State = "starting" // it has not said that it is ready, or waits to be started again
	Running  State = "running"
	Stopping State = "stopping"
)

// Status is what the manager knows of a service.
type Status struct {
	State    State
	Enabled  bool      // it starts with the system
	PID      int       // 0: no process
	Since    time.Time // when it became ready; zero: it is not, or nobody knows
	Restarts int       // how often the manager started it again by itself
	Detail   string    // what the service or the manager says of it, or ""
}

// ErrNotRegistered means that there is no service of that name.
var ErrNotRegistered = errors.New("no such service is registered")

// A ForeignError is a service of the wanted name that somebody else made.
type ForeignError struct{ Name, Where string }

func (e *ForeignError) Error() string {
	return "the service " + e.Name + " is there already, and is not the connector's: " + e.Where
}

// Hint says what to do.
func (e *ForeignError) Hint() string {
	return "Remove it first, or choose another name with --name."
}

// A NoManagerError says that nothing here can take care of a service.
type NoManagerError struct {
	First     string // the name of the first process, or ""
	Container string // the kind of container this is, or ""
}

func (e *NoManagerError) Error() string {
	text := "no service manager that the connector knows runs here"
	if e.First != "" {
		text += "; the first process is " + e.First
	}
	if e.Container != "" {
		text += ", in a container (" + e.Container + ")"
	}
	return text
}

// Hint says what to do.
func (e *NoManagerError) Hint() string {
	if e.Container != "" {
		return `Install with --no-service, and let "connector run" be the container's command; whoever runs the container starts it again.`
	}
	return `Install with --no-service, and let what starts programs here run "connector run".`
}
