package doctor

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestThisHost asks the real machine: whatever it is, it has a processor,
// memory, a disk and a system.
func TestThisHost(t *testing.T) {
	h := ThisHost(filepath.Join(t.TempDir(), "not", "there", "yet"))
	if a, err := h.Arch(t.Context()); err != nil || archName(a.Program) == "" || a.Machine == "" {
		t.Errorf("%+v, %v", a, err)
	}
	if c, err := h.Cores(t.Context()); err != nil || c.Machine < runtime.NumCPU() && c.Usable < 1 {
		t.Errorf("%+v, %v", c, err)
	}
	if m, err := h.Memory(t.Context()); err != nil || m.Machine < 64<<20 {
		t.Errorf("%+v, %v", m, err)
	}
	if d, err := h.Disk(t.Context()); err != nil || d.Total == 0 || strings.Contains(d.Path, "there") || d.ReadOnly {
		t.Errorf("%+v, %v", d, err)
	}
	if s, err := h.System(t.Context()); err != nil || s.Name == "" {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := h.Manager(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := h.TimeService(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestRealPorts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	h := ThisHost(t.TempDir())
	h.Ports = []Port{{"the console", "CONSOLE_ADDR", address}}
	if err := h.Listen(t.Context(), address); !errors.Is(err, ErrTaken) {
		t.Errorf("%v", err)
	}
	try(t, []trial{{"taken", "host.ports", Env{Host: h}, Failed, "(process "}})
	h.Ours = func(context.Context, string) bool { return true }
	try(t, []trial{{"ours", "host.ports", Env{Host: h}, Passed, "held by this connector"}})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := h.Listen(t.Context(), address); err != nil {
		t.Error(err)
	}
	if err := h.Listen(t.Context(), "192.0.2.1:1"); err == nil || errors.Is(err, ErrTaken) {
		t.Errorf("%v", err)
	}
}

func TestNearest(t *testing.T) {
	dir := t.TempDir()
	if got := nearest(filepath.Join(dir, "a", "b")); got != dir {
		t.Errorf("%s, want %s", got, dir)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := nearest(filepath.Join(file, "below")); got != file {
		t.Errorf("%s, want %s", got, file)
	}
}
