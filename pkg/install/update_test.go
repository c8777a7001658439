package install

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/home"
)

// A updateWorld is a home, and what runs in it as far as an update can tell.
type updateWorld struct {
	t    *testing.T
	home *home.Home
	runs string // the program's text, "" if nothing does
	log  []string
	fail map[string]error // by what fails
}

func newUpdateWorld(t *testing.T) *updateWorld {
	t.Helper()
	h, err := home.Open(filepath.Join(t.TempDir(), "home"), nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &updateWorld{t: t, home: h, runs: "a", fail: map[string]error{}}
	if err := errors.Join(h.Create(), h.SaveProgram(w.file("a")), h.ReadyCopy(w.file("b"))); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *updateWorld) file(text string) string {
	w.t.Helper()
	name := filepath.Join(w.t.TempDir(), "program")
	if err := os.WriteFile(name, []byte(text), 0o700); err != nil {
		w.t.Fatal(err)
	}
	return name
}

func (w *updateWorld) text(name string) string {
	data, err := os.ReadFile(name)
	if err != nil {
		return ""
	}
	return string(data)
}

func (w *updateWorld) did(what string) error {
	w.log = append(w.log, what)
	return w.fail[what]
}

func (w *updateWorld) update(handover bool) Update {
	u := Update{
		Home: w.home, To: "2.0", Running: w.runs != "", Watch: time.Second,
		Try:  func(context.Context) error { return w.did("try") },
		Gate: func(context.Context) error { return w.did("gate") },
		Restart: func(context.Context) (int, error) {
			w.runs = w.text(w.home.Program())
			return 2, w.did("restart " + w.runs)
		},
		Prove: func(context.Context, int, time.Duration) error { return w.did("prove " + w.runs) },
	}
	if handover {
		u.Beside = func(_ context.Context, next bool, _ time.Duration) (int, error) {
			program := w.text(w.home.Program())
			if next {
				program = w.text(w.home.NextProgram())
			}
			if err := w.did("beside " + program); err != nil {
				return 0, err
			}
			w.runs = program
			return 1, nil
		}
	}
	return u
}

func (w *updateWorld) is(program, runs, previous string) {
	w.t.Helper()
	if got := w.text(w.home.Program()); got != program || w.runs != runs {
		w.t.Errorf("the program is %q and %q runs, want %q and %q: %q", got, w.runs, program, runs, w.log)
	}
	if got := w.text(w.home.PreviousProgram()); got != previous {
		w.t.Errorf("the previous program is %q, want %q", got, previous)
	}
	if err := w.home.LoadUpdate(new(updateRecord)); err == nil {
		w.t.Error("an update is recorded that is none")
	}
}

var errBroken = errors.New("broken")

func TestUpdate(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		handover, stopped       bool
		fail                    string
		program, runs, previous string
		changed                 bool
		log                     string
	}{
		"handed over":                 {handover: true, program: "b", runs: "b", previous: "a", log: "try gate beside b prove b"},
		"restarted":                   {program: "b", runs: "b", previous: "a", log: "try gate restart b prove b"},
		"nothing runs":                {stopped: true, program: "b", previous: "a", log: "try gate"},
		"it is no program":            {handover: true, fail: "try", program: "a", runs: "a", log: "try"},
		"blocked":                     {handover: true, fail: "gate", program: "a", runs: "a", log: "try gate"},
		"it does not take over":       {handover: true, fail: "beside b", program: "a", runs: "a", changed: true, log: "try gate beside b"},
		"it takes over, and is no go": {handover: true, fail: "prove b", program: "a", runs: "a", changed: true, log: "try gate beside b prove b beside a prove a"},
		"it does not start":           {fail: "restart b", program: "a", runs: "a", changed: true, log: "try gate restart b restart a prove a"},
		"it starts, and is no go":     {fail: "prove b", program: "a", runs: "a", changed: true, log: "try gate restart b prove b restart a prove a"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newUpdateWorld(t)
			if tt.stopped {
				w.runs = ""
			}
			w.fail[tt.fail] = errBroken
			_, err := w.update(tt.handover).Plan().Apply(t.Context(), func(Event) {})
			w.is(tt.program, tt.runs, tt.previous)
			if got := strings.Join(w.log, " "); got != tt.log {
				t.Errorf("it did %q, want %q", got, tt.log)
			}
			if (err != nil) != (tt.fail != "") {
				t.Fatal(err)
			}
			if failed := (*StepError)(nil); err != nil && (!errors.As(err, &failed) || failed.Changed != tt.changed || len(failed.Left) > 0) {
				t.Errorf("%+v", failed)
			}
		})
	}
}

// TestUpdatesThatAreKilled ends an update after each of its steps, as a power
// failure does, and has the next one find out.
func TestUpdatesThatAreKilled(t *testing.T) {
	t.Parallel()
	for _, handover := range []bool{true, false} {
		for after := 1; ; after++ {
			w := newUpdateWorld(t)
			plan := w.update(handover).Plan()
			if after > len(plan) {
				break
			}
			for _, s := range plan[:after] {
				if err := s.Do(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			last := plan[after-1].Name
			if handover && last != "replace-program" && w.text(w.home.Program()) != "a" {
				t.Errorf("after %s the program was replaced by one that is not proved", last)
			}
			left, err := w.update(handover).Interrupted()
			if err == nil {
				_, err = left.Apply(t.Context(), func(Event) {})
			}
			if err != nil {
				t.Fatalf("after %s: %v", last, err)
			}
			if handover && last == "replace-program" { // it was proved
				w.is("b", "b", "a")
			} else if w.runs == "b" || w.text(w.home.Program()) != "a" {
				t.Errorf("handover %t, after %s: %q runs, and the program is %q", handover, last, w.runs, w.text(w.home.Program()))
			}
		}
	}
	// The record is written, and the program not replaced yet: another one that was
	// replaced before does not come back.
	w := newUpdateWorld(t)
	if err := errors.Join(os.WriteFile(w.home.PreviousProgram(), []byte("older"), 0o700), w.home.SaveUpdate(updateRecord{To: "2.0", Swapped: true})); err != nil {
		t.Fatal(err)
	}
	left, err := w.update(false).Interrupted()
	if err == nil {
		_, err = left.Apply(t.Context(), func(Event) {})
	}
	if err != nil {
		t.Fatal(err)
	}
	w.is("a", "a", "older")
	if left, err := w.update(true).Interrupted(); left != nil || err != nil {
		t.Errorf("nothing is left: %v, %v", left, err)
	}
}

// TestAnUpdateThatCannotGoBack names what is left, and goes on the next time.
func TestAnUpdateThatCannotGoBack(t *testing.T) {
	t.Parallel()
	w := newUpdateWorld(t)
	w.fail["prove b"], w.fail["restart a"] = errBroken, errBroken
	_, err := w.update(false).Plan().Apply(t.Context(), func(Event) {})
	failed := (*StepError)(nil)
	if !errors.As(err, &failed) || len(failed.Left) == 0 || w.text(w.home.Program()) != "a" {
		t.Errorf("%v, and the program is %q", err, w.text(w.home.Program()))
	}
	delete(w.fail, "restart a")
	left, err := w.update(false).Interrupted()
	if err == nil {
		_, err = left.Apply(t.Context(), func(Event) {})
	}
	if err != nil {
		t.Fatal(err)
	}
	w.is("a", "a", "")
}
