package install

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

const (
	toolTime = time.Minute // for one call; they answer in half a second
	toolSays = 1 << 20     // octets; more of it is not an answer
)

// A runner runs a firewall's program and returns what it printed. An error
// carries what the program said.
type runner func(ctx context.Context, args ...string) (string, error)

// errTooLong means that a program says more than its answers can be.
var errTooLong = fmt.Errorf("it says more than %d octets", toolSays)

// runTool returns the runner of a program. Its answers are in English. Once begun
// it is not broken off, neither by ctx nor by a terminal's Ctrl-C: a firewall
// with half a rule would be worse than a moment's wait.
func runTool(program string) runner { return runFor(toolTime, program) }

// runFor is runTool with a limit of its own for each call.
func runFor(limit time.Duration, program string) runner {
	return func(ctx context.Context, args ...string) (string, error) {
		if ctx.Err() != nil {
			return "", &toolError{program: program, args: args, err: context.Cause(ctx)}
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
		defer cancel()
		cmd := exec.CommandContext(ctx, program, args...)
		cmd.SysProcAttr = apart()
		cmd.Env = append(os.Environ(), "LC_ALL=C", "LANGUAGE=C")
		cmd.WaitDelay = time.Second // a child of its own may keep the pipe open
		out, errs := limited{most: toolSays}, limited{most: toolSays}
		cmd.Stdout, cmd.Stderr = &out, &errs
		err := cmd.Run()
		switch {
		case ctx.Err() != nil:
			err = context.Cause(ctx)
		case out.over:
			err = errTooLong
		case err == nil:
			return out.text.String(), nil
		}
		said := errs.text.String()
		if strings.TrimSpace(said) == "" {
			said = out.text.String() // netsh explains itself there
		}
		return out.text.String(), &toolError{program: program, args: args, said: lastOf(said), err: err}
	}
}

// A limited buffer drops what is too much, and says so.
type limited struct {
	text bytes.Buffer // not embedded: its ReadFrom knows no limit
	most int
	over bool
}

func (l *limited) Write(p []byte) (int, error) {
	fits := min(len(p), l.most-l.text.Len())
	l.over = l.over || fits < len(p)
	l.text.Write(p[:fits])
	return len(p), nil // else the program would end by a broken pipe
}

// A toolError is a program's refusal.
type toolError struct {
	program string
	args    []string
	said    string
	err     error
}

func (e *toolError) Error() string {
	text := strings.Join(append([]string{e.program}, e.args...), " ") + ": " + e.err.Error()
	if e.said != "" {
		text += ": " + e.said
	}
	return text
}

func (e *toolError) Unwrap() error { return e.err }

// status is what the program that came to err ended with; -1: it did not.
func status(err error) int {
	if e := (*exec.ExitError)(nil); errors.As(err, &e) {
		return e.ExitCode()
	}
	return -1
}

// lastOf is the end of what a program said, on one line.
func lastOf(said string) string {
	said = strings.Join(strings.Fields(strings.ToValidUTF8(said, "?")), " ")
	if over := len(said) - 400; over > 0 {
		said = "... " + strings.ToValidUTF8(said[over:], "")
	}
	return said
}

// refused is an error of a firewall, with advice for who is not root.
func refused(doing, firewall string, err error) error {
	if err == nil {
		return nil
	}
	e := &FirewallError{Doing: doing, Firewall: firewall, Err: err}
	if os.Geteuid() > 0 { // -1 on Windows, which says it itself
		e.hint = "run this as root"
	}
	return e
}
