package install

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// A Step is one change to the machine and the way back. A step without Undo
// that changes nothing is a check.
type Step struct {
	Name  string // "register-agent", for scripts
	Says  string // "Register with the tenant", shown to the operator
	Check bool   // it looks and changes nothing
	Done  func(context.Context) (bool, error)
	Do    func(context.Context) error
	Undo  func(context.Context) error // nil: there is nothing to undo; else idempotent
	Tidy  func()                      // removes what only Undo needs, once the whole plan holds; nil: nothing
}

// A Plan is steps in order. Either all of them hold afterwards, or none does.
type Plan []Step

// What happened to a step.
const (
	Doing   = "doing"   // it has begun
	Did     = "done"    // it holds now
	Already = "already" // it held before, and was not touched
	Undone  = "undone"  // it does not hold; Err says why, if this is the step that failed
	Stuck   = "stuck"   // it could not be undone; Err says why
)

// An Event is said as a plan proceeds. Each step that was Doing ends with one
// of the others.
type Event struct {
	Step Step
	What string
	Err  error
}

// A StepError says which step failed, and what could not be undone.
type StepError struct {
	Step    string
	Err     error
	Changed bool    // something had been changed, and was undone but for Left
	Left    []error // one for each step whose undo failed too
}

func (e *StepError) Error() string { return e.Step + ": " + e.Err.Error() }

// Unwrap returns the cause and what was left.
func (e *StepError) Unwrap() []error { return append([]error{e.Err}, e.Left...) }

// undoTime bounds the undoing of one step, which no longer listens to the
// caller. What takes longest is to stop a service, which its manager ends after
// half a minute, and to start the former one again, which it gives up after 90 s.
const undoTime = 2 * time.Minute

// Apply does each step that is not done already, and reports whether any was.
// When one fails, or ctx ends, it undoes what this call did, last first, and
// returns a *StepError.
func (p Plan) Apply(ctx context.Context, say func(Event)) (changed bool, err error) {
	var did Plan
	for _, s := range p {
		done, err := s.already(ctx)
		if err == nil && done {
			say(Event{Step: s, What: Already})
			continue
		}
		if err == nil {
			say(Event{Step: s, What: Doing})
			did = append(did, s) // before Do: half a step is undone too
			err = s.Do(ctx)
		}
		if err != nil {
			return false, &StepError{Step: s.Name, Err: err, Changed: did.changes(), Left: did.undo(ctx, say, s.Name, err)}
		}
		say(Event{Step: s, What: Did})
	}
	for _, s := range p {
		if s.Tidy != nil {
			s.Tidy()
		}
	}
	return did.changes(), nil
}

// Excuse returns the plan whose checks fail only when excused says no to their
// error.
func (p Plan) Excuse(excused func(ctx context.Context, s Step, err error) bool) Plan {
	plan := slices.Clone(p)
	for i, s := range p {
		if !s.Check {
			continue
		}
		plan[i].Do = func(ctx context.Context) error {
			if err := s.Do(ctx); err != nil && !excused(ctx, s, err) {
				return err
			}
			return nil
		}
	}
	return plan
}

// changes reports whether p does more than look.
func (p Plan) changes() bool {
	return slices.ContainsFunc(p, func(s Step) bool { return !s.Check })
}

func (p Plan) undo(ctx context.Context, say func(Event), failed string, cause error) []error {
	var left []error
	for _, s := range slices.Backward(p) {
		e := Event{Step: s, What: Undone}
		if s.Name == failed {
			e.Err = cause
		}
		if s.Undo == nil {
			if s.Name == failed {
				say(e)
			}
			continue
		}
		if err := s.undo(ctx); err != nil {
			e.What, e.Err = Stuck, err
			left = append(left, fmt.Errorf("undo %s: %w", s.Name, err))
		}
		say(e)
	}
	return left
}

func (s Step) undo(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	return s.Undo(ctx)
}

func (s Step) already(ctx context.Context) (bool, error) {
	if err := ctx.Err(); err != nil || s.Done == nil {
		return false, err
	}
	return s.Done(ctx)
}
