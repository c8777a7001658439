package home

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestExposed(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes are not what Windows goes by")
	}
	dir := t.TempDir()
	for name, mode := range map[string]fs.FileMode{configFile: 0o644, certFile: 0o644, keyFile: 0o640, mapperFile: 0o666, "logs.txt": 0o666} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("{}"), 0o600), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
	}
	h, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	got, err := h.Exposed()
	want := []string{
		h.Path(configFile) + ": others can read or write it (mode 0644)",
		h.Path(keyFile) + ": others can read or write it (mode 0640)",
		h.Path(mapperFile) + ": others can write it (mode 0666)",
	}
	if err != nil || strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%q, %v", got, err)
	}
	if err := h.Tighten(); err != nil {
		t.Fatal(err)
	}
	if got, err := h.Exposed(); err != nil || got != nil {
		t.Errorf("when it is closed: %q, %v", got, err)
	}
	if err := os.Chmod(dir, 0o772); err != nil {
		t.Fatal(err)
	}
	if got, _ := h.Exposed(); len(got) != 4 || !strings.Contains(got[0], "others can write there (mode 0772)") {
		t.Errorf("when it is open: %q", got)
	}
}

func TestExposedOfNothing(t *testing.T) {
	h, err := Open(filepath.Join(t.TempDir(), "none"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Exposed(); runtime.GOOS != "windows" && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if err := h.Tighten(); err == nil {
		t.Error("nothing was tightened")
	}
	if _, err := h.Waivers(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestNeighbours(t *testing.T) {
	above := t.TempDir()
	for name, text := range map[string]string{"one": `{"CONNECTION":"corp"}`, "two": `{"CONNECTION":"hr"}`, "broken": `{`, "empty": ""} {
		if err := os.Mkdir(filepath.Join(above, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if text != "" {
			if err := os.WriteFile(filepath.Join(above, name, configFile), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.Symlink(filepath.Join(above, "one"), filepath.Join(above, "alias")); err != nil {
		t.Logf("without a link: %v", err)
	}
	h, err := Open(filepath.Join(above, "one"), nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []Neighbour
	for _, n := range h.Neighbours() {
		if strings.HasPrefix(n.Dir, above) { // this host may have a connector
			got = append(got, n)
		}
	}
	if len(got) != 1 || got[0].Dir != filepath.Join(above, "two") || got[0].Config.Tenant.Connection != "hr" {
		t.Errorf("%+v", got)
	}
}
