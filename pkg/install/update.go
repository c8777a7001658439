package install

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"ad-ldap-connector/pkg/home"
)

// An Update is what it takes to have another program run in a home. That lies
// ready there already, as the next program, and was verified.
type Update struct {
	Home *home.Home
	To   string // its version, for people

	Try  func(ctx context.Context) error // the next program is what it is taken for
	Gate func(ctx context.Context) error // it finds nothing here that blocks

	// Running: a connector serves in the home. Without one nothing is proved.
	Running bool
	// Beside has the running connector start the next program, or else the
	// program, beside itself, and returns when it has been well for so long and
	// taken over; nil: it cannot, and the service is started anew. After an error
	// the one that ran goes on.
	Beside func(ctx context.Context, next bool, watch time.Duration) (pid int, err error)
	// Restart starts the service anew, with the program, and returns its process.
	Restart func(ctx context.Context) (pid int, err error)
	// Prove returns once that process is accepted by the hub and reaches the
	// directory, and has for so long.
	Prove func(ctx context.Context, pid int, watch time.Duration) error
	// Watch is how long the next program has to be well before it is kept.
	Watch time.Duration
}

// afterwards is how long a program is watched once it has taken over: it was
// before, beside the other one, and now it is alone.
const afterwards = 3 * time.Second

// An updateRecord says, across a crash, that a program is being tried.
type updateRecord struct {
	To      string    `json:"to"`
	Since   time.Time `json:"since"`
	Swapped bool      `json:"swapped"` // it is the program, and not proved
}

// Plan returns the plan of the update. Where the running connector can start its
// successor the program is replaced last, once the other one has proved itself:
// whatever ends before, and how, the next start is that of the former program.
func (u Update) Plan() Plan {
	plan := Plan{{Name: "check-program", Says: "See what the next program is", Check: true, Do: u.Try}}
	if u.Gate != nil {
		plan = append(plan, Step{Name: "check", Says: "Have it look at this machine and the network", Check: true, Do: u.Gate})
	}
	switch {
	case !u.Running:
		return append(plan, u.replace(false))
	case u.Beside != nil:
		return append(plan, u.beside()...)
	}
	return append(plan, u.instead()...)
}

func (u Update) replace(recorded bool) Step {
	return Step{Name: "replace-program", Says: "Replace the program " + u.Home.Program(),
		Do: func(context.Context) error {
			if recorded {
				if err := u.Home.SaveUpdate(updateRecord{To: u.To, Since: time.Now().UTC(), Swapped: true}); err != nil {
					return err
				}
			}
			return u.Home.SwapProgram()
		},
		Undo: func(context.Context) error { return u.Home.SwapBack() },
		Tidy: func() { _ = u.Home.RemoveUpdate() }} // else the next update takes it back
}

// beside tries the program while the former one goes on.
func (u Update) beside() Plan {
	heir := 0
	return Plan{
		{Name: "take-over", Says: "Run " + u.To + " beside the former program, and let it take over",
			Do: func(ctx context.Context) (err error) {
				if err := u.Home.SaveUpdate(updateRecord{To: u.To, Since: time.Now().UTC()}); err != nil {
					return err
				}
				heir, err = u.Beside(ctx, true, u.Watch)
				return err
			},
			Undo: func(ctx context.Context) error {
				if heir != 0 {
					if err := u.back(ctx); err != nil {
						return err
					}
				}
				return u.Home.RemoveUpdate()
			}},
		{Name: "prove", Says: "See that it is accepted by the hub and reaches the directory", Check: true,
			Do: func(ctx context.Context) error { return u.Prove(ctx, heir, afterwards) }},
		u.replace(false),
	}
}

// back has the program of the home run again.
func (u Update) back(ctx context.Context) error {
	pid := 0
	err := error(nil)
	if u.Beside != nil {
		pid, err = u.Beside(ctx, false, 0)
	}
	if u.Beside == nil || err != nil { // it has ended, say
		pid, err = u.Restart(ctx)
	}
	if err != nil {
		return err
	}
	return u.Prove(ctx, pid, 0)
}

// instead starts the service anew, with a moment in between in which nobody
// serves.
func (u Update) instead() Plan {
	touched, pid := false, 0
	return Plan{
		{Name: "see-service", Says: "See what runs here now", Check: true, // first, so that its undoing comes last
			Do: func(context.Context) error { return nil },
			Undo: func(ctx context.Context) error {
				if touched {
					if err := u.back(ctx); err != nil {
						return err
					}
				}
				return u.Home.RemoveUpdate()
			}},
		u.replace(true),
		{Name: "restart-service", Says: "Restart the service",
			Do: func(ctx context.Context) (err error) {
				touched = true
				pid, err = u.Restart(ctx)
				return err
			}},
		{Name: "prove", Says: "See that it is accepted by the hub and reaches the directory, and stays so", Check: true,
			Do: func(ctx context.Context) error { return u.Prove(ctx, pid, u.Watch) }},
	}
}

// Interrupted returns the plan that clears away what an update has left that was
// killed, nil if none was. A program that was never proved is not kept.
func (u Update) Interrupted() (Plan, error) {
	var r updateRecord
	err := u.Home.LoadUpdate(&r)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return Plan{{Name: "settle", Says: "Go back from " + r.To + ", whose update was interrupted",
		Do: func(ctx context.Context) error {
			if r.Swapped {
				if err := u.Home.SwapBack(); err != nil {
					return err
				}
			}
			// What was tried beside the former program became the program only once
			// it was proved.
			if u.Running && (r.Swapped || u.Home.HasNext()) {
				if err := u.back(ctx); err != nil {
					return err
				}
			}
			if err := u.Home.RemoveUpdate(); err != nil {
				return err
			}
			u.Home.ForgetNext()
			return nil
		},
		Undo: func(context.Context) error { return errors.New("run connector update again: it goes on from here") }}}, nil
}
