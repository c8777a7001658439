package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Refused is an answer of agree's: no, and why. The other fixes go on.
type Refused string

func (r Refused) Error() string { return string(r) }

// Mend does the fixes of what failed, each after agree has been asked. It
// returns what came of each; an error is agree's own, and ends it, unless it is
// Refused.
func Mend(ctx context.Context, env *Env, r Report, agree func(Check, Planned) (bool, error)) ([]Mended, error) {
	all := []Mended{}
	for _, f := range r.Findings {
		if f.Status != Failed || f.Check.Fix == nil {
			continue
		}
		m := Mended{ID: f.Check.ID, Says: f.Check.Fix.Says}
		p, err := f.Check.Fix.plan(ctx, env)
		if err == nil {
			p.Says = strings.ReplaceAll(plain(env.hide(p.Says)), "\n", " ") // it may quote a stranger
			m.Says = p.Says
			var yes bool
			yes, err = agree(*f.Check, p)
			if no := Refused(""); err != nil && !errors.As(err, &no) {
				return all, err
			}
			if err == nil && yes {
				err = guarded(func() error { return p.Do(ctx) })
				m.Done = err == nil
			}
		}
		if err != nil {
			m.Error = plain(env.hide(err.Error()))
		}
		all = append(all, m)
	}
	return all, nil
}

func (f *Fix) plan(ctx context.Context, env *Env) (p Planned, err error) {
	if f.Plan == nil {
		return Planned{Says: f.Says, Do: func(ctx context.Context) error { return f.Do(ctx, env) }}, nil
	}
	err = guarded(func() (err error) { p, err = f.Plan(ctx, env); return err })
	return p, err
}

// guarded does a part of a fix; one that panics has not been done.
func guarded(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the fix itself is broken: %v", p)
		}
	}()
	return do()
}
