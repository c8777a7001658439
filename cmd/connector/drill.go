package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// A drillResult is what came out of one drill. Answered logins are all that got
// an answer; refused and faulted are among them.
type drillResult struct {
	Name     string  `json:"name"`
	OK       bool    `json:"ok"`
	Took     float64 `json:"tookMs"`
	Answered int     `json:"answered"`
	Refused  int     `json:"refused"`
	Lost     int     `json:"lost"`
	Faulted  int     `json:"faulted"`
	Recover  float64 `json:"recoverMs"`
	Worst    float64 `json:"worstMs"`
	Detail   string  `json:"detail"`

	Phases []nodesPhase `json:"phases,omitempty"` // of nodes alone

	accepted int
}

type drillOptions struct {
	all      bool
	seconds  int
	inFlight int
	program  string
	rate     int
	haproxy  string
}

func newDrillCommand(a *app) *cobra.Command {
	var o drillOptions
	cmd := &cobra.Command{
		Use:   "drill [NAME]",
		Short: "Break what a connector depends on, under load, and see what becomes of the logins",
		Long: `Without a name it lists the drills. Each starts a pretend tenant, a pretend
directory and a connector of its own in a temporary folder, keeps logins in
flight, lets the fault happen for a while, and counts: answers, refusals of
wrong passwords (refused), errors that say why (faulted), logins without any
answer within 30 s (lost), and the time from the fault's end until all answers
are good again. All the while it asks status and /healthz, which are to tell of
the fault and of nothing else. It ends with 0 only if all of that held. No
connector that is installed here is touched: connector help never-down.`,
		Example: `  connector sandbox drill directory-killed
  connector sandbox drill --all -o json
  connector sandbox drill stopped --seconds 10 --in-flight 16`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("one drill at a time, or --all: %s", strings.Join(args, " "))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case o.inFlight < 1 || o.inFlight > 512:
				return usagef("--in-flight %d: from 1 to 512", o.inFlight)
			case o.rate < 1 || o.rate > 1000:
				return usagef("--rate %d: from 1 to 1000", o.rate)
			case o.seconds < 0 || o.seconds > 24*3600:
				return usagef("--seconds %d: from 0 to 86400", o.seconds)
			case o.all && len(args) > 0:
				return usagef("a name, or --all")
			case o.all:
				return a.drill(cmd.Context(), o, drills()...)
			case len(args) == 0:
				return a.listDrills()
			}
			for _, d := range allDrills() {
				if d.name == args[0] {
					d.program = o.program
					return a.drill(cmd.Context(), o, d)
				}
			}
			return usagef("there is no drill %q; see: connector sandbox drill", args[0])
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.all, "all", false, "one after the other, but for soak and nodes")
	f.IntVar(&o.seconds, "seconds", 0, "how long the fault lasts, in `seconds` (default: each drill's own)")
	f.StringVar(&o.program, "program", "", "another build of the connector, a `file`, that the drill update is to (default: this one again)")
	f.IntVar(&o.inFlight, "in-flight", 64, "so many logins at a `time`")
	f.IntVar(&o.rate, "rate", nodesRate, "with nodes: so many `logins` a second, whatever becomes of those before")
	f.StringVar(&o.haproxy, "haproxy", "", "with nodes: the `program` that users sign in through (default: the one that is installed, if one is)")
	return cmd
}

func (a *app) listDrills() error {
	type one struct {
		Name    string `json:"name"`
		Says    string `json:"says"`
		Seconds int    `json:"seconds"`
	}
	var list []one
	for _, d := range allDrills() {
		list = append(list, one{d.name, d.says, int(d.lasts.Seconds())})
	}
	if a.json() {
		return a.print(map[string]any{"drills": list})
	}
	var err error
	for _, d := range list {
		err = errors.Join(err, a.text("%-22s %s\n", d.Name, d.Says))
	}
	return err
}

// drill plays drills, and reports them all.
func (a *app) drill(ctx context.Context, o drillOptions, all ...drill) error {
	results, ok := []drillResult{}, true
	a.say("                       answered  refused  faulted     lost  recovered    slowest")
	for _, d := range all {
		if o.seconds > 0 {
			d.lasts = time.Duration(o.seconds) * time.Second
		}
		d.rate, d.haproxy = o.rate, o.haproxy
		a.say("%-22s %s", d.name, d.says)
		begun := time.Now()
		r, err := a.play(ctx, d, o.inFlight)
		r.Name, r.Took, r.OK = d.name, ms(time.Since(begun)), err == nil
		if err != nil {
			r.Detail = strings.TrimPrefix(r.Detail+"; "+oneLine(err.Error()), "; ")
			ok = false
		}
		results = append(results, r)
		mark := "ok"
		if !r.OK {
			mark = "FAILED"
		}
		a.say("%-22s %8d %8d %8d %8d %8.1f s %8.1f s  %s", mark, r.Answered, r.Refused, r.Faulted, r.Lost, r.Recover/1000, r.Worst/1000, r.Detail)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	if a.json() {
		if err := a.print(map[string]any{"drills": results, "ok": ok}); err != nil {
			return err
		}
	}
	if !ok {
		return exitError(exitFault)
	}
	return nil
}

// play plays one drill from its ground to its verdict.
func (a *app) play(ctx context.Context, d drill, inFlight int) (r drillResult, err error) {
	g, err := a.newGround(d)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, g.close()) }()
	if d.prepare != nil {
		if err := d.prepare(g); err != nil {
			return r, err
		}
	}
	if err := errors.Join(g.prepare(), d.begin(g)); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, g.stop()) }()
	if d.instead != nil {
		return d.instead(ctx, a, g, d, inFlight)
	}
	return d.run(ctx, g, inFlight)
}

