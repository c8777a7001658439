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

// TestLogFileInAReadOnlyHome logs where nothing can be written.
func TestLogFileInAReadOnlyHome(t *testing.T) {
	disk := smallDisk(t, "1m")
	h, err := home.Open(filepath.Join(disk, "home"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Create(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("", disk, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	var said transcript
	f, log := fileLog(h, &said, time.Millisecond)
	lab.Eventually(t, "a warning", func() bool {
		log.Info("lost")
		return said.String() != ""
	})
	for range 100 {
		log.Info("lost")
	}
	f.Close()
	if text := said.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "read-only file system") {
		t.Errorf("it said %s", text)
	}
}

// TestSupportOnAFullDisk writes an archive where there is no room for it.
func TestSupportOnAFullDisk(t *testing.T) {
	disk := smallDisk(t, "1m")
	free := fillDisk(t, disk)
	a, _ := supportHome(t)
	name := filepath.Join(disk, "case.zip")
	said, err := runSupport(t, a, "--file", name)
	if exitCode(err, false) != exitFault || !strings.Contains(said, "no space left") {
		t.Errorf("%v: %s", err, said)
	}
	left, err := os.ReadDir(disk)
	if err != nil || len(left) != 1 || left[0].Name() != "ballast" {
		t.Errorf("it left %v, %v", left, err)
	}
	free()
	if said, err := runSupport(t, a, "--file", name); err != nil {
		t.Errorf("with room: %v: %s", err, said)
	}
	// Over the old one on a full disk: the old one stays.
	before, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	fillDisk(t, disk)
	if said, err := runSupport(t, a, "--file", name, "--force"); err == nil {
		t.Errorf("it was written: %s", said)
	}
	if after, err := os.ReadFile(name); err != nil || string(after) != string(before) {
		t.Errorf("the former archive is %d bytes, %v", len(after), err)
	}
}
