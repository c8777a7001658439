package service

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

func timerFiles(name string) (timer, job string) {
	return filepath.Join(unitDir, name+timerSuffix+".timer"), unitFile(name + timerSuffix)
}

// HasTimer reports whether a service has a timer that the connector made.
func HasTimer(name string) bool {
	file, _ := timerFiles(name)
	data, err := os.ReadFile(file)
	return err == nil && bytes.HasPrefix(data, []byte("# "+ours))
}

// TimerSet reports whether a timer is as it is to be.
func TimerSet(ctx context.Context, t Timer) (bool, error) {
	timer, job, err := t.units()
	if err != nil {
		return false, err
	}
	if _, err := system(); err != nil {
		return false, ErrNoTimers
	}
	timerFile, jobFile := timerFiles(t.Name)
	for file, want := range map[string]string{timerFile: timer, jobFile: job} {
		if have, err := os.ReadFile(file); err != nil || string(have) != want {
			return false, ignoreNotExist(err)
		}
	}
	_, err = tool(ctx, "systemctl", "is-active", "--quiet", filepath.Base(timerFile))
	return err == nil, nil
}

func ignoreNotExist(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// SetTimer makes a timer, which runs from now on. The way back is in the Change,
// also when there is an error.
func SetTimer(ctx context.Context, t Timer) (Change, error) {
	timer, job, err := t.units()
	if err != nil {
		return Change{}, err
	}
	timerFile, jobFile := timerFiles(t.Name)
	for _, file := range []string{timerFile, jobFile} {
		if have, err := os.ReadFile(file); err == nil && !bytes.HasPrefix(have, []byte("# "+ours)) {
			return Change{}, &ForeignError{Name: filepath.Base(file), Where: file}
		}
	}
	c, err := timerBefore(t.Name)
	if err != nil {
		return c, err
	}
	return c, putTimer(ctx, t.Name, []byte(timer), []byte(job))
}

// timerBefore is the way back to the timer that there is now, or to none.
func timerBefore(name string) (Change, error) {
	timerFile, jobFile := timerFiles(name)
	timer, err := os.ReadFile(timerFile)
	job, bad := os.ReadFile(jobFile)
	if err := errors.Join(ignoreNotExist(err), ignoreNotExist(bad)); err != nil {
		return Change{}, err
	}
	was := err == nil && bad == nil
	return Change{undo: func(ctx context.Context) error {
		if was {
			return putTimer(ctx, name, timer, job)
		}
		return dropTimer(ctx, name)
	}}, nil
}

func putTimer(ctx context.Context, name string, timer, job []byte) error {
	timerFile, jobFile := timerFiles(name)
	if err := errors.Join(replaceFile(jobFile, job), replaceFile(timerFile, timer)); err != nil {
		return failed("set the timer of", name, err)
	}
	for _, args := range [][]string{{"daemon-reload"}, {"enable", "--quiet", filepath.Base(timerFile)}, {"restart", filepath.Base(timerFile)}} {
		if _, err := tool(ctx, "systemctl", append([]string{"--no-ask-password", "--no-pager"}, args...)...); err != nil {
			return failed("set the timer of", name, err)
		}
	}
	return nil
}

// DropTimer removes the timer of a service, if the connector made one.
func DropTimer(ctx context.Context, name string) (Change, error) {
	if !HasTimer(name) {
		return Change{}, nil
	}
	c, err := timerBefore(name)
	if err != nil {
		return c, err
	}
	return c, dropTimer(ctx, name)
}

// dropTimer leaves an update alone that is at work.
func dropTimer(ctx context.Context, name string) error {
	timerFile, jobFile := timerFiles(name)
	_, _ = tool(ctx, "systemctl", "--no-ask-password", "stop", filepath.Base(timerFile)) // one that is not there is stopped
	var left []error
	for _, file := range []string{filepath.Join(unitDir, "timers.target.wants", filepath.Base(timerFile)), timerFile, jobFile} {
		left = append(left, ignoreNotExist(os.Remove(file)))
	}
	_ = os.Remove(filepath.Join(unitDir, "timers.target.wants")) // if it is empty, it was made for this one
	_, err := tool(ctx, "systemctl", "daemon-reload")
	if err = errors.Join(append(left, err)...); err != nil {
		return failed("remove the timer of", name, err)
	}
	_, _ = tool(ctx, "systemctl", "reset-failed", filepath.Base(timerFile), filepath.Base(jobFile)) // an error says that nothing had failed
	return nil
}