// run puts the connector under load, lets the fault happen, and judges.
func (d drill) run(ctx context.Context, g *drillGround, inFlight int) (r drillResult, err error) {
	load := startLoad(ctx, g.cloud, inFlight, nil)
	watch := startWatch(ctx, g.console, load.now)
	defer watch.end()
	defer load.end()
	if err := g.await(ctx, waitTime, func() bool { l, ok := watch.last(); return ok && l.well() && load.steady(0) }); err != nil {
		last, _ := watch.last()
		return r, fmt.Errorf("before any fault: %w; the connector says: %s", err, last.ailing(nil))
	}
	watch.mu.Lock()
	watch.looks = nil // it has begun to work
	watch.mu.Unlock()
	begin := load.now()
	detail, err := d.fault(ctx, g, load, d.lasts)
	end := load.now()
	if err != nil {
		return r, errors.Join(fmt.Errorf("bring the fault about: %w", err), g.alive())
	}
	// Until all is well again, or should be.
	over := func() bool { l, ok := watch.last(); return ok && l.at > end && l.well() && load.steady(end) }
	late := g.await(ctx, max(d.within, drillWithin, d.symptom.heals)+slack, over)
	if late == nil && d.lasts >= 10*time.Second {
		late = g.await(ctx, drillWithin+time.Second, func() bool { return load.now()-end > drillWithin })
	}
	load.end()
	watch.end()
	c := load.count(begin, end)
	r = drillResult{
		Answered: c.accepted + c.refused + c.faulted + c.wrong, Refused: c.refused, Lost: c.lost, Faulted: c.faulted,
		Recover: ms(c.recovered), Worst: ms(c.worst),
	}
	told, untrue := d.symptom.judge(watch.all(), begin, end)
	r.Detail = strings.Join(append(detail, d.explain(told, c)...), "; ")
	if late != nil {
		late = fmt.Errorf("after the fault: %w", late)
	}
	return r, errors.Join(g.alive(), d.judge(c), untrue, late)
}

// explain says what the figures do not.
func (d drill) explain(told time.Duration, c outcomes) (text []string) {
	if told >= 0 {
		text = append(text, fmt.Sprintf("status told of it after %.1f s", told.Seconds()))
	}
	if c.special > 0 {
		text = append(text, fmt.Sprintf("%d logins of the users concerned; the slowest answer to any other took %.1f s", c.special, c.usual.Seconds()))
	}
	if len(c.reasons) > 0 {
		text = append(text, fmt.Sprintf("errors said: %s", c.reasons[0]))
	}
	return text
}

// judge returns what should not have become of the logins.
func (d drill) judge(c outcomes) error {
	var errs []error
	add := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	within := max(d.within, drillWithin)
	add(c.accepted == 0 || c.refused == 0, "%d logins were accepted and %d refused", c.accepted, c.refused)
	add(c.wrong > 0, "%d answers were not true (%s)", c.wrong, strings.Join(c.reasons, "; "))
	add(c.faultBefore > 0, "%d logins failed before the fault", c.faultBefore)
	add(!d.faults && c.faulted > 0, "%d logins were faults that could have been answered (%s)", c.faulted, strings.Join(c.reasons, "; "))
	add(!d.loses && c.lost > 0, "%d logins got no answer", c.lost)
	add(c.lostAfter > 0, "%d logins that began after the fault got no answer", c.lostAfter)
	add(c.recovered > within, "answers were good again after %.1f s, and not within %.0f s", c.recovered.Seconds(), within.Seconds())
	return errors.Join(errs...)
}

// drillWithin is how soon after a fault's end all answers are good again, unless
// a drill says otherwise.
const drillWithin = 5 * time.Second

// await waits until a thing holds, the connector ends, or time is up.
func (g *drillGround) await(ctx context.Context, most time.Duration, holds func() bool) error {
	late := time.NewTimer(most)
	defer late.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-g.ended:
			return g.alive()
		case <-late.C:
			return fmt.Errorf("all is not well after %s", most)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
