package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/testdata/lab"
)

// smallDisk returns a folder with its own file system of so many bytes.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("this user may not mount a file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fillDisk takes all the room that is left, and returns what gives it back.
func fillDisk(t *testing.T, dir string) (free func()) {
	t.Helper()
	name := filepath.Join(dir, "ballast")
	err := os.WriteFile(name, make([]byte, 64<<20), 0o600)
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	return func() {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLogFileOnAFullDisk logs to a real disk that runs full, and gets room
// again.
func TestLogFileOnAFullDisk(t *testing.T) {
	disk := smallDisk(t, "1m")
	h, err := home.Open(filepath.Join(disk, "home"), nil)
	if err != nil {
		t.Fatal(err)
	}
	var said transcript
	f, log := fileLog(h, &said, 10*time.Millisecond)
	log.Info("before")
	lab.Eventually(t, "the file", func() bool {
		data, err := os.ReadFile(h.Path("logs", "connector.log"))
		return err == nil && strings.HasSuffix(string(data), "] before\n")
	})
	free := fillDisk(t, disk)
	long := strings.Repeat("x", 8<<10) // more than the rest of a page
	lab.Eventually(t, "a warning", func() bool {
		log.Info(long)
		return strings.Contains(said.String(), "given up")
	})
	if !strings.Contains(said.String(), "no space left") {
		t.Errorf("it said %s", said.String())
	}
	free()
	lab.Eventually(t, "the file again", func() bool {
		log.Info("after")
		return strings.Contains(said.String(), "written again")
	})
	f.Close()
	data, err := os.ReadFile(h.Path("logs", "connector.log"))
	if err != nil || !strings.HasSuffix(string(data), "] after\n") {
		t.Errorf("%v: %d bytes", err, len(data))
	}
	if n := strings.Count(said.String(), "\n"); n != 2 {
		t.Errorf("%d lines on stderr, want 2: %s", n, said.String())
	}
}
