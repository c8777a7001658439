package install

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/service"
)

// A Service is what an install needs to put the connector in the care of the
// system.
type Service struct {
	Manager service.Manager
	Unit    service.Unit // without Program and Owned, which are the home's
	From    string       // the program's file: the one that runs now
	Link    string       // where the program is to be found by a short name, if that is free; "": nowhere
	Start   bool         // start it, and wait until it works
	// Connected returns once the running connector is accepted by the hub and
	// reaches the directory, and says what is missing when ctx ends before.
	Connected func(ctx context.Context) error
	// Explain adds to an error of starting what is known of the cause; nil:
	// nobody knows more.
	Explain func(ctx context.Context, candidate config.Config, err error) error
}

// pending is the state that says, across a crash, that a running connector has
// not read yet what an install changed.
const pending = "install"

// unit is the service as it is to be, of what the home holds now.
func (w *work) unit() (service.Unit, error) { return unitOf(w.Service.Unit, w.Home) }

func unitOf(u service.Unit, h *home.Home) (service.Unit, error) {
	u.Program = h.Program()
	if u.User == "" {
		return u, nil
	}
	var err error
	u.Owned, err = h.Belongings()
	return u, err
}

// touching returns steps of which each, when it is done, is remembered until the
// service has been started since.
func (w *work) touching(plan Plan) Plan {
	for i, s := range plan {
		if s.Check || s.Name == linkProgram || s.Name == setTimer { // which no connector reads
			continue
		}
		plan[i].Do = func(ctx context.Context) error {
			w.fresh = true
			// Before it too, but for what must see the home as it was: a crash in
			// between would leave a running connector that nobody starts again.
			if w.Home.Exists() && (w.Former == nil || w.former != nil) {
				if err := w.Home.SaveState(pending, struct{}{}); err != nil {
					return err
				}
			}
			if err := s.Do(ctx); err != nil {
				return err
			}
			return w.Home.SaveState(pending, struct{}{})
		}
	}
	return plan
}

// checkService comes first, so that its undoing comes last.
func (w *work) checkService() Step {
	s := w.Service
	return Step{Name: "check-service", Says: "See what runs here now", Check: true,
		Do: func(ctx context.Context) (err error) {
			if w.before, err = w.Home.Belongings(); err != nil {
				return err
			}
			st, err := s.Manager.Status(ctx, s.Unit.Name)
			w.ran = st.State == service.Running || st.State == service.Starting
			return err
		},
		Undo: func(ctx context.Context) error {
			switch {
			case !w.fresh || !w.Home.Exists():
				return nil
			case w.ran: // what has come since may be that connector's
				return errors.Join(w.Home.RemoveState(pending), s.Manager.Start(ctx, s.Unit.Name))
			case w.known: // what stays has been said
				return nil
			}
			return w.Home.RemoveSince(w.before)
		}}
}

func (w *work) account() Plan {
	name := w.Service.Unit.User
	if name == "" { // the system makes one with the service
		return nil
	}
	made := false
	return Plan{{Name: "create-user", Says: "Create the account " + name,
		Done: func(ctx context.Context) (bool, error) {
			if err := service.CheckAccount(ctx, name); err != nil {
				return false, err
			}
			return service.HasUser(ctx, name)
		},
		Do: func(ctx context.Context) (err error) {
			made = true
			_, err = service.EnsureUser(ctx, name)
			return err
		},
		Undo: func(ctx context.Context) error {
			if !made {
				return nil
			}
			return service.RemoveUser(ctx, name)
		}}}
}

// lay is what puts a provisioned home in the care of the system.
func (w *work) lay() Plan {
	plan := Plan{w.copyProgram()}
	if w.Service.Link != "" {
		plan = append(plan, w.linkProgram())
	}
	plan = append(plan, w.registerService(), w.entrustHome(),
		allowFirewall(&w.c, w.Service.Unit.Name, w.Home.Program(), SystemFirewall, w.note))
	if w.c.Update.Auto == "on" || service.HasTimer(w.Service.Unit.Name) {
		plan = append(plan, w.timer())
	}
	return plan
}

