package main

import (
	"context"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/doctor"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/install"
	"ad-ldap-connector/pkg/tenant"
)

// gateFlags say which checks do not hold an install up.
type gateFlags struct{ skip, waive []string }

func (o *gateFlags) add(f *pflag.FlagSet) {
	f.StringSliceVar(&o.skip, "skip", nil, "leave these checks or groups of doctor's out: `ID,...`")
	f.StringArrayVar(&o.waive, "waive", nil, "excuse a failure until a day, `\"ID=reason@YYYY-MM-DD\"`; repeatable (also: waivers.json in the home)")
}

// A gate is doctor's part in an install: it looks before anything is changed,
// and a check that blocks ends the install.
type gate struct {
	app     *app
	checks  []doctor.Check
	skipped map[doctor.ID]bool
	waivers []doctor.Waiver

	// Filled in by prepare.
	home      *home.Home
	transport *transport
	ticket    tenant.Ticket
	caPath    string // where the authorities lie at this moment

	report *doctor.Document // once check has run
}

// unasked are the checks that an install leaves out. The ticket, the clock, the
// way to the tenant and the directory were asked by the steps before, and fail
// with statuses of their own; what is of the agent, or answers to browsers, is
// there only afterwards. Time servers that a firewall hides would take seconds
// of every install, and the clock that the hub judges by is the tenant's.
var unasked = []string{
	"time", "network.tenant", "tls.tenant", "agent.ticket",
	"network.dns-directory", "directory.srv", "directory.reach", "tls.directory", "directory.bind", "directory.search", "directory.users",
	"agent.keys", "agent.certificate", "agent.credentials", "agent.connection", "agent.registered", "agent.accepted",
	"signin.reach",
}

// steppers are the ids of doctor's under which an install's own steps can be
// skipped or waived.
var steppers = map[string]doctor.ID{"check-clock": "time.tenant", "check-directory": "directory.bind"}

const (
	// gateTime bounds all checks of an install together.
	gateTime = 30 * time.Second
	// gateWarns bounds those that stop no install anyway.
	gateWarns = 3 * time.Second
)

// newGate reads the flags. Ids that are not known are usage.
func (a *app) newGate(o gateFlags) (*gate, error) {
	kept, err := doctor.Select(doctor.Checks, nil, o.skip)
	if err != nil {
		return nil, &usageError{err}
	}
	g := &gate{app: a, skipped: map[doctor.ID]bool{}}
	for _, c := range doctor.Checks {
		g.skipped[c.ID] = !slices.ContainsFunc(kept, func(k doctor.Check) bool { return k.ID == c.ID })
	}
	if g.checks, err = doctor.Select(kept, nil, slices.DeleteFunc(slices.Clone(unasked), func(name string) bool {
		return !slices.ContainsFunc(kept, func(c doctor.Check) bool { return string(c.ID) == name || c.ID.Group() == name })
	})); err != nil {
		return nil, err
	}
	for i := range g.checks {
		if c := &g.checks[i]; c.Severity == doctor.Warns {
			c.Timeout = gateWarns
		}
	}
	for _, text := range o.waive {
		w, err := doctor.ParseWaiver(text)
		if err != nil {
			return nil, &usageError{fmt.Errorf("--waive: %w", err)}
		}
		g.waivers = append(g.waivers, w)
	}
	return g, nil
}

// over returns the plan without the steps that were skipped. One that is waived
// fails without consequence.
func (g *gate) over(plan install.Plan) install.Plan {
	return slices.DeleteFunc(plan, func(s install.Step) bool { return g.skipped[steppers[s.Name]] }).Excuse(
		func(ctx context.Context, s install.Step, err error) bool {
			waivers := append(g.homeWaivers(), g.waivers...)
			i := slices.IndexFunc(waivers, func(w doctor.Waiver) bool { return w.ID == steppers[s.Name] && w.Holds(time.Now()) })
			if i < 0 || ctx.Err() != nil {
				return false
			}
			w := waivers[i]
			g.app.say("%-8s %s until %s: %s (%v)", doctor.Waived, w.ID, w.Until.Format(time.DateOnly), w.Reason, err)
			return true
		})
}

