//go:build unix

package service

import (
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func ownerOf(t *testing.T, name string) int {
	t.Helper()
	info, err := os.Lstat(name)
	if err != nil {
		t.Fatal(err)
	}
	return int(info.Sys().(*syscall.Stat_t).Uid)
}

// The account gets its folders, not the program, nor what links lead to.
func TestEntrust(t *testing.T) {
	if os.Geteuid() != 0 {
		if os.Getenv("CONNECTOR_TEST_REQUIRE") == "1" {
			t.Fatal("this needs root (to give files away), and CONNECTOR_TEST_REQUIRE=1")
		}
		t.Skip("this needs root: to give files away")
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	u := testUnit("entrust")
	u.User, u.Home, u.Program = "nobody", filepath.Join(dir, "home"), filepath.Join(dir, "home", "bin", "agent")
	outside, inside := filepath.Join(dir, "outside"), filepath.Join(u.Home, "bin", "note")
	if err := os.MkdirAll(filepath.Dir(u.Program), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{u.Program, outside, inside} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(u.Home, "link")); err != nil {
		t.Fatal(err)
	}
	owners := func(mine bool) {
		t.Helper()
		for name, gets := range map[string]bool{
			u.Home: true, filepath.Dir(u.Program): true, inside: true, filepath.Join(u.Home, "link"): true, u.Program: false, outside: false,
		} {
			if got := ownerOf(t, name); (got != 0) != (gets && mine) || got != 0 && nobody.Uid == "0" {
				t.Errorf("%s belongs to %d", name, got)
			}
		}
	}
	c, err := Entrust(t.Context(), u)
	if err != nil || !c.Changed() {
		t.Fatal(c.Changed(), err)
	}
	owners(true)
	if again, err := Entrust(t.Context(), u); err != nil || again.Changed() {
		t.Errorf("again: %t, %v", again.Changed(), err)
	}
	if err := c.Undo(t.Context()); err != nil {
		t.Error(err)
	}
	owners(false)

	// A file with another name elsewhere stops it, and what was done is undone.
	if err := os.Link(outside, filepath.Join(u.Home, "zlink")); err != nil {
		t.Fatal(err)
	}
	c, err = Entrust(t.Context(), u)
	if err == nil || !strings.Contains(err.Error(), "zlink has more than one name") || !c.Changed() {
		t.Errorf("a file with two names: %t, %v", c.Changed(), err)
	}
	if err := c.Undo(t.Context()); err != nil {
		t.Error(err)
	}
	owners(false)

	u.User = "nosuchaccount"
	if c, err := Entrust(t.Context(), u); err == nil || c.Changed() || !strings.Contains(err.Error(), "nosuchaccount") {
		t.Errorf("no account: %t, %v", c.Changed(), err)
	}
	u.User, u.Home = "nobody", filepath.Join(dir, "none")
	if c, err := Entrust(t.Context(), u); err == nil || c.Changed() || !strings.Contains(err.Error(), u.Home) {
		t.Errorf("no home: %t, %v", c.Changed(), err)
	}
}
