//go:build unix

package home

import (
	"errors"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func init() {
	children["full"] = writeBeyondLimit
	children["denied"] = writeWithoutRight
}

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode()
}

func TestModes(t *testing.T) {
	// The bits must not depend on the umask.
	defer syscall.Umask(syscall.Umask(0))
	before := configured(t)
	before["state/x.json"] = "1"
	h := lay(t, before)
	if err := os.Chmod(h.Path("certs"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := h.Create(); err != nil {
		t.Fatal(err)
	}
	c, err := h.Config()
	if err != nil {
		t.Fatal(err)
	}
	pair, err := h.Keys(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{h.SaveConfig(c), h.SaveKeys(pair), h.SaveState("x", 2), h.SaveMapper("m")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := h.SaveKeys(testPair(t, "b")); err != nil { // makes a backup
		t.Fatal(err)
	}
	err = filepath.WalkDir(h.Dir(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == h.Path(libFolder) { // which may be that of a program
			return err
		}
		want := fs.FileMode(0o600)
		if d.IsDir() {
			want = fs.ModeDir | 0o700
		}
		if got := mode(t, path); got != want {
			t.Errorf("%s has %s, want %s", path, got, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestCreateLeavesForeignFoldersOpen(t *testing.T) {
	open := func(name string, bits fs.FileMode, inside string) *Home {
		h := &Home{dir: filepath.Join(t.TempDir(), name)}
		if err := os.MkdirAll(h.Path(filepath.Dir(inside)), 0o755); err != nil {
			t.Fatal(err)
		}
		if inside != "" {
			if err := os.WriteFile(h.Path(inside), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(h.Dir(), bits); err != nil {
			t.Fatal(err)
		}
		return h
	}
	for name, tt := range map[string]struct {
		bits, want fs.FileMode
		inside     string
	}{
		"new":       {0o755, 0o700, ""},
		"connector": {0o755, 0o700, configFile},
		"keys":      {0o775, 0o700, keyFile},
		"foreign":   {0o755, 0o755, "passwd"},
		"shared":    {0o777 | fs.ModeSticky, 0o777 | fs.ModeSticky, configFile},
		"stricter":  {0o500, 0o500, ""},
	} {
		h := open(name, tt.bits, tt.inside)
		if err := h.Create(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := mode(t, h.Dir()); got != fs.ModeDir|tt.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// What root writes into the home of a service's account belongs to it. Without
// root nothing else than the writer's own can come out.
func TestOwner(t *testing.T) {
	h := lay(t, configured(t))
	uid, gid := os.Geteuid(), os.Getegid()
	if uid == 0 {
		uid, gid = 65534, 65534
		if err := os.Chown(h.Dir(), uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.SaveState("x", 1); err != nil {
		t.Fatal(err)
	}
	if err := h.SaveKeys(testPair(t, "b")); err != nil {
		t.Fatal(err)
	}
	unlock, err := h.Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unlock(); err != nil {
			t.Error(err)
		}
	}()
	for _, name := range []string{"state", "state/x.json", "state/lock", "state/write.lock", keyFile, certFile, "backups"} {
		info, err := os.Stat(h.Path(name))
		if err != nil {
			t.Fatal(err)
		}
		if owner := info.Sys().(*syscall.Stat_t); int(owner.Uid) != uid || int(owner.Gid) != gid {
			t.Errorf("%s belongs to %d:%d", name, owner.Uid, owner.Gid)
		}
	}
}

// writeBeyondLimit writes 1 MiB where 8 KiB are allowed, as on a full disk.
func writeBeyondLimit(dir string) error {
	signal.Ignore(syscall.SIGXFSZ)
	h, err := Open(dir, nil)
	if err != nil {
		return err
	}
	limit := syscall.Rlimit{Cur: 8 << 10, Max: 8 << 10}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	c, err := h.Config()
	if err != nil {
		return err
	}
	c.Tenant.SiteName = strings.Repeat("x", 1<<20)
	pair, err := h.Keys(c)
	if err != nil {
		return err
	}
	_, replaceErr := h.Replace(&Archive{Config: c, Pair: pair})
	return errors.Join(h.SaveConfig(c), replaceErr)
}

// writeWithoutRight writes as nobody in particular.
func writeWithoutRight(dir string) error {
	if os.Geteuid() == 0 {
		if err := errors.Join(syscall.Setgid(65534), syscall.Setuid(65534)); err != nil {
			return err
		}
	}
	h, err := Open(dir, nil)
	if err != nil {
		return err
	}
	c, err := h.Config()
	if err != nil {
		return err
	}
	c.Tenant.SiteName = "x"
	return h.SaveConfig(c)
}

func TestFullDisk(t *testing.T) {
	before := configured(t)
	h := lay(t, before)
	out, err := child(t, "full", h.Dir()).CombinedOutput()
	if err == nil {
		t.Fatal("it wrote more than was allowed")
	}
	for _, want := range []string{"write " + h.Path(configFile) + ": file too large", "lay files ready in " + h.Path(stageFolder) + ": file too large"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("it says %q, want %q", out, want)
		}
	}
	if diff := cmp.Diff(before, filesBelow(t, h.Dir())); diff != "" {
		t.Error(diff)
	}
}

func TestReadOnlyHome(t *testing.T) {
	before := configured(t)
	// Nobody must be able to come this far, which a folder of tests does not allow.
	dir, err := os.MkdirTemp("/tmp", "home")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = os.Chmod(dir, 0o700) // so that the next line can
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	h := layIn(t, dir, before)
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	out, err := child(t, "denied", dir).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "write "+h.Path(configFile)+": lock "+h.Path(writeLock)+": permission denied") {
		t.Errorf("%v: %s", err, out)
	}
	if diff := cmp.Diff(before, filesBelow(t, h.Dir())); diff != "" {
		t.Error(diff)
	}
}