// excuses reports whether a check was skipped or waived by a flag.
func (g *gate) excuses(id doctor.ID) bool {
	return g.skipped[id] || slices.ContainsFunc(g.waivers, func(w doctor.Waiver) bool { return w.ID == id && w.Holds(time.Now()) })
}

// check asks doctor about the candidate.
func (g *gate) check(ctx context.Context, c config.Config) error {
	candidate := c // as it will be written
	c.Network.CAPath = g.caPath
	t := &target{
		home: g.home, configured: true, config: c, load: func() (config.Config, error) { return candidate, nil }, waiverErr: fs.ErrNotExist,
		ticket: g.ticket, tenant: g.ticket.Host(), transport: g.transport, secrets: new(secrets),
	}
	defer t.Close()
	t.secrets.learn(c)
	t.secrets.addTicket(g.ticket)
	if data, err := g.home.Waivers(); err == nil {
		t.waivers, t.waiverErr = doctor.ParseWaivers(data)
	}
	limited, cancel := context.WithTimeout(ctx, gateTime)
	defer cancel()
	r := doctor.Run(limited, g.app.doctorEnv(t), g.checks, append(t.waivers, g.waivers...), nil)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	d := r.Document(doctor.Connector{Version: thisBuild().Version, OS: runtime.GOOS, Arch: runtime.GOARCH})
	g.report = &d
	g.say()
	return g.verdict()
}

// homeWaivers are those of waivers.json; config.waivers speaks of the others.
func (g *gate) homeWaivers() []doctor.Waiver {
	data, err := g.home.Waivers()
	if err != nil {
		return nil
	}
	waivers, _ := doctor.ParseWaivers(data)
	return waivers
}

// say shows people what is to be done, what is excused, and what was left out.
func (g *gate) say() {
	if g.app.json() {
		return
	}
	var b strings.Builder
	p := newPen(g.app.colours(g.app.stderr))
	for _, e := range g.told() {
		if e.Status == doctor.Waived {
			fmt.Fprintf(&b, "%s  %s  %s\n", p.mark(e), e.ID, inShort(e))
			continue
		}
		p.finding(&b, e)
	}
	for _, n := range g.report.Notes {
		fmt.Fprintf(&b, "%s  %s\n", p["warning"].Sprint("note   "), n)
	}
	if ids := g.left(); len(ids) > 0 {
		fmt.Fprintf(&b, "%s  %s\n", p[doctor.Skipped].Sprint(doctor.Skipped), joinIDs(ids))
	}
	if b.Len() > 0 {
		g.app.say("%s", strings.Trim(b.String(), "\n"))
	}
}

// told are the findings that an install speaks of.
func (g *gate) told() (all []doctor.Entry) {
	for _, e := range g.report.Checks {
		if e.Status == doctor.Failed || e.Status == doctor.Waived {
			all = append(all, e)
		}
	}
	return all
}

// left are the checks that --skip left out, in the order of the catalogue.
func (g *gate) left() (ids []doctor.ID) {
	for _, c := range doctor.Checks {
		if g.skipped[c.ID] {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// tell adds to the line of JSON of the gate's own step, once it has looked.
func (g *gate) tell(line map[string]any) {
	if line["step"] != "check" || g.report == nil {
		return
	}
	line["checks"], line["skipped"] = append([]doctor.Entry{}, g.told()...), append([]doctor.ID{}, g.left()...)
	line["notes"] = g.report.Notes
}

// verdict is an error when something blocks.
func (g *gate) verdict() error {
	var e blockedError
	for _, c := range g.told() {
		if c.Status == doctor.Failed && c.Severity == doctor.Blocks {
			e = append(e, c.ID)
		}
	}
	if len(e) == 0 {
		return nil
	}
	return e
}

// A blockedError names the checks that stopped an install.
type blockedError []doctor.ID

func (e blockedError) Error() string { return "blocked by " + joinIDs(e) }

// Hint says how to go on.
func (e blockedError) Hint() string {
	return fmt.Sprintf("do what is named, or go on with --skip %s; more on it: connector doctor --explain %s", strings.ReplaceAll(joinIDs(e), " ", ""), e[0])
}
