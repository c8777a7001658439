package home

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestRecord(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	h, err := Open(filepath.Join(t.TempDir(), "home"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"logs/audit.jsonl", "audit.jsonl", filepath.Join(outside, "audit.jsonl")} {
		r, err := h.OpenRecord(name)
		if err != nil {
			t.Fatal(err)
		}
		add := func(text string) {
			t.Helper()
			if _, err := r.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		if info, err := os.Stat(r.Path()); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
		for _, text := range []string{"one\n", "two\n", "three\n", "four\n"} {
			add(text)
			if err := r.PutAside(2); err != nil {
				t.Fatal(err)
			}
		}
		add("five\nsi")
		if size, err := r.Size(); err != nil || size != 7 || !r.Torn() || r.Moved() {
			t.Errorf("%s: %d, %v", name, size, err)
		}
		if err := r.Sync(); err != nil {
			t.Error(err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		for suffix, want := range map[string]string{"": "five\nsi", ".1": "four\n", ".2": "three\n", ".3": ""} {
			if data, _ := os.ReadFile(r.Path() + suffix); string(data) != want {
				t.Errorf("%s%s has %q, want %q", name, suffix, data, want)
			}
		}
		if r, err = h.OpenRecord(name); err != nil {
			t.Fatal(err)
		}
		add("x\n")
		if err := os.Rename(r.Path(), r.Path()+".old"); err != nil {
			t.Error(err)
		}
		if !r.Moved() {
			t.Error("a file that was put aside by another is not missed")
		}
		if err := r.PutAside(0); err != nil {
			t.Error(err)
		}
		if r.Moved() || r.Torn() {
			t.Error("the one begun then is not ours")
		}
		_ = r.Close() // nothing was written to it
	}
}

// TestRecordFollowsNothing: whoever can write to the folder must not choose the
// file that grows.
func TestRecordFollowsNothing(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows makes links for administrators only")
	}
	for name, tt := range map[string]struct {
		make func(file, victim string) error
		want string
	}{
		"a link":          {func(file, victim string) error { return os.Symlink(victim, file) }, "not a regular file"},
		"a dangling link": {func(file, victim string) error { return os.Symlink(victim+"x", file) }, "not a regular file"},
		"a hard link":     {func(file, victim string) error { return os.Link(victim, file) }, "hard links"},
		"a folder":        {func(file, _ string) error { return os.Mkdir(file, 0o700) }, "not a regular file"},
		"a link as folder": {func(file, victim string) error {
			if err := os.Remove(filepath.Dir(file)); err != nil {
				return err
			}
			return os.Symlink(filepath.Dir(victim), filepath.Dir(file))
		}, "escapes"},
	} {
		h, err := Open(filepath.Join(t.TempDir(), "home"), nil)
		if err != nil {
			t.Fatal(err)
		}
		victim := filepath.Join(t.TempDir(), "victim")
		if err := os.WriteFile(victim, []byte("mine"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(h.Path("logs"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := tt.make(h.Path("logs", "audit.jsonl"), victim); err != nil {
			t.Fatal(err)
		}
		r, err := h.OpenRecord("logs/audit.jsonl")
		if err == nil {
			_ = r.Close() // nothing was written to it
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
		if data, err := os.ReadFile(victim); err != nil || string(data) != "mine" {
			t.Errorf("%s: the victim has %q, %v", name, data, err)
		}
		if _, err := os.Lstat(victim + "x"); err == nil {
			t.Errorf("%s: a file was made where it leads", name)
		}
	}
	h, err := Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../x.log", filepath.Join(t.TempDir(), "missing", "x.log")} {
		if r, err := h.OpenRecord(name); err == nil {
			_ = r.Close() // nothing was written to it
			t.Errorf("%s was opened", name)
		}
	}
}
