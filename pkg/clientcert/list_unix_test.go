//go:build unix

package clientcert

import (
	"path/filepath"
	"syscall"
	"testing"
)

// TestListIsAFile: a pipe that nobody writes to does not hold up a login.
func TestListIsAFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readList(name); err == nil || err.Error() != "it is not a file" {
		t.Error(err)
	}
}