func (w *work) copyProgram() Step {
	was := true
	return Step{Name: "copy-program", Says: "Copy the program to " + w.Home.Program(),
		Done: func(context.Context) (bool, error) {
			_, err := os.Lstat(w.Home.Program())
			was = err == nil
			return w.Home.HasProgram(w.Service.From)
		},
		Do:   func(context.Context) error { return w.Home.SaveProgram(w.Service.From) },
		Undo: func(context.Context) error { return w.Home.RestoreProgram(was) },
		Tidy: w.Home.ForgetProgram}
}

// linkProgram is the step that must not fail an install.
const linkProgram = "link-program"

// linkProgram is a convenience: where something else has the name, it stays, and
// where it cannot be made, that is only said.
func (w *work) linkProgram() Step {
	link, to := w.Service.Link, w.Home.Program()
	made := false
	return Step{Name: linkProgram, Says: "Link " + link + " to the program",
		Done: func(context.Context) (bool, error) {
			_, err := os.Lstat(link)
			return err == nil, nil
		},
		Do: func(context.Context) error {
			made = true
			if err := os.Symlink(to, link); err != nil {
				w.note(fmt.Sprintf("the program has no short name: %v", err))
			}
			return nil
		},
		Undo: func(context.Context) error {
			if !made {
				return nil
			}
			return removeLink(link, to)
		}}
}

// removeLink takes away a link that leads to the program, and nothing else.
func removeLink(link, to string) error {
	if have, err := os.Readlink(link); err != nil || have != to {
		return nil //nolint:nilerr // it is somebody else's, or gone
	}
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (w *work) registerService() Step {
	m := w.Service.Manager
	return Step{Name: "register-service", Says: "Register the service " + w.Service.Unit.Name,
		Done: func(ctx context.Context) (bool, error) {
			u, err := w.unit()
			if err != nil {
				return false, err
			}
			return m.Registered(ctx, u)
		},
		Do: func(ctx context.Context) error {
			u, err := w.unit()
			if err == nil {
				w.joined, err = m.Register(ctx, u)
			}
			return err
		},
		Undo: func(ctx context.Context) error { return w.joined.Undo(ctx) }}
}

func (w *work) entrustHome() Step {
	return Step{Name: "entrust-home", Says: "Let the service use the home",
		Done: func(ctx context.Context) (bool, error) {
			u, err := w.unit()
			if err != nil {
				return false, err
			}
			return service.Entrusted(ctx, u)
		},
		Do: func(ctx context.Context) error {
			u, err := w.unit()
			if err == nil {
				w.given, err = service.Entrust(ctx, u)
			}
			return err
		},
		Undo: func(ctx context.Context) error { return w.given.Undo(ctx) }}
}

// start is the end of the plan, which proves the whole.
func (w *work) start() Plan {
	s := w.Service
	if !s.Start {
		return nil
	}
	return Plan{
		{Name: "start-service", Says: "Start the service",
			Done: func(ctx context.Context) (bool, error) {
				if w.fresh || w.Home.LoadState(pending, new(struct{})) == nil {
					return false, nil
				}
				st, err := s.Manager.Status(ctx, s.Unit.Name)
				return st.State == service.Running, err
			},
			Do: func(ctx context.Context) error {
				w.fresh = true // it will write into its home
				err := s.Manager.Stop(ctx, s.Unit.Name)
				if err == nil {
					err = s.Manager.Start(ctx, s.Unit.Name)
				}
				return w.explain(ctx, err)
			},
			Undo: func(ctx context.Context) error { return s.Manager.Stop(ctx, s.Unit.Name) },
			Tidy: func() { _ = w.Home.RemoveState(pending) }}, // else it is started again for nothing, once
		{Name: "wait-connected", Says: "Wait until the hub and the directory accept it", Check: true,
			Do: func(ctx context.Context) error {
				ctx, cancel := context.WithTimeoutCause(ctx, connectTime, fmt.Errorf("not within %s", connectTime))
				defer cancel()
				return w.explain(ctx, s.Connected(ctx))
			}},
	}
}

func (w *work) explain(ctx context.Context, err error) error {
	if err == nil || w.Service.Explain == nil {
		return err
	}
	return w.Service.Explain(context.WithoutCancel(ctx), w.c, err)
}
