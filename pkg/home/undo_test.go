package home

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ad-ldap-connector/pkg/config"
)

// An install that is taken back leaves nothing, the folder included.
func TestUndoAll(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "home"))
	c := config.Default()
	c.Tenant.Connection = "corp-ad"
	for _, err := range []error{
		h.Create(), h.SaveKeys(testPair(t, "a")), h.SaveMapper("m"), h.SaveCA("own.pem", []byte("x")), h.SaveConfig(c),
		h.RestoreConfig(nil), h.RemoveCA("own.pem"), h.RemoveMapper(), h.RemoveKeys(), h.Remove(),
		// and once more, since an undo may be repeated
		h.RemoveKeys(), h.RestoreConfig(nil), h.Remove(),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	if h.Exists() {
		t.Errorf("%v is left", filesBelow(t, h.Dir()))
	}
}

func TestUndoKeepsWhatIsNotItsOwn(t *testing.T) {
	before := configured(t)
	h := lay(t, before)
	if err := h.SaveConfig(config.Default()); err != nil {
		t.Fatal(err)
	}
	if err := h.RestoreConfig([]byte(before[configFile])); err != nil {
		t.Fatal(err)
	}
	if err := h.Remove(); err == nil || !strings.Contains(err.Error(), "remove "+h.Path("certs")) {
		t.Errorf("a home in use was removed: %v", err)
	}
	if diff := cmp.Diff(before, filesBelow(t, h.Dir())); diff != "" {
		t.Error(diff)
	}
	if _, err := os.Stat(h.Dir()); err != nil {
		t.Error(err)
	}
}

// An undo of what was never done needs nothing that a full disk would refuse.
func TestUndoOfNothingWritesNothing(t *testing.T) {
	before := configured(t)
	delete(before, mapperFile)
	before["ca/own.pem"] = "x"
	h := lay(t, before)
	if err := h.SaveCA("own.pem", []byte("x")); err != nil { // whose mode was not ours
		t.Fatal(err)
	}
	// No lock can be made any more, and so nothing can be written.
	if err := os.RemoveAll(h.Path(stateFolder)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(h.Path(stateFolder), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"configuration": h.RestoreConfig([]byte(before[configFile])),
		"authorities":   h.SaveCA("own.pem", []byte("x")),
		"no authority":  h.RemoveCA("other.pem"),
		"mapper":        h.RemoveMapper(),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := h.RestoreConfig([]byte("{}")); err == nil {
		t.Error("it could be written to")
	}
}
