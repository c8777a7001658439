// Package doctor finds out whether the connector can work here, and says what
// to do when it cannot. Checks are data; Run asks them, many at a time, and
// prints nothing. A probe touches the world through its Env alone, so that one
// catalogue serves the command line, the console and an install's gate.
package doctor

import (
	"context"
	"strings"
	"time"
)

// An ID names a check for ever: scripts, waivers and the manual use it. What
// stands before the dot is its group.
type ID string

// Group returns what stands before the dot.
func (id ID) Group() string {
	group, _, _ := strings.Cut(string(id), ".")
	return group
}

// A Severity says what a failed check means.
type Severity string

// The severities.
const (
	Blocks Severity = "blocks" // the connector cannot work like this
	Warns  Severity = "warns"  // it works, and something is better mended
)

// A Status is how a check came out.
type Status string

// The statuses.
const (
	Passed  Status = "passed"
	Failed  Status = "failed"
	Skipped Status = "skipped" // it does not apply here, or what it needs has failed
	Waived  Status = "waived"  // it failed, and somebody has said that this is known
)

// A Check is one thing that must hold, or had better.
type Check struct {
	ID       ID
	Title    string   // what holds when it passes: "The configuration is valid"
	Severity Severity // Blocks or Warns
	Needs    []ID     // held back when one of them failed: people see the root cause only
	OS       []string // as in GOOS; empty: everywhere

	// Timeout bounds this check alone; 0 means DefaultTimeout.
	Timeout time.Duration
	// Probe looks. It must end soon after its context does, says with At what
	// it waits for, and begins with Skip when the Env has not what it asks for.
	Probe func(context.Context, *Env) Outcome

	Remedy  string // one imperative sentence
	Command string // what can be pasted to do it; "" when that depends
	Fix     *Fix   // what the program can do about it itself; mostly nil
}

// A Fix is a remedy that is safe to be done by the program, once somebody has
// agreed to it.
type Fix struct {
	Says string // "Keep other users out of the home"
	Do   func(context.Context, *Env) error
	// Plan, in place of Do, looks first what exactly there is to do: that is
	// what somebody agrees to, and what is done.
	Plan func(context.Context, *Env) (Planned, error)
}

// Planned is what exactly a fix would do.
type Planned struct {
	Says string // for people; it stands in for the fix's own
	// Pin is what somebody must have named who cannot be shown Says: a yes to
	// everything is no yes to this. "": it is.
	Pin string
	Do  func(context.Context) error
}

// An Outcome is what a probe found. All texts are for people, in one line or,
// in Detail, a line for each thing; none may hold a secret.
type Outcome struct {
	Status   Status // Passed, Failed or Skipped
	Observed string // what is there: "3.8 GiB"
	Required string // what must be there: "2 GiB"
	Detail   string // what more there is to say, or why it does not apply

	// Remedy and Command stand in for the check's own, where the probe knows
	// better what to do.
	Remedy, Command string
}

// Pass says that all is well, and what was seen.
func Pass(observed string) Outcome { return Outcome{Status: Passed, Observed: observed} }

// Fail says what is wrong. A literal Outcome can say more.
func Fail(detail string) Outcome { return Outcome{Status: Failed, Detail: detail} }

// Skip says why a check does not apply here.
func Skip(why string) Outcome { return Outcome{Status: Skipped, Detail: why} }

// A Finding is a check and how it came out.
type Finding struct {
	Check *Check // never nil but in a report that was read from a file
	Outcome
	Took   time.Duration
	Waiver *Waiver // not nil when Status is Waived

	held bool // a need failed, so that those who need this one are held back too
	root ID   // the check that held it back in the first place
}

// A Verdict is what a whole report comes to.
type Verdict string

// The verdicts.
const (
	AllPassed Verdict = "passed"
	Warned    Verdict = "warned" // some that warn failed
	Blocked   Verdict = "failed" // some that block failed
)

// A Report is what a run found: the findings in the order of the catalogue.
type Report struct {
	Started  time.Time
	Took     time.Duration
	Findings []Finding
	Notes    []string // what is to be said besides: waivers that have expired
}

// Verdict returns what the report comes to. Skipped and waived checks do not
// count.
func (r Report) Verdict() Verdict {
	v := AllPassed
	for _, f := range r.Findings {
		switch {
		case f.Status != Failed:
		case f.Check.Severity == Blocks:
			return Blocked
		default:
			v = Warned
		}
	}
	return v
}

// Blocked reports whether a check that blocks has failed.
func (r Report) Blocked() bool { return r.Verdict() == Blocked }
