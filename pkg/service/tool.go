//go:build unix

package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// A toolError is what a program of the system answered.
type toolError struct {
	Tool string // with the arguments
	Said string // the last of what it printed
	Err  error

	hint string
}

func (e *toolError) Error() string {
	if e.Said == "" {
		return e.Tool + ": " + e.Err.Error()
	}
	return e.Tool + ": " + e.Err.Error() + ": " + e.Said
}

func (e *toolError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *toolError) Hint() string { return e.hint }

// longest bounds a program of the system: starting a service is what takes
// longest, and the manager itself gives that up after 90 seconds.
const longest = 2 * time.Minute

// tool runs a program of the system and returns what it printed.
func tool(ctx context.Context, name string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "SYSTEMD_PAGER=", "SYSTEMD_COLORS=0", "TZ=UTC")
	cmd.WaitDelay = time.Second // a child of its own may keep the pipe open
	// A terminal's Ctrl-C is for this process, which ends its tools in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err == nil {
		return out.Bytes(), nil
	}
	e := &toolError{Tool: strings.Join(cmd.Args, " "), Said: lastOf(errs.String()), Err: err}
	if os.Geteuid() != 0 && !errors.Is(err, exec.ErrNotFound) {
		e.hint = "Run this as root."
	}
	return out.Bytes(), e
}

// lastOf is the end of what a program said, on one line.
func lastOf(said string) string {
	said = strings.Join(strings.Fields(strings.ToValidUTF8(said, "?")), " ")
	if over := len(said) - 400; over > 0 {
		said = "... " + strings.ToValidUTF8(said[over:], "")
	}
	return said
}

// failed is a tool's error with what was being done.
func failed(doing, name string, err error) error {
	return fmt.Errorf("%s the service %s: %w", doing, name, err)
}
