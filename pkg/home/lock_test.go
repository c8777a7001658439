package home

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// holdLock locks the home and waits to be killed or for its input to end.
func holdLock(dir string) error {
	h, err := Open(dir, nil)
	if err != nil {
		return err
	}
	if _, err := h.Lock(); err != nil {
		return err
	}
	fmt.Println("locked")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func TestLock(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "home"))
	unlock, err := h.Lock()
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("a connector already runs here: process %d", os.Getpid())
	if _, err := open(t, h.Dir()).Lock(); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), want) {
		t.Errorf("second lock: %v", err)
	}
	// Commands work beside a running connector.
	if err := h.SaveState("x", 1); err != nil {
		t.Error(err)
	}
	if err := unlock(); err != nil {
		t.Error(err)
	}
	again, err := h.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if err := again(); err != nil {
		t.Error(err)
	}
}

// A connector that is killed leaves no lock behind.
func TestLockEndsWithItsProcess(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "home"))
	cmd := child(t, "hold", h.Dir())
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }() // its reader is dead by then
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	if _, err := lines.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("process %d", cmd.Process.Pid)
	if _, err := h.Lock(); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), want) {
		t.Errorf("while it runs: %v, want %s", err, want)
	}
	kill(t, cmd, lines)
	unlock, err := h.Lock()
	if err != nil {
		t.Fatalf("after its death: %v", err)
	}
	if err := unlock(); err != nil {
		t.Error(err)
	}
}

// Writers wait for each other, in one process as between several, and none
// takes another's unfinished file for a leftover.
func TestWritersTakeTurns(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "home"))
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for j := range 10 {
				if err := h.SaveState("shared", map[string]int{"i": i, "j": j}); err != nil {
					t.Error(err)
				}
				h, err := Open(h.Dir(), nil)
				if err == nil {
					err = h.LoadState("shared", &map[string]int{})
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if n := len(filesBelow(t, h.Dir())); n != 1 {
		t.Errorf("%d files", n)
	}
}
