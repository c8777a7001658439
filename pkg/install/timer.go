package install

import (
	"context"
	"errors"
	"fmt"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/service"
)

// setTimer is the step that has nothing to do with what runs.
const setTimer = "set-timer"

// timerOf is what updates a connector by itself, as root: the service's account may
// not write its program.
func timerOf(name string, h *home.Home, c config.Config) (service.Timer, error) {
	w, err := config.ParseWindow(c.Update.Window)
	if err != nil {
		return service.Timer{}, fmt.Errorf("UPDATE_WINDOW: %w", err)
	}
	return service.Timer{
		Name: name, Program: h.Program(), Args: []string{"update", "--automatic", "--home", h.Dir()},
		Days: w.Days, From: w.From, Spread: w.Lasts() * 3 / 4, // an update takes some of it
	}, nil
}

// timer makes or removes the timer of UPDATE_AUTO.
func (w *work) timer() Step {
	var change service.Change
	name := w.Service.Unit.Name
	on := func() bool { return w.c.Update.Auto == "on" }
	return Step{Name: setTimer, Says: "Have the system update it by itself, or not, as UPDATE_AUTO says",
		Done: func(ctx context.Context) (bool, error) {
			if !on() {
				return !service.HasTimer(name), nil
			}
			t, err := timerOf(name, w.Home, w.c)
			if err != nil {
				return false, err
			}
			done, err := service.TimerSet(ctx, t)
			if errors.Is(err, service.ErrNoTimers) {
				w.note("UPDATE_AUTO is on, and nothing here updates the connector by itself: " + err.Error() + "; have a task of the system's run: connector update --automatic")
				return true, nil
			}
			return done, err
		},
		Do: func(ctx context.Context) (err error) {
			if !on() {
				change, err = service.DropTimer(ctx, name)
				return err
			}
			t, err := timerOf(name, w.Home, w.c)
			if err == nil {
				change, err = service.SetTimer(ctx, t)
			}
			return err
		},
		Undo: func(ctx context.Context) error { return change.Undo(ctx) }} //nolint:gocritic // what it is comes with Do
}

// dropTimer takes the timer of a service away with it.
func dropTimer(name string) Step {
	var change service.Change
	return Step{Name: "drop-timer", Says: "Remove the timer of its updates",
		Done: func(context.Context) (bool, error) { return !service.HasTimer(name), nil },
		Do: func(ctx context.Context) (err error) {
			change, err = service.DropTimer(ctx, name)
			return err
		},
		Undo: func(ctx context.Context) error { return change.Undo(ctx) }} //nolint:gocritic // the same
}
