package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"ad-ldap-connector/pkg/doctor"
)

// A nextProgram is the one that an update is to.
type nextProgram struct {
	version  string // "" until it has been asked
	source   string // where it comes from, for people
	released bool   // its version is that of a release, by which other nodes know it too
	sha256   string // hexadecimal
	same     bool   // it is here already

	lay   func(ctx context.Context) error // lays it ready in the home, verified
	close func()
}

// named is what it is called in a plan.
func (p *nextProgram) named() string {
	if p.version != "" {
		return "version " + p.version
	}
	return "the program of " + p.source
}

// choose finds the program that is wanted.
func (u *updateRun) choose(ctx context.Context) (*nextProgram, error) {
	switch {
	case u.order.rollback:
		return u.choosePrevious()
	case u.order.sha256 != "":
		return u.chooseFile()
	}
	return u.chooseRelease(ctx)
}

func (u *updateRun) choosePrevious() (*nextProgram, error) {
	same, err := u.home.HasProgram(u.home.PreviousProgram())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("go back to the former program: there is no %s", u.home.PreviousProgram())
	}
	if err != nil {
		return nil, err
	}
	sum, err := sha256Of(u.home.PreviousProgram())
	return &nextProgram{source: u.home.PreviousProgram(), sha256: sum, same: same, close: func() {},
		lay: func(context.Context) error { return u.home.ReadyPrevious() }}, err
}

// chooseFile takes a program that the operator vouches for.
func (u *updateRun) chooseFile() (*nextProgram, error) {
	same, err := u.home.HasProgram(u.order.from)
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("look at the program in %s: %w", u.order.from, err)
	}
	wanted := strings.ToLower(u.order.sha256)
	return &nextProgram{source: u.order.from, sha256: wanted, same: same, close: func() {},
		lay: func(context.Context) error {
			if err := u.home.ReadyCopy(u.order.from); err != nil {
				return err
			}
			sum, err := sha256Of(u.home.NextProgram()) // of the copy: nobody else can change that one
			if err == nil && sum != wanted {
				err = fmt.Errorf("verify %s: its SHA-256 is %s, and not %s", u.order.from, sum, wanted)
			}
			return err
		}}, nil
}

func sha256Of(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // read only
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// versionTime bounds how long a program may take to say what it is, of which a
// machine that is busy needs some to load it.
const versionTime = 30 * time.Second

// askVersion has a program say what it is.
func askVersion(ctx context.Context, program string, environ []string) (b build, err error) {
	out, said, code, err := runProgram(ctx, versionTime, program, environ, "version", "-o", "json")
	if err == nil && code != exitOK {
		err = fmt.Errorf("it ends with %d: %s", code, said)
	}
	if err == nil {
		err = json.Unmarshal(out, &b)
	}
	if err == nil && b.Version == "" {
		err = errors.New("it says nothing of it")
	}
	if err != nil {
		return b, fmt.Errorf("ask %s for its version: %w", program, err)
	}
	return b, nil
}

// mostSaid bounds what is read of a program's output, in octets.
const mostSaid = 4 << 20

// runProgram runs a program to its end. Its own failure is a code, and no error.
func runProgram(ctx context.Context, most time.Duration, program string, environ []string, args ...string) (out []byte, said string, code int, err error) {
	limited, cancel := context.WithTimeoutCause(ctx, most, fmt.Errorf("it has not ended after %s", most))
	defer cancel()
	for range 100 { // a process that is just being started elsewhere may still have the file open
		stdout, stderr := &lastOctets{most: mostSaid}, &lastOctets{most: 4 << 10}
		cmd := exec.CommandContext(limited, program, args...)
		cmd.Env, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = environ, stdout, stderr, time.Second
		err = cmd.Run()
		out, said = bytes.Clone(stdout.whole()), visible(oneLine(string(stderr.whole())))
		if !errors.Is(err, syscall.ETXTBSY) {
			break
		}
		time.Sleep(readyEvery)
	}
	if limited.Err() != nil {
		return nil, said, 0, context.Cause(limited)
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() > 0 {
		return out, said, exit.ExitCode(), nil
	}
	return out, said, 0, err
}

// try asks the program that lies ready what it is.
func (u *updateRun) try(ctx context.Context) error {
	b, err := askVersion(ctx, u.home.NextProgram(), u.environ)
	if err != nil {
		return err
	}
	if b.OS != runtime.GOOS {
		return fmt.Errorf("%s is a program for %s/%s, and this is %s/%s", u.next.source, b.OS, b.Arch, runtime.GOOS, runtime.GOARCH)
	}
	if u.next.released && b.Version != u.next.version {
		return fmt.Errorf("%s says that it is version %s, and not %s", u.next.source, visible(b.Version), u.next.version)
	}
	u.next.version = visible(b.Version)
	return nil
}

// doctorTime bounds the doctor of the next program.
const doctorTime = 2 * time.Minute

// doctor has the next program look at this machine. The time servers that a
// firewall hides would take seconds; the clock that the hub judges by is proved
// by its acceptance.
func (u *updateRun) doctor(ctx context.Context) error {
	args := []string{"doctor", "-o", "json", "--home", u.home.Dir(), "--skip", strings.Join(append([]string{"time"}, u.order.gate.skip...), ",")}
	for _, w := range u.order.gate.waive {
		args = append(args, "--waive", w)
	}
	out, said, code, err := runProgram(ctx, doctorTime, u.home.NextProgram(), u.environ, args...)
	if err != nil {
		return fmt.Errorf("have it look at this machine: %w", err)
	}
	if code == exitOK || code == exitWarned {
		return nil
	}
	var d doctor.Document
	if code != exitBlocked || json.Unmarshal(out, &d) != nil {
		return fmt.Errorf("have it look at this machine: doctor ends with %d: %s", code, said)
	}
	var blocked blockedError
	for _, e := range d.Checks {
		if e.Status == doctor.Failed && e.Severity == doctor.Blocks {
			blocked = append(blocked, e.ID)
			u.say("%s: %s", e.ID, visible(oneLine(e.Detail)))
			u.say("  %s", visible(oneLine(e.Remedy)))
		}
	}
	if len(blocked) == 0 {
		return fmt.Errorf("have it look at this machine: doctor ends with %d: %s", code, said)
	}
	return blocked
}
