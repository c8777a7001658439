package install

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"testing/synctest"

	"ad-ldap-connector/pkg/home"
)

func TestApplyUndoesWhatItDid(t *testing.T) {
	var log []string
	step := func(name string, done bool, err error) Step {
		return Step{
			Name: name,
			Done: func(context.Context) (bool, error) { return done, nil },
			Do:   func(context.Context) error { log = append(log, "do "+name); return err },
			Undo: func(context.Context) error { log = append(log, "undo "+name); return nil },
		}
	}
	full := errors.New("disk full")
	var events []string
	_, err := Plan{step("a", false, nil), step("b", true, nil), step("c", false, full), step("d", false, nil)}.
		Apply(t.Context(), func(e Event) { events = append(events, e.Step.Name+" "+e.What) })
	var failed *StepError
	if !errors.Is(err, full) || err.Error() != "c: disk full" || !errors.As(err, &failed) || !failed.Changed {
		t.Errorf("err = %v", err)
	}
	if want := []string{"do a", "do c", "undo c", "undo a"}; !reflect.DeepEqual(log, want) {
		t.Errorf("log = %v, want %v", log, want)
	}
	if want := []string{"a doing", "a done", "b already", "c doing", "c undone", "a undone"}; !reflect.DeepEqual(events, want) {
		t.Errorf("events = %v, want %v", events, want)
	}
}

func TestUndoOutlivesTheCaller(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var undo error
	p := Plan{{Name: "a",
		Do:   func(context.Context) error { cancel(); return context.Canceled },
		Undo: func(ctx context.Context) error { undo = ctx.Err(); return nil }}}
	if _, err := p.Apply(ctx, func(Event) {}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if undo != nil {
		t.Errorf("undo ran with a dead context: %v", undo)
	}
}

func TestWhatCannotBeUndoneIsNamed(t *testing.T) {
	stuck := errors.New("read-only file system")
	p := Plan{
		{Name: "a", Do: func(context.Context) error { return nil }, Undo: func(context.Context) error { return stuck }},
		{Name: "b", Do: func(context.Context) error { return errors.New("no") }},
	}
	_, err := p.Apply(t.Context(), func(Event) {})
	var failed *StepError
	if !errors.As(err, &failed) || len(failed.Left) != 1 || !errors.Is(err, stuck) {
		t.Errorf("err = %+v", err)
	}
}

func TestAFailedCheckChangedNothing(t *testing.T) {
	p := Plan{{Name: "look", Check: true, Do: func(context.Context) error { return errors.New("no") }}}
	_, err := p.Apply(t.Context(), func(Event) {})
	var failed *StepError
	if !errors.As(err, &failed) || failed.Changed {
		t.Errorf("err = %+v", err)
	}
}

func TestApplySaysWhetherAnythingChanged(t *testing.T) {
	already := Step{Name: "a", Done: func(context.Context) (bool, error) { return true, nil }}
	check := Step{Name: "b", Check: true, Do: func(context.Context) error { return nil }}
	if changed, err := (Plan{already, check}).Apply(t.Context(), func(Event) {}); changed || err != nil {
		t.Errorf("changed = %t, %v", changed, err)
	}
}

// What does not end takes no time from the undoing of what was done before it.
func TestEachUndoHasItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		undone := false
		_, err := Plan{
			{Name: "first", Do: func(context.Context) error { return nil }, Undo: func(ctx context.Context) error {
				undone = ctx.Err() == nil
				return ctx.Err()
			}},
			{Name: "hangs", Do: func(context.Context) error { return errors.New("no") }, Undo: func(ctx context.Context) error {
				<-ctx.Done()
				return ctx.Err()
			}},
		}.Apply(t.Context(), func(Event) {})
		if failed := new(StepError); !undone || !errors.As(err, &failed) || len(failed.Left) != 1 {
			t.Errorf("undone: %t, %v", undone, err)
		}
	})
}

// A crash at any moment of a step leaves word that the service is to be started
// again.
func TestAStepIsRememberedBeforeItIsDone(t *testing.T) {
	h, err := home.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &work{Options: Options{Provisioner: Provisioner{Home: h}}}
	said := errors.New("not done")
	_, err = w.touching(Plan{{Name: "a", Do: func(context.Context) error {
		said = h.LoadState(pending, new(struct{}))
		return nil
	}}}).Apply(t.Context(), func(Event) {})
	if err != nil || said != nil {
		t.Error(err, said)
	}
}
