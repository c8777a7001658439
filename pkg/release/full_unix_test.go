//go:build unix

package release

import (
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const fullDisk = "CONNECTOR_TEST_FULL_DISK"

// TestFullDisk has no more than 8 KiB go into a file: what came is then removed,
// for a full disk has no room for half a program either.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	if os.Getenv(fullDisk) == "" { // the limit is a process's
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFullDisk$", "-test.v")
		cmd.Env = append(os.Environ(), fullDisk+"=1")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestFullDisk") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	s := newFolder(t, 200_000)
	c := s.opened(s.bundle())
	dst := filepath.Join(t.TempDir(), "connector")
	signal.Ignore(syscall.SIGXFSZ)
	limit := syscall.Rlimit{Cur: 8 << 10, Max: 8 << 10}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	refused(t, c.Fetch(t.Context(), s.file(), dst, nil), KindDisk)
	untouched(t, dst, false)
}
