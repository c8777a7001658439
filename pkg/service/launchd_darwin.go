package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// jobDir is where an administrator's jobs are.
const jobDir = "/Library/LaunchDaemons"

// A darwinManager asks launchd for everything by launchctl.
type darwinManager struct{}

func system() (Manager, error) {
	if _, err := os.Stat(jobDir); err != nil {
		return nil, whatElse(os.DirFS("/"), os.LookupEnv)
	}
	return darwinManager{}, nil
}

func jobFile(name string) string { return filepath.Join(jobDir, name+".plist") }

// readJob returns a job's file, nil if there is none.
func readJob(name string) ([]byte, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(jobFile(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && !bytes.Contains(data, []byte("<!-- "+ours)) {
		return nil, &ForeignError{Name: name, Where: jobFile(name)}
	}
	return data, err
}

func (darwinManager) Registered(_ context.Context, u Unit) (bool, error) {
	if err := u.check(); err != nil {
		return false, err
	}
	if u.Environment != "" {
		return false, fmt.Errorf("register %q: launchd reads no environment from a file", u.Name)
	}
	data, err := readJob(u.Name)
	return err == nil && string(data) == plist(u), err
}

func (m darwinManager) Register(ctx context.Context, u Unit) (Change, error) {
	if same, err := m.Registered(ctx, u); same || err != nil {
		return Change{}, err
	}
	before, err := readJob(u.Name)
	if err != nil {
		return Change{}, err
	}
	if err := ctx.Err(); err != nil {
		return Change{}, failed("register", u.Name, err)
	}
	c := Change{undo: func(ctx context.Context) error {
		if before == nil {
			return m.Remove(ctx, u.Name)
		}
		return replaceFile(jobFile(u.Name), before)
	}}
	// launchd reads the file when the system starts, or when Start loads it.
	if err := replaceFile(jobFile(u.Name), []byte(plist(u))); err != nil {
		return c, failed("register", u.Name, err)
	}
	return c, nil
}

func (m darwinManager) Remove(ctx context.Context, name string) error {
	if _, err := readJob(name); err != nil {
		return err
	}
	if err := m.Stop(ctx, name); err != nil {
		return err
	}
	if err := os.Remove(jobFile(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return failed("remove", name, err)
	}
	return nil
}

func (m darwinManager) Start(ctx context.Context, name string) error {
	data, err := readJob(name)
	if err == nil && data == nil {
		err = ErrNotRegistered
	}
	if err != nil {
		return failed("start", name, err)
	}
	if _, loaded := m.print(ctx, name); !loaded {
		if _, err := tool(ctx, "launchctl", "bootstrap", "system", jobFile(name)); err != nil {
			return failed("start", name, err)
		}
	}
	if _, err := tool(ctx, "launchctl", "kickstart", "system/"+name); err != nil {
		return failed("start", name, err)
	}
	return nil
}

// Stop unloads the job, because launchd starts what it has loaded. The next
// start of the system loads it again.
func (m darwinManager) Stop(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if _, loaded := m.print(ctx, name); !loaded {
		return ctx.Err()
	}
	if _, err := tool(ctx, "launchctl", "bootout", "system/"+name); err != nil {
		return failed("stop", name, err)
	}
	return nil
}

func (m darwinManager) Status(ctx context.Context, name string) (Status, error) {
	data, err := readJob(name)
	if err != nil {
		return Status{}, err
	}
	out, loaded := m.print(ctx, name)
	if err := ctx.Err(); err != nil {
		return Status{}, failed("ask for", name, err)
	}
	switch {
	case data == nil && !loaded:
		return Status{State: None}, nil
	case !loaded:
		return Status{State: Stopped, Enabled: true}, nil
	}
	return parsePrint(out), nil
}

// print is what launchd says of a job that it has loaded.
func (darwinManager) print(ctx context.Context, name string) (text string, loaded bool) {
	out, err := tool(ctx, "launchctl", "print", "system/"+name)
	return strings.ToValidUTF8(string(out), "?"), err == nil
}

func (darwinManager) List(ctx context.Context) ([]Registration, error) {
	return registrations(ctx, jobDir, ".plist", func(name string) (Registration, error) {
		data, err := readJob(name)
		if err != nil {
			return Registration{}, err
		}
		return parsePlist(name, data)
	})
}

func homeOf(name string) string {
	data, err := readJob(name)
	if err != nil || data == nil {
		return ""
	}
	r, _ := parsePlist(name, data) // of a damaged one, what could be read
	return r.Home
}
