//go:build unix

package service

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// wearer says whose a file is, and its mode.
func wearer(t *testing.T, name string) string {
	t.Helper()
	info, err := os.Lstat(name)
	if err != nil {
		t.Fatal(err)
	}
	stat := info.Sys().(*syscall.Stat_t)
	return fmt.Sprintf("%d:%d %s", stat.Uid, stat.Gid, info.Mode())
}

// The account gets what is its own and no more, and not what links lead to.
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
	u.Owned = []string{"config.json", "state", "state/lock", "link", "missing"}
	for _, name := range []string{"bin", "state"} {
		if err := os.MkdirAll(filepath.Join(u.Home, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	outside := filepath.Join(dir, "outside")
	for _, name := range []string{u.Program, outside, filepath.Join(u.Home, "config.json"), filepath.Join(u.Home, "state/lock"), filepath.Join(u.Home, "state/other")} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(u.Home, "link")); err != nil {
		t.Fatal(err)
	}
	given := map[string]string{
		u.Home: "0:" + nobody.Gid + " dtrwxrwx--x", outside: "0:0 -rw-------", u.Program: "0:0 -rw-------", filepath.Dir(u.Program): "0:0 drwxr-xr-x",
	}
	its := nobody.Uid + ":" + nobody.Gid + " "
	for name, mode := range map[string]string{"config.json": "-rw-------", "state": "drwxr-xr-x", "state/lock": "-rw-------", "link": "Lrwxrwxrwx"} {
		given[filepath.Join(u.Home, name)] = its + mode
	}
	given[filepath.Join(u.Home, "state/other")] = "0:0 -rw-------"
	before := map[string]string{}
	for name := range given {
		before[name] = wearer(t, name)
	}
	look := func(want map[string]string) {
		t.Helper()
		for name, want := range want {
			if got := wearer(t, name); got != want {
				t.Errorf("%s: %s, want %s", name, got, want)
			}
		}
	}
	entrusted := func(want bool) {
		t.Helper()
		if got, err := Entrusted(t.Context(), u); got != want || err != nil {
			t.Errorf("entrusted: %t, %v", got, err)
		}
	}
	entrusted(false)
	c, err := Entrust(t.Context(), u)
	if err != nil || !c.Changed() {
		t.Fatal(c.Changed(), err)
	}
	look(given)
	entrusted(true)
	if again, err := Entrust(t.Context(), u); err != nil || again.Changed() {
		t.Errorf("again: %t, %v", again.Changed(), err)
	}
	back, err := Reclaim(t.Context(), u)
	if err != nil || !back.Changed() {
		t.Errorf("reclaim: %t, %v", back.Changed(), err)
	}
	look(map[string]string{
		u.Home: "0:0 drwx------", filepath.Join(u.Home, "config.json"): "0:0 -rw-------", filepath.Join(u.Home, "state"): "0:0 drwxr-xr-x",
	})
	if err := back.Undo(t.Context()); err != nil {
		t.Error(err)
	}
	look(given)
	if err := os.Remove(filepath.Join(u.Home, "state/lock")); err != nil { // what has gone since needs no way back
		t.Fatal(err)
	}
	if err := c.Undo(t.Context()); err != nil {
		t.Error(err)
	}
	delete(before, filepath.Join(u.Home, "state/lock"))
	look(before)
	entrusted(false)

	// A file with another name elsewhere stops it, before anything is changed.
	if err := os.Link(outside, filepath.Join(u.Home, "missing")); err != nil {
		t.Fatal(err)
	}
	if c, err := Entrust(t.Context(), u); err == nil || !strings.Contains(err.Error(), "missing has more than one name") || c.Changed() {
		t.Errorf("a file with two names: %t, %v", c.Changed(), err)
	}
	look(before)

	u.User = "nosuchaccount"
	if c, err := Entrust(t.Context(), u); err == nil || c.Changed() || !strings.Contains(err.Error(), "nosuchaccount") {
		t.Errorf("no account: %t, %v", c.Changed(), err)
	}
	u.User, u.Owned = "nobody", []string{"../outside"}
	if c, err := Entrust(t.Context(), u); err == nil || c.Changed() || !strings.Contains(err.Error(), "no path below the home") {
		t.Errorf("out of the home: %t, %v", c.Changed(), err)
	}
	u.Owned, u.Home = nil, filepath.Join(dir, "none")
	if c, err := Entrust(t.Context(), u); err == nil || c.Changed() || !strings.Contains(err.Error(), u.Home) {
		t.Errorf("no home: %t, %v", c.Changed(), err)
	}
	entrusted(false)
}

// An account that had the home before, or has it now, is not given the program:
// not by a link to its folder, and not by a folder of its own.
func TestEntrustedProgram(t *testing.T) {
	if os.Geteuid() != 0 {
		if os.Getenv("CONNECTOR_TEST_REQUIRE") == "1" {
			t.Fatal("this needs root (to give files away), and CONNECTOR_TEST_REQUIRE=1")
		}
		t.Skip("this needs root: to give files away")
	}
	dir := t.TempDir()
	u := testUnit("entrust")
	u.User, u.Home, u.Program = "nobody", filepath.Join(dir, "home"), filepath.Join(dir, "home", "bin", "agent")
	u.Owned = []string{"certs", "certs/agent"}
	for _, err := range []error{
		os.MkdirAll(filepath.Dir(u.Program), 0o755), os.WriteFile(u.Program, nil, 0o755), os.Symlink("bin", filepath.Join(u.Home, "certs")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if c, err := Entrust(t.Context(), u); err == nil || c.Undo(t.Context()) != nil {
		t.Errorf("a folder that is a link: %v", err)
	}
	if got := wearer(t, u.Program); got != "0:0 -rwxr-xr-x" {
		t.Errorf("the program is %s", got)
	}
	u.Owned = nil
	for what, spoil := range map[string]func() error{
		"a folder of another's":  func() error { return os.Chown(filepath.Dir(u.Program), 65534, 65534) },
		"a program of another's": func() error { return os.Chown(u.Program, 65534, 65534) },
		"a folder for all":       func() error { return os.Chmod(filepath.Dir(u.Program), 0o777) },
		"a link to another folder": func() error {
			return errors.Join(os.RemoveAll(filepath.Dir(u.Program)), os.Symlink(dir, filepath.Dir(u.Program)))
		},
	} {
		for _, err := range []error{
			os.RemoveAll(filepath.Dir(u.Program)), os.MkdirAll(filepath.Dir(u.Program), 0o755), os.WriteFile(u.Program, nil, 0o755), spoil(),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if done, err := Entrusted(t.Context(), u); done || err != nil {
			t.Errorf("%s: entrusted %t, %v", what, done, err)
		}
		c, err := Entrust(t.Context(), u)
		if err == nil || !strings.Contains(err.Error(), filepath.Dir(u.Program)) {
			t.Errorf("%s: %v", what, err)
		}
		if err := c.Undo(t.Context()); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}
