package home

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/config"
)

// put writes a file of somebody else's.
func putFile(t *testing.T, name string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestBelongings(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "above", "home"))
	if missing := h.Missing(); len(missing) != 2 || missing[0] != h.Dir() || missing[1] != filepath.Dir(h.Dir()) {
		t.Errorf("missing %q", missing)
	}
	if names, err := h.Belongings(); err != nil || names != nil {
		t.Errorf("of no home: %q, %v", names, err)
	}
	for _, err := range []error{h.Create(), h.SaveKeys(testPair(t, "a")), h.SaveMapper("m"), h.SaveConfig(config.Default())} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if missing := h.Missing(); missing != nil {
		t.Errorf("missing %q", missing)
	}
	for _, name := range []string{"server.js", "lib/users.js", "lib/deep/more.js", "node_modules/a/index.js"} {
		putFile(t, h.Path(filepath.FromSlash(name)))
	}
	before, err := h.Belongings()
	want := []string{"config.json", "certs", "certs/cert.key", "certs/cert.pem", "lib", "lib/profileMapper.js", "state", "state/write.lock"}
	if err != nil || !slices.Equal(before, want) {
		t.Errorf("%q, %v", before, err)
	}
	for _, err := range []error{h.SaveCA("own.pem", []byte("x")), h.SaveState("run", 1)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := h.RemoveSince(before); err != nil {
		t.Error(err)
	}
	if after, _ := h.Belongings(); !slices.Equal(after, before) {
		t.Errorf("after what came since was removed: %q", after)
	}
	if err := h.RemoveSince(nil, KeyPair...); err != nil {
		t.Error(err)
	}
	if after, _ := h.Belongings(); !slices.Equal(after, []string{"certs", "certs/cert.key", "certs/cert.pem", "lib"}) {
		t.Errorf("but for the key pair: %q", after)
	}
	if left, err := h.Purge(); err != nil || left != h.Dir() {
		t.Errorf("purge beside another program: %q, %v", left, err)
	}
	if err := os.RemoveAll(h.Path("lib")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"server.js", "node_modules"} {
		if err := os.RemoveAll(h.Path(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.SaveFormer(Before{}); err != nil { // with the former key pair
		t.Fatal(err)
	}
	for range 2 {
		if left, err := h.Purge(); err != nil || left != "" || h.Exists() {
			t.Errorf("purge: %q, %v", left, err)
		}
	}
}

// A program is replaced whole, and put back.
func TestProgram(t *testing.T) {
	dir := t.TempDir()
	h := open(t, filepath.Join(dir, "home"))
	if err := h.Create(); err != nil {
		t.Fatal(err)
	}
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	for name, text := range map[string]string{one: "one", two: "two"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	holds := func(from string, want bool) {
		t.Helper()
		if got, err := h.HasProgram(from); got != want || err != nil {
			t.Errorf("holds %s: %t, %v", from, got, err)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	holds(one, false)
	must(h.SaveProgram(one))
	holds(one, true)
	holds(h.Program(), true)
	must(h.SaveProgram(two))
	must(h.SaveProgram(two)) // again, as after a crash
	holds(two, true)
	must(h.RestoreProgram(true))
	must(h.RestoreProgram(true)) // again, or for nothing
	holds(one, true)
	must(h.SaveProgram(two))
	putFile(t, h.Path(binFolder, ".12.tmp"))
	h.ForgetProgram()
	if names, err := os.ReadDir(h.Path(binFolder)); err != nil || len(names) != 1 {
		t.Errorf("%v, %v", names, err)
	}
	if err := h.SaveProgram(filepath.Join(dir, "none")); err == nil || !strings.Contains(err.Error(), "copy the program to ") {
		t.Error(err)
	}
	holds(two, true)
	must(h.RestoreProgram(false))
	if _, err := os.Lstat(h.Path(binFolder)); !os.IsNotExist(err) {
		t.Error(err)
	}
	must(h.RemoveProgram())
	must(h.Remove())
}
