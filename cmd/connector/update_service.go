package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"ad-ldap-connector/pkg/install"
	"ad-ldap-connector/pkg/service"
)

// prepare says how the program is replaced here: by a handover, by a restart of
// the service, or not at all.
func (u *updateRun) prepare(ctx context.Context) (install.Update, error) {
	plan := install.Update{
		Home: u.home, Try: u.try, Gate: u.doctor, Running: u.home.Locked(), Watch: u.config.Update.Watch,
		Prove: u.prove, Restart: u.restartAnew,
	}
	if u.hurried > 0 {
		plan.Watch = u.hurried
	}
	r, err := registration(ctx, u.home)
	if none := (*service.NoManagerError)(nil); err != nil && !errors.As(err, &none) {
		return plan, err
	}
	if r != nil {
		if _, err := u.manager("update the service " + r.Name); err != nil && !u.order.dryRun {
			return plan, err
		}
		if r.Program != u.home.Program() {
			return plan, fmt.Errorf("update the service %s: it runs %s, which is not the program of its home", r.Name, r.Program)
		}
	}
	if plan.Running {
		_, err := askPorter(ctx, u.home, word{Say: sayAble}, porterPatience)
		switch {
		case err == nil:
			plan.Beside = u.beside
			return plan, nil
		case errors.Is(err, fs.ErrPermission):
			return plan, &hinted{fmt.Errorf("update the connector in %s: %w", u.home.Dir(), err), "run it as root, or as the account that the connector runs under"}
		}
	}
	if r == nil {
		return plan, &hinted{fmt.Errorf("update the connector in %s: no service runs it", u.home.Dir()),
			"in a container, replace the image; elsewhere replace the program, and restart it by what started it"}
	}
	return plan, nil
}

// beside has the running connector start its successor.
func (u *updateRun) beside(ctx context.Context, next bool, watch time.Duration) (int, error) {
	begun := time.Now()
	w, err := askToSucceed(ctx, u.home, word{Next: next, Watch: watch.Milliseconds()})
	if err == nil {
		return w.PID, nil
	}
	if refused := (*refusedError)(nil); errors.As(err, &refused) && refused.PID > 0 {
		err = saidLast(ctx, err, "_PID="+strconv.Itoa(refused.PID), begun)
	}
	return 0, err
}

func (u *updateRun) restartAnew(ctx context.Context) (int, error) {
	begun := time.Now()
	r, err := u.restartService(ctx, u.home, "restarted")
	if err != nil {
		if s, none := registration(ctx, u.home); none == nil && s != nil {
			err = saidLast(ctx, err, "--unit="+s.Name+".service", begun)
		}
	}
	return r.PID, err
}

// lastLines is how much of what a program said is shown of one that failed.
const lastLines = 5

// saidLast adds to an error what the journal has of the program's last words,
// where there is one.
func saidLast(ctx context.Context, err error, match string, since time.Time) error {
	tool, missing := exec.LookPath("journalctl")
	if missing != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	text := ""
	for tries := 0; text == "" && tries < 20; tries++ { // the journal may be behind
		cmd := exec.CommandContext(ctx, tool, "--no-pager", "--quiet", "--output=cat", "--lines="+strconv.Itoa(lastLines),
			"--since=@"+strconv.FormatInt(since.Unix(), 10), match)
		cmd.Env, cmd.WaitDelay = append(os.Environ(), "LC_ALL=C", "SYSTEMD_COLORS=0"), time.Second
		out, broken := cmd.Output()
		text = strings.TrimSpace(string(out))
		if broken != nil || strings.HasPrefix(text, "-- ") {
			return err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	if text == "" {
		return err
	}
	return fmt.Errorf("%w; its last words: %s", err, visible(strings.ReplaceAll(text, "\n", " | ")))
}

// provable are the parts that a connector must have well to be kept.
var provable = []string{"hub", "directory"}

// prove returns once that process of the connector is well, and has been for so
// long. One that is another process than it was has failed.
func (u *updateRun) prove(ctx context.Context, process int, watch time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, proveWithin+watch, fmt.Errorf("not within %s", proveWithin+watch))
	defer cancel()
	beat := time.NewTicker(100 * time.Millisecond)
	defer beat.Stop()
	var well time.Time
	for begun := time.Now(); ; {
		now, missing := u.running(ctx)
		switch {
		case now != 0 && process != 0 && now != process && time.Since(begun) > porterPatience,
			process != 0 && !lives(process):
			return fmt.Errorf("the process %d has ended", process)
		case missing != nil || process != 0 && now != process:
			well = time.Time{}
		case well.IsZero():
			well = time.Now()
		}
		if !well.IsZero() && time.Since(well) >= watch {
			return nil
		}
		select {
		case <-ctx.Done():
			if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
				return fmt.Errorf("%w: %w", cause, errors.Join(missing, ctx.Err()))
			}
			return ctx.Err()
		case <-beat.C:
		}
	}
}

// proveWithin is how long a connector may take to be well.
const proveWithin = time.Minute

// running is the process that serves the home, and what it lacks.
func (u *updateRun) running(ctx context.Context) (process int, missing error) {
	var r running
	if err := u.home.LoadState("run", &r); err != nil {
		return 0, err
	}
	live, err := u.askRunning(ctx, u.home)
	if err != nil {
		return 0, err
	}
	return r.PID, unfit(live, provable)
}

// installed is the version of the program that is to be replaced.
func (u *updateRun) installed(ctx context.Context) (string, error) {
	if live, err := u.askRunning(ctx, u.home); err == nil {
		return live.Version, nil
	}
	b, err := askVersion(ctx, u.home.Program(), u.environ)
	if err == nil {
		return b.Version, nil
	}
	if _, missing := os.Lstat(u.home.Program()); errors.Is(missing, fs.ErrNotExist) {
		return "", &hinted{fmt.Errorf("update the connector in %s: there is no %s", u.home.Dir(), u.home.Program()), "connector install lays it there"}
	}
	return "unknown", nil // a program that is broken is one to be replaced
}
