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
func (d *porter) succeed(wire *porterWire, ask word) error {
	if err := d.able(); err != nil {
		return err
	}
	watch := min(time.Duration(max(ask.Watch, 0))*time.Millisecond, maxTakeoverWatch)
	program, err := d.successor(ask.Next)
	if err != nil {
		return err
	}
	done := make(chan word, 1)
	d.mu.Lock()
	busy := d.succeeded != nil || len(d.over) > 0
	if !busy {
		d.succeeded, d.why = done, nil
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
	cmd.Env = successorEnviron(os.Environ(), watch)
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
	timer := time.NewTimer(succeedWithin + watch)
	defer timer.Stop()
	select {
	case w := <-done:
		return wire.say(w, porterPatience)
	case err := <-ended:
		return &endedError{program: program, pid: cmd.Process.Pid, err: endedHow(err), why: d.reason()}
	case <-timer.C:
		err = fmt.Errorf("%s has not taken over within %v", program, succeedWithin+watch)
	case <-d.ctx.Done():
		err = errors.New("it is about to end")
	case <-gone(wire, ask.Next):
		err = errors.New("nobody waits for it any more")
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

// able says why no process could become the service's in this one's place.
func (d *porter) able() error {
	if !d.s.manager.Managed() || pid() == 1 {
		return &unmanagedError{}
	}
	return nil
}

// reason is what the successor said before it ended, nil if nothing.
func (d *porter) reason() error {
	select {
	case d.over <- struct{}{}: // whoever listens to it has heard all
		<-d.over
	case <-time.After(turnPatience):
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.why
}

// gone is closed when whoever asked for the next program hangs up: an update
// that was interrupted, or killed, must leave nothing that it has not proved.
func gone(wire *porterWire, next bool) <-chan struct{} {
	if !next {
		return nil
	}
	c := make(chan struct{})
	go func() {
		_, _ = wire.hear(0) // there is no more to be said
		close(c)
	}()
	return c
}

// An endedError says that the successor has ended.
type endedError struct {
	program  string
	pid      int
	err, why error // why is nil if it did not say
}

func (e *endedError) Error() string {
	text := fmt.Sprintf("%s ended before it took over: %v", e.program, e.err)
	if e.why != nil {
		text += ": " + e.why.Error()
	}
	return text
}

// Hint says where to look.
func (*endedError) Hint() string { return "connector logs says why; the process that ran goes on" }

// successor is the program that is to take over.
func (d *porter) successor(next bool) (string, error) {
	program := d.claim.home.Program()
	if next {
		program = d.claim.home.NextProgram()
		if !isFile(program) {
			return "", fmt.Errorf("there is no %s", program)
		}
	}
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
// then is its successor's too (sd_watchdog_enabled(3)). How long the successor is
// watched is no flag: a program of another version may not know it.
func successorEnviron(environ []string, watch time.Duration) []string {
	environ = slices.DeleteFunc(slices.Clone(environ), func(v string) bool {
		return strings.HasPrefix(v, "WATCHDOG_PID=") || strings.HasPrefix(v, takeoverWatch+"=")
	})
	if watch > 0 {
		environ = append(environ, takeoverWatch+"="+watch.String())
	}
	return environ
}

// takeoverWatch is a variable of a successor's environment: how long it has to
// be well, beside the process that runs, before it takes over.
const takeoverWatch = "CONNECTOR_TAKEOVER_WATCH"

const maxTakeoverWatch = time.Hour

// watchOf reads it. What does not fit is none.
func watchOf(environ []string) time.Duration {
	d, err := time.ParseDuration(lookup(environ, takeoverWatch))
	if err != nil || d < 0 {
		return 0
	}
	return min(d, maxTakeoverWatch)
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
