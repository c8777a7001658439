//go:build unix

package install

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A firewall's program that has begun is let to its end, and one that has not is
// not begun.
func TestToolIsNotBrokenOff(t *testing.T) {
	dir := t.TempDir()
	program, begun := filepath.Join(dir, "wall"), filepath.Join(dir, "begun")
	// It has a process group of its own, whose number is then its own.
	text := "#!/bin/sh\n: >" + begun + "\nread go <" + filepath.Join(dir, "go") + "\necho ended in $(ps -o pgid= -p $$) of $$\n"
	if err := errors.Join(os.WriteFile(program, []byte(text), 0o600), os.Chmod(program, 0o700), syscall.Mkfifo(filepath.Join(dir, "go"), 0o600)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	run := runTool(program)
	said := make(chan string, 1)
	go func() {
		out, err := run(ctx)
		if err != nil {
			out = err.Error()
		}
		said <- out
	}()
	gate, err := os.OpenFile(filepath.Join(dir, "go"), os.O_WRONLY, 0) // which waits until it reads there
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := gate.WriteString("go\n"); err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(<-said)
	if len(words) != 5 || words[0] != "ended" || words[2] != words[4] {
		t.Errorf("it said %q", words)
	}
	if err := errors.Join(gate.Close(), os.Remove(begun)); err != nil {
		t.Fatal(err)
	}
	if _, err := run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: %v", err)
	}
	if _, err := os.Stat(begun); err == nil {
		t.Error("it was begun all the same")
	}
}
