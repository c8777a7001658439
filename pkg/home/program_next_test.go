package home

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// programs says which program has which name, "" for none.
func programs(t *testing.T, h *Home) (program, next, previous string) {
	t.Helper()
	read := func(name string) string {
		data, err := os.ReadFile(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		return string(data)
	}
	return read(h.Program()), read(h.NextProgram()), read(h.PreviousProgram())
}

func wantPrograms(t *testing.T, h *Home, program, next, previous string) {
	t.Helper()
	if a, b, c := programs(t, h); a != program || b != next || c != previous {
		t.Errorf("the program is %q, the next %q, the previous %q; want %q, %q, %q", a, b, c, program, next, previous)
	}
}

func programHome(t *testing.T, program string) (*Home, func(text string) string) {
	t.Helper()
	h, err := Open(filepath.Join(t.TempDir(), "home"), nil)
	if err == nil {
		err = h.Create()
	}
	if err != nil {
		t.Fatal(err)
	}
	file := func(text string) string {
		name := filepath.Join(t.TempDir(), "program")
		if err := os.WriteFile(name, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
		return name
	}
	if err := h.SaveProgram(file(program)); err != nil {
		t.Fatal(err)
	}
	h.ForgetProgram()
	return h, file
}

func TestProgramsAreSwapped(t *testing.T) {
	t.Parallel()
	h, file := programHome(t, "a")
	if err := h.ReadyCopy(file("b")); err != nil {
		t.Fatal(err)
	}
	wantPrograms(t, h, "a", "b", "")
	if info, err := os.Stat(h.NextProgram()); err != nil || runtime.GOOS != "windows" && info.Mode().Perm()&0o111 == 0 {
		t.Errorf("%v, %v: nobody can run it", info, err)
	}
	if err := h.SwapBack(); err != nil { // nothing was swapped
		t.Fatal(err)
	}
	wantPrograms(t, h, "a", "b", "")
	if err := h.SwapProgram(); err != nil {
		t.Fatal(err)
	}
	wantPrograms(t, h, "b", "", "a")
	if err := h.SwapBack(); err != nil {
		t.Fatal(err)
	}
	wantPrograms(t, h, "a", "", "")

	// There and back again, by what was kept.
	if err := errors.Join(h.ReadyCopy(file("b")), h.SwapProgram(), h.ReadyPrevious(), h.SwapProgram()); err != nil {
		t.Fatal(err)
	}
	wantPrograms(t, h, "a", "", "b")
	if err := errors.Join(h.ReadyCopy(file("c")), h.SwapProgram()); err != nil {
		t.Fatal(err)
	}
	wantPrograms(t, h, "c", "", "a")
	if err := h.ReadyCopy(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a program that is not there: %v", err)
	}
	if err := h.SwapProgram(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing lies ready: %v", err)
	}
	if program, _, _ := programs(t, h); program != "c" {
		t.Errorf("the program is %q", program)
	}
	if err := h.RemoveProgram(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(h.Path(binFolder)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is left: %v", err)
	}
}

func TestNothingLiesReadyForOthersToWrite(t *testing.T) {
	t.Parallel()
	h, file := programHome(t, "a")
	if err := os.Chmod(h.Path(binFolder), 0o777); err != nil {
		t.Fatal(err)
	}
	if trusted(rootOf(t, h), binFolder) == nil {
		t.Skip("this system has no such folders")
	}
	for name, err := range map[string]error{
		"ready": h.ReadyBin(), "copy": h.ReadyCopy(file("b")), "record": h.SaveUpdate(1), "seen": SeenReleases{Home: h}.Save(nil),
	} {
		if err == nil {
			t.Errorf("%s: a folder that everybody may write to is good enough", name)
		}
	}
	wantPrograms(t, h, "a", "", "")
}

func rootOf(t *testing.T, h *Home) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(h.Dir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return root
}

func TestWhatIsKnownOfUpdates(t *testing.T) {
	t.Parallel()
	h, _ := programHome(t, "a")
	var got map[string]string
	if err := h.LoadUpdate(&got); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is none: %v", err)
	}
	if err := errors.Join(h.SaveUpdate(map[string]string{"to": "2"}), h.LoadUpdate(&got)); err != nil || got["to"] != "2" {
		t.Errorf("%v, %v", got, err)
	}
	if err := errors.Join(h.RemoveUpdate(), h.RemoveUpdate()); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(h.Path(updateFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := h.LoadUpdate(&got); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is damaged: %v", err)
	}
	s := SeenReleases{Home: h}
	if data, err := s.Load(); data != nil || err != nil {
		t.Errorf("nothing was seen: %q, %v", data, err)
	}
	if err := s.Save([]byte("seen")); err != nil {
		t.Fatal(err)
	}
	if data, err := s.Load(); string(data) != "seen" || err != nil {
		t.Errorf("%q, %v", data, err)
	}
	unlock, err := h.LockUpdate()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.LockUpdate(); err == nil {
		t.Error("two have the lock")
	}
	unlock()
	if unlock, err = h.LockUpdate(); err != nil {
		t.Fatal(err)
	}
	unlock()
}

func TestStateIsChanged(t *testing.T) {
	t.Parallel()
	h, _ := programHome(t, "a")
	type counter struct{ N int }
	add := func() error {
		var c counter
		return h.ChangeState("count", &c, func() error { c.N++; return nil })
	}
	done := make(chan error)
	for range 20 {
		go func() { done <- add() }()
	}
	for range 20 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	var c counter
	if err := h.LoadState("count", &c); err != nil || c.N != 20 {
		t.Errorf("%d, %v: some were lost", c.N, err)
	}
	no := errors.New("no")
	if err := h.ChangeState("count", &c, func() error { c.N = 99; return no }); !errors.Is(err, no) {
		t.Errorf("%v", err)
	}
	if err := h.LoadState("count", &c); err != nil || c.N != 20 {
		t.Errorf("%d, %v: it was written nevertheless", c.N, err)
	}
	if err := h.ChangeState("no such name", &c, func() error { return nil }); err == nil {
		t.Error("any name will do")
	}
}
