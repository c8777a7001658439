package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ad-ldap-connector/pkg/sandbox"
)

// A drill is one fault, and what a connector is to make of it.
type drill struct {
	name, says string
	lasts      time.Duration // the fault, unless somebody wants it otherwise
	links      int           // HUB_LINKS; 0 is 1
	rate       int           // logins a second, where they come at a rate
	haproxy    string        // a program, where it is not to be looked for
	signIn     bool          // users sign in through the browser, too
	within     time.Duration // until all answers are good again after it; 0 is drillWithin
	faults     bool          // logins may be answered by an error while it lasts
	loses      bool          // logins that meet it may get no answer: there is no way for one
	symptom    symptom
	program    string // another build of the connector, for a drill that has use for one

	prepare func(*drillGround) error // before the home is written
	starts  func(*drillGround) error // the connector, in another way than usual
	fault   func(ctx context.Context, g *drillGround, load *drillLoad, lasts time.Duration) (detail []string, err error)
	instead func(ctx context.Context, a *app, g *drillGround, d drill, inFlight int) (drillResult, error) // of all that
}

func (d drill) begin(g *drillGround) error {
	if d.starts != nil {
		return d.starts(g)
	}
	return g.start()
}

// How soon a connector learns, beside what it meets in a login.
const (
	linkDeath  = 25 * time.Second // a link on which nothing comes any more: five pings
	clockLooks = 12 * time.Second // it asks for the tenant's clock every so often
)

// closings is the time between two closings of all links.
const closings = 5 * time.Second

func drills() []drill {
	hubDown := func(shows time.Duration) symptom {
		return symptom{parts: []string{"hub", "clock"}, shows: shows, heals: 2 * drillWithin}
	}
	return []drill{
		{
			name: "directory-killed", says: "the directory dies under load, and is there again later",
			lasts: 15 * time.Second, faults: true, fault: killDirectory,
			symptom: symptom{parts: []string{"directory"}, shows: 3 * time.Second, heals: drillWithin},
		},
		{
			name: "hub-closing", says: "the hub closes all links every 5 s; with HUB_LINKS=2",
			lasts: 30 * time.Second, links: 2, fault: closeLinks,
			symptom: symptom{parts: []string{"hub"}, shows: closings, comes: true, heals: drillWithin},
		},
		{
			name: "hub-closing-one-link", says: "the same with one link, which may take 18 s to come back",
			lasts: 30 * time.Second, within: 20 * time.Second, fault: closeLinks,
			symptom: symptom{parts: []string{"hub"}, shows: closings, comes: true, heals: 20 * time.Second},
		},
		{
			name: "hub-black-hole", says: "nothing passes between the connector and the tenant any more, and nobody is told",
			lasts: 60 * time.Second, loses: true, fault: hole(true, true), symptom: hubDown(linkDeath),
		},
		{
			name: "hub-deaf", says: "only what the connector sends gets lost on the way",
			lasts: 60 * time.Second, loses: true, fault: hole(true, false), symptom: hubDown(linkDeath),
		},
		{
			name: "hub-mute", says: "only what the tenant sends gets lost on the way",
			lasts: 60 * time.Second, loses: true, fault: hole(false, true), symptom: hubDown(linkDeath),
		},
		{
			name: "clock", says: "the tenant's clock is 10 s ahead, 10 s behind, and right again",
			lasts: 40 * time.Second, fault: moveClock,
			symptom: symptom{parts: []string{"clock"}, shows: clockLooks, heals: 7 * time.Second},
		},
		{
			name: "disk-full", says: "nothing can be written to the connector's home",
			lasts: 15 * time.Second, starts: startOnSmallDisk, fault: fillDisks,
		},
		{
			name: "log-gone", says: "the reader of the log goes, and the folder of its file becomes a file",
			lasts: 15 * time.Second, fault: takeLogs,
		},
		{
			name: "mapper-loops", says: "the mapper never ends for some users",
			lasts: 20 * time.Second, faults: true, prepare: loopMapper, fault: askForSpecial,
			symptom: symptom{parts: []string{"mapper"}, shows: time.Hour, heals: drillWithin},
		},
		{
			name: "flood", says: "the hub sends 1,000,000 frames of no use",
			fault: flood,
		},
		{
			name: "reload-storm", says: "100 times a second it is told to read its configuration again",
			lasts: 15 * time.Second, fault: stormReloads,
			symptom: symptom{parts: []string{"hub", "directory", "clock", "mapper", "certificate", "console"}, shows: time.Hour, heals: drillWithin},
		},
		{
			name: "stopped", says: "the process is stopped, as with its machine, and goes on later",
			lasts: 60 * time.Second, loses: true, faults: true, fault: pauseConnector,
			symptom: symptom{parts: []string{"hub", "directory", "clock"}, shows: time.Hour, heals: drillWithin, silent: true},
		},
		updateDrill(),
		fleetDrill(),
		formDrill(),
	}
}

// allDrills are those, and the long ones that are played by name alone.
func allDrills() []drill { return append(drills(), soakDrill(), nodesDrill()) }

