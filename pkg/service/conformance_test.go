package service

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// inMachine says, in the environment, that this system's manager may be used:
// TestMachine runs this test in a machine of its own.
const inMachine = "SERVICE_TEST_IN_MACHINE"

// Every manager keeps the promises of Manager.
func TestConformance(t *testing.T) {
	t.Run("fake", func(t *testing.T) {
		conform(t, newFake(), testUnit("conform"))
	})
	if os.Getenv(inMachine) != "1" {
		return
	}
	t.Run("system", func(t *testing.T) {
		m, err := System()
		if err != nil {
			t.Fatal(err)
		}
		u := testUnit("conform")
		u.Program, _ = os.Executable()
		if _, err := EnsureUser(t.Context(), u.User); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := RemoveUser(context.Background(), u.User); err != nil {
				t.Error(err)
			}
		}()
		makeOwnHome(t, u)
		defer os.RemoveAll(filepath.Dir(u.Home))
		conform(t, m, u)
	})
}

// testUnit is a unit that is right on this system.
func testUnit(name string) Unit {
	u := Unit{
		Name: name, Description: "A service for tests", Program: "/usr/local/bin/agent", Args: []string{"agent"},
		Home: "/srv/conform/home", User: "conform", Watchdog: 20 * time.Second,
	}
	if runtime.GOOS == "windows" {
		u.Program, u.Home, u.User = `C:\Program Files\agent.exe`, `C:\conform\home`, ""
	}
	return u
}

func conform(t *testing.T, m Manager, u Unit) {
	ctx := t.Context()
	want := func(what string, state State, enabled bool) {
		t.Helper()
		st, err := m.Status(ctx, u.Name)
		if err != nil || st.State != state || st.Enabled != enabled || (st.PID != 0) != (state == Running) {
			t.Fatalf("%s: %+v, %v; want %s, enabled %t", what, st, err, state, enabled)
		}
	}
	registered := func(u Unit, want bool) {
		t.Helper()
		if same, err := m.Registered(ctx, u); err != nil || same != want {
			t.Fatalf("registered: %t, %v; want %t", same, err, want)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	want("before", None, false)
	registered(u, false)
	must(m.Remove(ctx, u.Name))
	must(m.Stop(ctx, u.Name))
	if err := m.Start(ctx, u.Name); !errors.Is(err, ErrNotRegistered) {
		t.Fatalf("start what is not there: %v", err)
	}
	must(Change{}.Undo(ctx))

	first, err := m.Register(ctx, u)
	must(err)
	if !first.Changed() {
		t.Fatal("the first registration changed nothing")
	}
	registered(u, true)
	want("registered", Stopped, true)
	again, err := m.Register(ctx, u)
	must(err)
	if again.Changed() {
		t.Fatal("the same again changed something")
	}

	must(m.Start(ctx, u.Name))
	want("started", Running, true)
	st, _ := m.Status(ctx, u.Name)
	must(m.Start(ctx, u.Name))
	if now, _ := m.Status(ctx, u.Name); now.PID != st.PID {
		t.Fatalf("started again what runs: %+v, %+v", st, now)
	}

	other := u
	other.Args = append([]string{}, u.Args...)
	other.Description = "Another service for tests: 100% $HOME \"quoted\""
	second, err := m.Register(ctx, other)
	must(err)
	if !second.Changed() {
		t.Fatal("another registration changed nothing")
	}
	registered(other, true)
	registered(u, false)
	want("registered anew", Running, true)
	for range 2 {
		must(second.Undo(ctx))
		registered(u, true)
	}
	must(m.Stop(ctx, u.Name))
	want("stopped", Stopped, true)
	must(m.Stop(ctx, u.Name))

	must(m.Start(ctx, u.Name))
	for range 2 {
		must(first.Undo(ctx))
		want("undone", None, false)
	}
	_, err = m.Register(ctx, u)
	must(err)
	must(m.Start(ctx, u.Name))
	for range 2 {
		must(m.Remove(ctx, u.Name))
		want("removed", None, false)
		registered(u, false)
	}

	bad := u
	bad.Name, bad.Description = "../conform", "two\nlines"
	for what, err := range map[string]error{
		"register": errorOf(m.Register(ctx, bad)), "registered": errorOf(m.Registered(ctx, bad)),
		"remove": m.Remove(ctx, bad.Name), "start": m.Start(ctx, bad.Name), "stop": m.Stop(ctx, bad.Name),
		"status": errorOf(m.Status(ctx, bad.Name)),
	} {
		if err == nil || !strings.Contains(err.Error(), bad.Name) {
			t.Errorf("%s %s: %v", what, bad.Name, err)
		}
	}

	over, cancel := context.WithCancel(ctx)
	cancel()
	if c, err := m.Register(over, u); !errors.Is(err, context.Canceled) || c.Changed() {
		t.Errorf("after the end: %t, %v", c.Changed(), err)
	}
	want("at the end", None, false)
}

func errorOf[T any](_ T, err error) error { return err }
