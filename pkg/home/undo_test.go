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
