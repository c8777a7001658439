package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"ad-ldap-connector/pkg/home"
)

const (
	updateRate     = 100             // logins a second
	updateWatch    = 10              // seconds
	updateAbsent   = time.Second     // the longest that no agent may be at the hub
	updatePatience = 3 * time.Minute // for one update, on a machine that is busy
)

// updateDrill updates a connector under load, and then tries programs that are
// no good.
func updateDrill() drill {
	return drill{
		name: "update", says: "the program is replaced; then by one that cannot start, one that the hub rejects, one that crashes after 5 s",
		starts: startManaged, instead: playUpdates,
		prepare: func(g *drillGround) error {
			g.settings["UPDATE_WATCH_SECONDS"] = updateWatch
			return nil
		},
	}
}

// startManaged starts the connector from a program in its home, as a service
// manager does that can be told of another process.
func startManaged(g *drillGround) error {
	if !canSignal {
		return errors.New("on this system no process can take over from another one")
	}
	socket := filepath.Join(g.dir, "manager")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	g.closers = append(g.closers, manager.Close)
	go func() {
		for b := make([]byte, 4096); ; {
			if _, _, err := manager.ReadFrom(b); errors.Is(err, net.ErrClosed) {
				return
			}
		}
	}()
	h, err := home.Open(g.home, nil)
	if err != nil {
		return err
	}
	program, err := g.wrapped("former", "")
	if err == nil {
		err = h.SaveProgram(program)
	}
	if err != nil {
		return err
	}
	g.bare, g.program = g.program, h.Program()
	g.environ = append(g.environ, "NOTIFY_SOCKET="+socket)
	g.args = []string{"--takeover-timeout", "10s"} // the hub's no is as clear after a minute
	return g.start()
}

// wrapped is a program that is this one, but for what it does first when it is to
// run the connector. What it is told in words is no part of the connector.
func (g *drillGround) wrapped(name, running string) (file string, err error) {
	program := g.program
	if g.bare != "" {
		program = g.bare
	}
	file = filepath.Join(g.dir, name)
	text := "#!/bin/sh\n# " + name + "\nif [ \"$1\" = run ]; then :\n" + running + "\nfi\nexec '" + strings.ReplaceAll(program, "'", `'\''`) + "' \"$@\"\n"
	return file, os.WriteFile(file, []byte(text), 0o700) //nolint:gosec // it is to be run
}

// An updateTry is one update of the drill.
type updateTry struct {
	name, running string
	rejected      bool
	want          string // the update's result
}

func playUpdates(ctx context.Context, _ *app, g *drillGround, d drill, inFlight int) (r drillResult, err error) {
	pace, stop := paced(ctx, updateRate)
	defer stop()
	load := startLoad(ctx, g.cloud, inFlight, pace)
	defer load.end()
	if err := g.await(ctx, waitTime, func() bool { return load.steady(0) }); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, g.endAll()) }()
	absent := g.watchAbsence(ctx)
	var text []string
	for _, one := range []updateTry{
		{name: "next", want: "updated"},
		{name: "cannot-start", running: "exit 7", want: "undone"},
		{name: "rejected", rejected: true, want: "undone"},
		{name: "crashes", running: "(sleep 5; kill -9 $$) >/dev/null 2>&1 &", want: "undone"},
	} {
		begun := time.Now()
		said, fault := g.tryUpdate(ctx, one, d.program)
		if fault != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", one.name, fault))
		}
		text = append(text, fmt.Sprintf("%s: %s after %.1f s", one.name, said, time.Since(begun).Seconds()))
	}
	now := load.now()
	load.end()
	longest := absent()
	c := load.count(now, now)
	r = drillResult{
		Answered: c.accepted + c.refused + c.faulted + c.wrong, Refused: c.refused, Lost: c.lost, Faulted: c.faulted, Worst: ms(c.worst),
		Detail: strings.Join(append(text, fmt.Sprintf("no agent was at the hub for %d ms at the most", longest.Milliseconds())), "; "),
	}
	if c.lost+c.faulted+c.wrong > 0 {
		err = errors.Join(err, fmt.Errorf("%d logins got no answer, %d were faults, %d answers were not true (%s)", c.lost, c.faulted, c.wrong, strings.Join(c.reasons, "; ")))
	}
	if longest > updateAbsent {
		err = errors.Join(err, fmt.Errorf("no agent was at the hub for %s", longest.Round(time.Millisecond)))
	}
	return r, err
}

// tryUpdate runs one update, as an operator does.
func (g *drillGround) tryUpdate(ctx context.Context, one updateTry, program string) (said string, err error) {
	file, err := g.wrapped(one.name, one.running)
	if program != "" && one.want == "updated" {
		file = program
	}
	if err != nil {
		return "", err
	}
	sum, err := sha256Of(file)
	if err != nil {
		return "", err
	}
	g.cloud.RefuseAgents(one.rejected)
	defer g.cloud.RefuseAgents(false)
	ctx, cancel := context.WithTimeout(ctx, updatePatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, g.bare, "update", "-o", "json", "--skip", "host,network", "--home", g.home, "--from", file, "--sha256", sum)
	var out, why bytes.Buffer
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = g.environ, g.dir, &out, &why
	ended := cmd.Run()
	var result updateResult
	for line := range bytes.Lines(out.Bytes()) {
		var r updateResult
		if json.Unmarshal(line, &r) == nil && r.Result != "" {
			result = r
		}
	}
	if result.Result != one.want || (ended == nil) != (one.want == "updated") {
		err = fmt.Errorf("the update ended with %q, %w: %s", result.Result, endedHow(ended), oneLine(why.String()))
	}
	return result.Result, err
}

// watchAbsence measures, until it is asked, for how long at the most no agent was
// at the hub.
func (g *drillGround) watchAbsence(ctx context.Context) (longest func() time.Duration) {
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	most := time.Duration(0)
	work.Go(func() {
		since := time.Time{}
		note := func() {
			if !since.IsZero() {
				most = max(most, time.Since(since))
			}
		}
		for {
			changed := g.cloud.Changed()
			switch there := len(g.cloud.Agents()) > 0; {
			case there:
				note()
				since = time.Time{}
			case since.IsZero():
				since = time.Now()
			}
			select {
			case <-changed:
			case <-ctx.Done():
				note()
				return
			}
		}
	})
	return func() time.Duration { cancel(); work.Wait(); return most }
}

// endAll ends the process that runs now, whichever it is.
func (g *drillGround) endAll() error {
	_ = g.stdin.Close() // it ends with that
	for end := time.Now().Add(20 * time.Second); len(g.cloud.Agents()) > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			return errors.New("the connector was told to end, and had not after 20 s")
		}
	}
	var r running
	h, err := home.Open(g.home, nil)
	if err == nil && h.LoadState("run", &r) == nil {
		for end := time.Now().Add(20 * time.Second); lives(r.PID) && time.Now().Before(end); {
			time.Sleep(20 * time.Millisecond)
		}
	}
	return err
}
