//go:build unix

package sandbox

import (
	"os"
	"path/filepath"
	"testing"
)

// checkModes wants files that nobody else can read.
func checkModes(t *testing.T, folder string, names ...string) {
	t.Helper()
	for _, name := range names {
		info, err := os.Stat(filepath.Join(folder, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}
