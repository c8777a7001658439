package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// succeedWithin is how long the successor may take: its own patience, and what
// comes before and after it.
const succeedWithin = takeoverWithin + 30*time.Second

// succeed starts the program that is now in the home, or else the file that this
// process was started from, to take over as the service's main process. It has
// the same environment, arguments, streams and bounds, for it is a child.
func (d *porter) succeed(wire *porterWire) error {
	if !d.s.manager.Managed() || pid() == 1 {
		return &unmanagedError{}
	}
	program, err := d.successor()
	if err != nil {
		return err
	}
	done := make(chan word, 1)
	d.mu.Lock()
	busy := d.succeeded != nil || len(d.over) > 0
	if !busy {
		d.succeeded = done
	}
	d.mu.Unlock()
	if busy {
		return errors.New("another process is taking over already")
	}
	defer func() {
		d.mu.Lock()
		d.heir, d.succeeded = 0, nil
		d.mu.Unlock()
	}()
	cmd := exec.CommandContext(context.WithoutCancel(d.ctx), program, successorArgs(os.Args[1:])...) // it outlives this process
	cmd.Env = successorEnviron(os.Environ())
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	d.mu.Lock() // before it asks
	if err := cmd.Start(); err != nil {
		d.mu.Unlock()
		return fmt.Errorf("start %s: %w", program, err)
	}
	d.heir = cmd.Process.Pid
	d.mu.Unlock()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	timer := time.NewTimer(succeedWithin)
	defer timer.Stop()
	select {
	case w := <-done:
		return wire.say(w, porterPatience)
	case err := <-ended:
		return &hinted{fmt.Errorf("%s ended before it took over: %w", program, endedHow(err)), "connector logs says why; the process that ran goes on"}
	case <-timer.C:
		err = fmt.Errorf("%s has not taken over within %v", program, succeedWithin)
	case <-d.ctx.Done():
		err = errors.New("it is about to end")
	}
	select {
	case w := <-done: // in the same moment
		return wire.say(w, porterPatience)
	default:
	}
	_ = cmd.Process.Kill() // it may have ended
	killed := <-ended      // as it was told
	d.s.log.Info("the successor was ended", "pid", cmd.Process.Pid, "how", endedHow(killed).Error())
	return err
}

// endedHow says how a process ended that should not have.
func endedHow(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// successor is the program that is to take over.
func (d *porter) successor() (string, error) {
	program := d.claim.home.Program()
	if isFile(program) {
		return program, nil
	}
	program, err := os.Executable() // as it was found at the start
	if err != nil {
		return "", fmt.Errorf("find the program that is to take over: %w", err)
	}
	return program, nil
}

func successorArgs(args []string) []string {
	if slices.Contains(args, takeoverFlag) {
		return args
	}
	return append(slices.Clone(args), takeoverFlag)
}

// successorEnviron leaves out what was said to this process alone: the watchdog
// then is its successor's too (sd_watchdog_enabled(3)).
func successorEnviron(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(v string) bool { return strings.HasPrefix(v, "WATCHDOG_PID=") })
}

// An unmanagedError says that nobody could be told of another main process.
type unmanagedError struct{}

func (*unmanagedError) Error() string {
	return "no service manager started it that can be told of another process"
}

// Hint says what to do.
func (*unmanagedError) Hint() string {
	return `restart it by what started it; in a terminal, start the other one beside it: connector run --takeover`
}
