package home

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// modesBelow says who may use what is below dir.
func modesBelow(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		name, relErr := filepath.Rel(dir, path)
		if err == nil {
			found[filepath.ToSlash(name)] = info.Mode().String()
		}
		return errors.Join(err, relErr)
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// kept is a Before that another process reads, days later.
func keptBefore(t *testing.T, h *Home) (b Before) {
	t.Helper()
	now, err := h.Before()
	if err == nil {
		err = errors.Join(h.SaveFormer(now), h.LoadFormer(&b))
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestReturn(t *testing.T) {
	older := map[string]string{"package.json": `{"name":"ad-ldap-connector"}`, "lib/users.js": "", "logs.log": "log"}
	maps.Copy(older, configured(t))
	change := func(t *testing.T, h *Home, key, value string) {
		t.Helper()
		c, err := h.Config()
		if err == nil {
			err = c.Set(key, value)
		}
		if err == nil {
			err = h.SaveConfig(c)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, tt := range map[string]struct {
		before map[string]string
		later  func(*testing.T, *Home) // what happens after the install
		notes  []string
		also   []string // what there is besides what was before
	}{
		"untouched": {before: older},
		"ran": {before: older, later: func(t *testing.T, h *Home) {
			if err := errors.Join(h.SaveState("run", 1), h.SaveCA("x.pem", []byte("x"))); err != nil {
				t.Fatal(err)
			}
		}},
		"newer layout": {before: dataHome(t)},
		"set up by hand": {before: older, later: func(t *testing.T, h *Home) { change(t, h, "SITE_NAME", "mine") },
			notes: []string{"is kept in"}, also: []string{"backups/20250301-120000/config.json"}},
		"keys renewed": {before: older, later: func(t *testing.T, h *Home) {
			if err := h.SaveKeys(testPair(t, "b")); err != nil {
				t.Fatal(err)
			}
		}, notes: []string{"The key pair is newer"}, also: []string{"backups/20250301-120000/certs/cert.key", "backups/20250301-120000/certs/cert.pem"}},
	} {
		h := lay(t, tt.before)
		h.now = fixedClock
		if err := os.Chmod(h.Dir(), 0o755); err != nil {
			t.Fatal(err)
		}
		modes := modesBelow(t, h.Dir())
		b := keptBefore(t, h)
		if b.Data {
			d, err := h.ReadData()
			if err != nil {
				t.Fatal(err)
			}
			backup, err := h.AdoptData(d)
			if err != nil || backup == "" {
				t.Fatal(backup, err)
			}
			b.Aside = backup
		}
		change(t, h, "AD_HUB", "https://other.example/lo/hub") // as the tenant's news do
		if err := h.SaveProgram(filepath.Join(h.Dir(), "package.json")); err != nil {
			t.Fatal(err)
		}
		if err := h.Take(&b); err != nil {
			t.Fatal(err)
		}
		if tt.later != nil {
			tt.later(t, h)
		}
		for i := range 2 {
			notes, err := h.Return(b)
			if err := errors.Join(err, h.RemoveProgram()); err != nil {
				t.Fatal(name, err)
			}
			if i == 0 && len(notes) != len(tt.notes) || i == 0 && len(notes) > 0 && !strings.Contains(notes[0], tt.notes[0]) {
				t.Errorf("%s: notes %q", name, notes)
			}
		}
		if err := h.RemoveFormer(); err != nil {
			t.Fatal(err)
		}
		got := filesBelow(t, h.Dir())
		for _, also := range tt.also {
			if _, ok := got[also]; !ok {
				t.Errorf("%s: %s is not kept", name, also)
			}
		}
		if tt.also != nil {
			maps.DeleteFunc(got, func(name, _ string) bool { return strings.HasPrefix(name, "backups/") })
		}
		want := maps.Clone(tt.before)
		if name == "keys renewed" {
			for _, file := range []string{configFile, certFile, keyFile} {
				if got[file] == want[file] {
					t.Errorf("%s: %s went back", name, file)
				}
				want[file] = got[file]
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if diff := cmp.Diff(modes, modesBelow(t, h.Dir())); diff != "" && tt.also == nil && runtime.GOOS != "windows" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// What somebody else may have written is not believed.
func TestFormerIsTrusted(t *testing.T) {
	h := lay(t, configured(t))
	var v map[string]int
	if err := h.LoadFormer(&v); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing is %v", err)
	}
	if err := h.RemoveFormer(); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := h.SaveFormer(map[string]int{"a": 1}); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.LoadFormer(&v); err != nil || v["a"] != 1 {
		t.Errorf("%v, %v", v, err)
	}
	if left, err := lay(t, map[string]string{formerFile: "{}"}).Purge(); left != "" || err != nil {
		t.Errorf("purged, it leaves %q, %v", left, err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	for _, name := range []string{formerFile, formerFolder} {
		info, err := os.Stat(h.Path(name))
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
		if err := os.Chmod(h.Path(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := h.LoadFormer(&v); err == nil || !strings.Contains(err.Error(), "is not believed") {
			t.Errorf("%s: %v", name, err)
		}
		if err := os.Chmod(h.Path(name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(h.Path(formerFile))
	if err != nil || !json.Valid(text) {
		t.Fatal(err)
	}
	if err := os.WriteFile(h.Path(formerFile), text[:3], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := h.LoadFormer(&v); err == nil || !strings.Contains(err.Error(), formerFile) {
		t.Errorf("damaged: %v", err)
	}
}
