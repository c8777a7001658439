package doctor

import (
	"context"
	"fmt"
)

// Mend does the fixes of what failed, each after agree has been asked. It
// returns what came of each; an error is agree's own, and ends it.
func Mend(ctx context.Context, env *Env, r Report, agree func(Check) (bool, error)) ([]Mended, error) {
	all := []Mended{}
	for _, f := range r.Findings {
		if f.Status != Failed || f.Check.Fix == nil {
			continue
		}
		m := Mended{ID: f.Check.ID, Says: f.Check.Fix.Says}
		yes, err := agree(*f.Check)
		if err != nil {
			return all, err
		}
		if yes {
			if err := do(ctx, env, f.Check.Fix); err != nil {
				m.Error = plain(env.hide(err.Error()))
			} else {
				m.Done = true
			}
		}
		all = append(all, m)
	}
	return all, nil
}

// do does a fix; one that panics has not been done.
func do(ctx context.Context, env *Env, fix *Fix) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the fix itself is broken: %v", p)
		}
	}()
	return fix.Do(ctx, env)
}
