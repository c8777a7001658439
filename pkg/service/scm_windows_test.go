package service

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/windows/registry"
	"golang.org/x/sys/windows/svc/eventlog"
	"golang.org/x/sys/windows/svc/mgr"
)

func onlyInMachine(t *testing.T) (Manager, Unit) {
	t.Helper()
	if os.Getenv(inMachine) != "1" {
		t.Skip("it registers services with this machine")
	}
	m, err := System()
	if err != nil {
		t.Fatal(err)
	}
	u := testUnit(t.Name())
	u.Program, err = os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = m.Remove(t.Context(), u.Name)
		_ = eventlog.Remove(u.Name)
	})
	return m, u
}

// What is registered is what was asked for.
func TestRegisteredAs(t *testing.T) {
	m, u := onlyInMachine(t)
	u.Program = `C:\Program Files (x86)\agent.exe`
	u.Args = []string{"run", "--home", `C:\a b\`, `with "quotes"`}
	if _, err := m.Register(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	r, err := current(u.Name)
	if err != nil {
		t.Fatal(err)
	}
	want := `"C:\Program Files (x86)\agent.exe" run --home "C:\a b\\" "with \"quotes\""`
	if r.BinaryPathName != want || r.ServiceStartName != `NT SERVICE\`+u.Name || r.StartType != mgr.StartAutomatic || !r.DelayedAutoStart ||
		r.Description != u.Description+" (Registered by the connector.)" {
		t.Errorf("%+v", r)
	}
	list, err := m.List(t.Context())
	if err != nil || len(list) != 0 { // it is not named as the connector's are
		t.Errorf("%+v, %v", list, err)
	}
	for what, spoil := range map[string]func(*record){
		"no delay":      func(r *record) { r.DelayedAutoStart = false },
		"by hand":       func(r *record) { r.StartType = mgr.StartManual },
		"as the system": func(r *record) { r.ServiceStartName = "LocalSystem" },
		"another":       func(r *record) { r.BinaryPathName = "x" },
	} {
		other := recordOf(u)
		spoil(other)
		if err := put(u.Name, other); err != nil {
			t.Fatal(what, err)
		}
		if same, err := m.Registered(t.Context(), u); same || err != nil {
			t.Errorf("%s: registered: %t, %v", what, same, err)
		}
		c, err := m.Register(t.Context(), u)
		if same, _ := m.Registered(t.Context(), u); err != nil || !c.Changed() || !same {
			t.Errorf("%s: %t, %t, %v", what, c.Changed(), same, err)
		}
		if err := c.Undo(t.Context()); err != nil {
			t.Error(what, err)
		}
		if got, err := current(u.Name); err != nil || !got.is(other) {
			t.Errorf("%s: put back %+v, %v", what, got, err)
		}
	}
	u.Environment = `C:\environment`
	if _, err := m.Register(t.Context(), u); err == nil || !strings.Contains(err.Error(), "no environment") {
		t.Errorf("an environment: %v", err)
	}
}

// What a manager does not keep is not compared; what it keeps is.
func TestRecord(t *testing.T) {
	want := recordOf(testUnit("record"))
	for level, spoil := range map[uint32]func(*record){
		2: func(r *record) { r.recovery = nil },
		3: func(r *record) { r.DelayedAutoStart = false },
		4: func(r *record) { r.always = false },
		5: func(r *record) { r.SidType = 0 },
	} {
		got := recordOf(testUnit("record"))
		if !got.is(want) {
			t.Fatalf("not itself: %+v", got)
		}
		spoil(got)
		if got.is(want) {
			t.Errorf("%d: the same, and is not: %+v", level, got)
		}
		if got.lacks = []uint32{level}; !got.is(want) {
			t.Errorf("%d: not kept, and compared: %+v", level, got)
		}
	}
}

// A service that somebody else made is not touched.
func TestForeign(t *testing.T) {
	m, u := onlyInMachine(t)
	manager, err := mgr.Connect()
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Disconnect()
	s, err := manager.CreateService(u.Name, `C:\other.exe`, mgr.Config{Description: "another's", StartType: mgr.StartManual}, "x")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = s.Delete(), s.Close() }()
	var foreign *ForeignError
	if c, err := m.Register(t.Context(), u); !errors.As(err, &foreign) || c.Changed() || foreign.Where != `C:\other.exe x` {
		t.Errorf("register: %t, %v", c.Changed(), err)
	}
	if same, err := m.Registered(t.Context(), u); same || !errors.As(err, &foreign) {
		t.Errorf("registered: %t, %v", same, err)
	}
	if err := m.Remove(t.Context(), u.Name); !errors.As(err, &foreign) {
		t.Errorf("remove: %v", err)
	}
	if st, err := m.Status(t.Context(), u.Name); err != nil || st.State != Stopped || st.Enabled {
		t.Errorf("it is %+v, %v", st, err)
	}
	if known, _, err := eventSource(u.Name); known || err != nil {
		t.Errorf("events: %t, %v", known, err)
	}
}

// The event log knows the service while it is registered, and a source that
// was there before stays.
func TestEvents(t *testing.T) {
	m, u := onlyInMachine(t)
	want := func(what string, known, ours bool) {
		t.Helper()
		if k, o, err := eventSource(u.Name); k != known || o != ours || err != nil {
			t.Errorf("%s: known %t, ours %t, %v", what, k, o, err)
		}
	}
	register := func() Change {
		t.Helper()
		c, err := m.Register(t.Context(), u)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	c := register()
	want("registered", true, true)
	log, err := eventlog.Open(u.Name)
	must(err)
	must(errors.Join(log.Info(1, "it can be written to"), log.Close()))
	must(c.Undo(t.Context()))
	want("undone", false, false)

	register()
	must(eventlog.Remove(u.Name))
	if same, err := m.Registered(t.Context(), u); same || err != nil {
		t.Errorf("without its source: registered: %t, %v", same, err)
	}
	c = register()
	want("mended", true, true)
	must(c.Undo(t.Context()))
	want("mended and undone", false, false)
	must(m.Remove(t.Context(), u.Name))

	key, _, err := registry.CreateKey(registry.LOCAL_MACHINE, eventSources+u.Name, registry.SET_VALUE)
	must(err)
	must(errors.Join(key.SetStringValue("EventMessageFile", `C:\other.dll`), key.Close()))
	c = register()
	must(c.Undo(t.Context()))
	want("another's, undone", true, false)
	register()
	must(m.Remove(t.Context(), u.Name))
	want("another's, removed", true, false)
}

// A service that ends by itself, or cannot start, says how it ended.
func TestEnds(t *testing.T) {
	m, u := onlyInMachine(t)
	u.Args = []string{"ends"}
	if _, err := m.Register(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	if err := m.Start(t.Context(), u.Name); err == nil || !strings.Contains(err.Error(), "start the service "+u.Name) {
		t.Errorf("start: %v", err)
	}
	var st Status
	err := eventually(t.Context(), func() (ended bool, err error) {
		st, err = m.Status(t.Context(), u.Name)
		return st.State == Stopped, err
	})
	if err != nil {
		t.Fatal(err)
	}
	if st.Detail != "exit code 1" {
		t.Errorf("%+v", st)
	}
	u.Program = filepath.Join(t.TempDir(), "none.exe")
	if _, err := m.Register(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	if err := m.Start(t.Context(), u.Name); err == nil {
		t.Error("started what is not there")
	}
}
