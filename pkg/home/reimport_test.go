package home

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fourOf are the files of a home that its backups do not hold.
func fourOf(t *testing.T, h *Home) map[string]string {
	t.Helper()
	found := filesBelow(t, h.Dir())
	maps.DeleteFunc(found, func(name, _ string) bool {
		return strings.HasPrefix(name, backupsFolder) || strings.HasPrefix(name, stateFolder)
	})
	return found
}

// An import is undone, and its undoing in turn.
func TestUndoImport(t *testing.T) {
	first := configured(t)
	first[mapperFile] = "first"
	h := lay(t, first)
	h.now = fixedClock // all backups are of one second
	a, err := readFileArchive(legacyExport)
	if err != nil {
		t.Fatal(err)
	}
	a.CA = []byte("ca")
	if _, err := h.Replace(a); err != nil {
		t.Fatal(err)
	}
	second := fourOf(t, h)
	if cmp.Equal(first, second) || second[caBundle] != "ca" {
		t.Fatal("nothing was imported")
	}
	for n := range 12 { // past the tenth backup of a second
		i, err := h.LastImport()
		if err != nil || i.Renewed || i.Connection != "corp-ad" {
			t.Fatalf("%d: %+v, %v", n, i, err)
		}
		backup, err := h.UndoImport(i)
		if err != nil || backup == "" {
			t.Fatalf("%d: %q, %v", n, backup, err)
		}
		want := first
		if n%2 == 1 {
			want = second
		}
		if diff := cmp.Diff(want, fourOf(t, h)); diff != "" {
			t.Fatalf("%d: %s", n, diff)
		}
	}
}

func TestNoImportToUndo(t *testing.T) {
	bare := open(t, filepath.Join(t.TempDir(), "none"))
	if _, err := bare.LastImport(); !errors.Is(err, ErrNoImport) {
		t.Errorf("no home: %v", err)
	}
	if bare.Exists() {
		t.Error("it was made")
	}
	a, err := readFileArchive(legacyExport)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bare.Replace(a); err != nil {
		t.Fatal(err)
	}
	if _, err := bare.LastImport(); !errors.Is(err, ErrNoImport) {
		t.Errorf("nothing was there before: %v", err)
	}
	// A pair that was exchanged is no import, and one since is told.
	h := lay(t, configured(t))
	if err := h.SaveKeys(testPair(t, "b")); err != nil {
		t.Fatal(err)
	}
	if _, err := h.LastImport(); !errors.Is(err, ErrNoImport) {
		t.Errorf("a new key pair: %v", err)
	}
	if _, err := h.Replace(a); err != nil {
		t.Fatal(err)
	}
	if err := h.SaveKeys(testPair(t, "c")); err != nil {
		t.Fatal(err)
	}
	if i, err := h.LastImport(); err != nil || !i.Renewed {
		t.Errorf("a key pair that is newer than the import: %+v, %v", i, err)
	}
}

// What is in a backup is believed only as it was put there.
func TestDamagedBackup(t *testing.T) {
	for name, spoil := range map[string]func(*testing.T, string) error{
		"missing": func(_ *testing.T, dir string) error { return os.Remove(filepath.Join(dir, "config.json")) },
		"changed": func(_ *testing.T, dir string) error {
			return os.WriteFile(filepath.Join(dir, "config.json"), []byte("{}"), 0o600)
		},
		"no about": func(_ *testing.T, dir string) error {
			return os.WriteFile(filepath.Join(dir, aboutFile), []byte("x"), 0o600)
		},
		"other": func(_ *testing.T, dir string) error {
			return os.WriteFile(filepath.Join(dir, aboutFile), []byte(`{"reason":"import","former":{"../x":""}}`), 0o600)
		},
		"led away":  func(t *testing.T, dir string) error { return leadAway(t, filepath.Join(dir, "certs", "cert.key")) },
		"about led": func(t *testing.T, dir string) error { return leadAway(t, filepath.Join(dir, aboutFile)) },
	} {
		h := lay(t, configured(t))
		a, err := readFileArchive(legacyExport)
		if err != nil {
			t.Fatal(err)
		}
		backup, err := h.Replace(a)
		if err != nil {
			t.Fatal(err)
		}
		if err := spoil(t, backup); err != nil {
			t.Logf("%s: %v", name, err) // no links on this system
			continue
		}
		if i, err := h.LastImport(); err == nil {
			t.Errorf("%s: accepted %+v", name, i)
		} else if !strings.Contains(err.Error(), "look for the last import") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// leadAway makes a file a link to the same out of the home.
func leadAway(t *testing.T, name string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	other := filepath.Join(t.TempDir(), "other")
	return errors.Join(os.WriteFile(other, data, 0o600), os.Remove(name), os.Symlink(other, name))
}

func TestByAge(t *testing.T) {
	want := []string{"20260101-000000", "20260101-000000-2", "20260101-000000-10", "20260101-000001"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, byAge)
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
