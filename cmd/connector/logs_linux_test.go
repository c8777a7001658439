package main

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// withoutRights runs do as somebody who may pass through the folders and has no
// rights of root's over the files in them, whoever runs the test.
func withoutRights(t *testing.T, do func(), folders ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		do()
		return
	}
	for _, dir := range folders {
		for ; filepath.Clean(dir) != filepath.Clean(os.TempDir()); dir = filepath.Dir(dir) {
			if info, err := os.Stat(dir); err == nil && info.Mode().Perm() != 0 {
				if err := os.Chmod(dir, 0o755); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const nobody = 65534
	before, err := unix.SetfsuidRetUid(nobody)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = unix.SetfsuidRetUid(before) }() // it was so a moment ago
	do()
}