// pass lets the fault last.
func pass(ctx context.Context, lasts time.Duration) error {
	select {
	case <-time.After(lasts):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func killDirectory(ctx context.Context, g *drillGround, _ *drillLoad, lasts time.Duration) ([]string, error) {
	address, password := strings.TrimPrefix(g.directory.URL(), "ldap://"), g.directory.BindPassword()
	if err := errors.Join(g.directory.Close(), pass(ctx, lasts)); err != nil {
		return nil, err
	}
	return nil, g.startDirectory(address, password)
}

func closeLinks(ctx context.Context, g *drillGround, _ *drillLoad, lasts time.Duration) ([]string, error) {
	n := 0
	for begun := time.Now(); ; n++ {
		g.cloud.DropAgents()
		rest := lasts - time.Since(begun)
		if rest < closings {
			return []string{fmt.Sprintf("all links were closed %d times", n+1)}, ctx.Err()
		}
		if err := pass(ctx, closings); err != nil {
			return nil, err
		}
	}
}

func hole(there, back bool) func(context.Context, *drillGround, *drillLoad, time.Duration) ([]string, error) {
	return func(ctx context.Context, g *drillGround, _ *drillLoad, lasts time.Duration) ([]string, error) {
		g.toTenant.Hold(there, back)
		defer g.toTenant.Hold(false, false)
		return nil, pass(ctx, lasts)
	}
}

func moveClock(ctx context.Context, g *drillGround, _ *drillLoad, lasts time.Duration) ([]string, error) {
	defer g.cloud.SetClock(0)
	g.cloud.SetClock(10 * time.Second)
	if err := pass(ctx, lasts/2); err != nil {
		return nil, err
	}
	g.cloud.SetClock(-10 * time.Second)
	return []string{"the tenant's clock was moved, not the machine's"}, pass(ctx, lasts/2)
}

// takeLogs closes the pipe that is the connector's standard error, and has a
// file stand where its log's folder was.
func takeLogs(ctx context.Context, g *drillGround, _ *drillLoad, lasts time.Duration) ([]string, error) {
	folder := filepath.Join(g.home, "logs")
	err := errors.Join(g.stderr.r.Close(), os.Rename(folder, folder+".away"), os.WriteFile(folder, nil, 0o600), pass(ctx, lasts))
	return nil, errors.Join(err, os.Remove(folder), os.Rename(folder+".away", folder))
}

// loopMapper gives the connector a mapper that never ends for the special users,
// who are the last ones.
func loopMapper(g *drillGround) error {
	script := fmt.Sprintf(`module.exports = function (raw_data) {
  if (raw_data.sAMAccountName >= %q) { for (;;) {} }
  return { id: raw_data.objectGUID, nickname: raw_data.sAMAccountName, groups: raw_data.groups };
};
`, sandbox.GeneratedUser(drillUsers-specialUsers))
	lib := filepath.Join(g.home, "lib")
	return errors.Join(os.MkdirAll(lib, 0o700), os.WriteFile(filepath.Join(lib, "profileMapper.js"), []byte(script), 0o600))
}

func askForSpecial(ctx context.Context, _ *drillGround, load *drillLoad, lasts time.Duration) ([]string, error) {
	load.special.Store(true)
	defer load.special.Store(false)
	return nil, pass(ctx, lasts)
}

// floodFrames is how many frames a flood has. A shorter flood has fewer.
const floodFrames = 1_000_000

func flood(ctx context.Context, g *drillGround, load *drillLoad, lasts time.Duration) ([]string, error) {
	if lasts > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, lasts)
		defer cancel()
	}
	before, begun := load.answered.Load(), time.Now()
	n, err := g.cloud.Flood(ctx, "", floodFrames)
	if lasts > 0 && errors.Is(err, context.DeadlineExceeded) {
		err = nil // so long it was to be
	}
	took := time.Since(begun).Seconds()
	return []string{fmt.Sprintf("%d frames in %.0f s, beside %.0f logins a second", n, took, float64(load.answered.Load()-before)/took)}, err
}

// storm is the time between two reloads of a storm.
const storm = 10 * time.Millisecond

func stormReloads(ctx context.Context, g *drillGround, _ *drillLoad, lasts time.Duration) ([]string, error) {
	if !canSignal {
		return []string{"not on this system: it has no such signal"}, nil
	}
	tick := time.NewTicker(storm)
	defer tick.Stop()
	n := 0
	for begun := time.Now(); time.Since(begun) < lasts; n++ {
		if err := reload(g.cmd.Process.Pid); err != nil {
			return nil, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return []string{fmt.Sprintf("%d signals", n)}, nil
}

func pauseConnector(ctx context.Context, g *drillGround, _ *drillLoad, lasts time.Duration) ([]string, error) {
	if !canSignal {
		return []string{"not on this system: it cannot stop a process"}, nil
	}
	if err := stopProcess(g.cmd.Process.Pid); err != nil {
		return nil, err
	}
	err := pass(ctx, lasts)
	return nil, errors.Join(err, continueProcess(g.cmd.Process.Pid))
}
