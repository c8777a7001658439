package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
)

const (
	// DefaultTimeout bounds one check.
	DefaultTimeout = 10 * time.Second
	// atOnce is how many checks run at the same time. Most of them wait for
	// the network.
	atOnce = 8
)

// Run asks the checks and returns what was found, in their order. Those that do
// not need each other run at the same time; each has its time, and all end with
// ctx: what still runs then has failed, and is left behind. Waivers excuse
// failures. Seen, if not nil, learns of each finding as it comes, one at a
// time.
func Run(ctx context.Context, env *Env, checks []Check, waivers []Waiver, seen func(Finding)) Report {
	r := run{env: env, limit: make(chan struct{}, atOnce), started: env.now(), clock: time.Now(), jobs: map[ID]*job{}}
	for i := range checks {
		r.jobs[checks[i].ID] = &job{check: &checks[i], done: make(chan struct{})}
	}
	report := Report{Started: r.started, Findings: make([]Finding, len(checks))}
	live, notes := sortWaivers(waivers, r.started)
	report.Notes = notes
	var wait sync.WaitGroup
	var mu sync.Mutex
	for i := range checks {
		wait.Go(func() {
			j := r.jobs[checks[i].ID]
			j.finding = r.find(ctx, j.check)
			j.finding.waive(live)
			report.Findings[i] = j.finding
			close(j.done)
			if seen != nil {
				mu.Lock()
				defer mu.Unlock()
				seen(j.finding)
			}
		})
	}
	wait.Wait()
	report.Took = time.Since(r.clock)
	return report
}

// A run is one call of Run.
type run struct {
	env     *Env
	limit   chan struct{}
	jobs    map[ID]*job
	started time.Time // by the Env, for people
	clock   time.Time // by the machine, for durations
}

// A job is one check of a run. Its finding is there once done is closed.
type job struct {
	check   *Check
	finding Finding
	done    chan struct{}
}

// find waits for what a check needs, and for its turn, and asks it.
func (r *run) find(ctx context.Context, c *Check) Finding {
	f := Finding{Check: c}
	if len(c.OS) > 0 && !slices.Contains(c.OS, r.env.OS) {
		f.Outcome = Skip("it is a matter of " + strings.Join(c.OS, " and ") + " alone")
		return f
	}
	for _, need := range c.Needs {
		j := r.jobs[need]
		if j == nil {
			continue // it was left out on purpose
		}
		<-j.done // it ends: needs stand above their users, and every check ends
		if n := j.finding; n.held && f.root == "" {
			f.held, f.root = true, n.root
			f.Outcome = Skip(heldBack(need, n))
		}
	}
	if f.held {
		return f
	}
	select {
	case r.limit <- struct{}{}:
		defer func() { <-r.limit }()
		began := time.Now()
		f.Outcome = r.env.ask(ctx, c)
		f.Took = time.Since(began)
	case <-ctx.Done():
		f.Outcome = late(ctx, time.Since(r.clock), "the queue, before it began")
	}
	if f.Status == Failed {
		f.held, f.root = true, c.ID
	}
	f.clean(r.env)
	return f
}

// heldBack says why a check was not asked: the need itself, and the root cause
// behind it when that is another.
func heldBack(need ID, n Finding) string {
	switch {
	case n.root != need:
		return fmt.Sprintf("it needs %s, which was held back because %s failed", need, n.root)
	case n.Status == Waived:
		return fmt.Sprintf("it needs %s, which failed and is waived", need)
	}
	return fmt.Sprintf("it needs %s, which failed", need)
}

// ask runs a probe, and leaves it behind when its time is over. A probe that
// panics has failed; the others are none the worse.
func (e *Env) ask(ctx context.Context, c *Check) Outcome {
	limit := c.Timeout
	if limit == 0 {
		limit = DefaultTimeout
	}
	began := time.Now()
	whole := ctx
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var at place
	at.say("its beginning")
	done := make(chan Outcome, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- broken(fmt.Sprintf("at %s: %v", at.get(), p))
			}
		}()
		done <- c.Probe(context.WithValue(ctx, placeKey{}, &at), e)
	}()
	select {
	case o := <-done:
		if !slices.Contains([]Status{Passed, Failed, Skipped}, o.Status) {
			return broken(fmt.Sprintf("it gave the answer %q", o.Status))
		}
		if o.Status == Failed && ctx.Err() != nil {
			return late(whole, time.Since(began), at.get()) // what the probe made of it says less
		}
		return o
	case <-ctx.Done():
		return late(whole, time.Since(began), at.get())
	}
}

// broken is the outcome of a probe that is at fault itself.
func broken(how string) Outcome {
	return Outcome{
		Status: Failed, Detail: "the check itself is broken, " + how,
		Remedy: "Report this as a fault of the connector; the other checks are not touched by it.", Command: "connector version -o json",
	}
}

// late is the outcome of a probe whose time was over.
func late(whole context.Context, took time.Duration, at string) Outcome {
	if errors.Is(whole.Err(), context.Canceled) {
		return Fail("it was interrupted at " + at)
	}
	return Fail(fmt.Sprintf("did not end within %s; it hung at %s", round(took), at))
}

// round makes a duration fit for people.
func round(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(100 * time.Millisecond)
}

// A place is where a probe has come to.
type place struct{ text atomic.Pointer[string] }

func (p *place) say(text string) { p.text.Store(&text) }
func (p *place) get() string     { return *p.text.Load() }

type placeKey struct{}

// At notes what a probe is about to wait for, "dial dc1:636", so that a check
// that hangs can say where. Outside of a run it does nothing.
func At(ctx context.Context, format string, args ...any) {
	if p, ok := ctx.Value(placeKey{}).(*place); ok {
		p.say(fmt.Sprintf(format, args...))
	}
}

// clean makes the texts of a finding fit to be shown anywhere: without secrets,
// and without what would move a terminal's cursor or forge a line.
func (f *Finding) clean(e *Env) {
	for _, text := range []*string{&f.Observed, &f.Required, &f.Detail, &f.Remedy, &f.Command} {
		*text = plain(e.hide(*text))
		if text != &f.Detail { // a command that is pasted must not hold another
			*text = strings.ReplaceAll(*text, "\n", " ")
		}
	}
	switch {
	case f.Status != Failed:
		f.Remedy, f.Command = "", ""
	case f.Remedy == "":
		f.Remedy, f.Command = f.Check.Remedy, f.Check.Command
	}
}

// plain drops control characters, and those that turn the direction of a text,
// but for line ends.
func plain(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		if r == '\n' || !unicode.IsControl(r) && !unicode.Is(unicode.Bidi_Control, r) {
			return r
		}
		return '\uFFFD'
	}, strings.TrimSpace(s))
}
