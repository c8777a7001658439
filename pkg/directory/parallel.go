package directory

import (
	"context"
	"sync"
)

// atOnce is how many searches of one question run at a time: they share the
// connections with everybody else's.
const atOnce = 4

// parallel calls do for 0 to n-1, a few at a time, and returns the first error
// by time; what has not begun by then is left out, and the rest is given up. It
// returns when all calls have.
func parallel(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	if n == 1 {
		return do(ctx, 0)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		wait  sync.WaitGroup
		once  sync.Once
		first error
		turns = make(chan struct{}, atOnce)
	)
	for i := range n {
		turns <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		wait.Go(func() {
			defer func() { <-turns }()
			if err := guarded(ctx, i, do); err != nil {
				once.Do(func() { first = err; cancel(err) })
			}
		})
	}
	wait.Wait()
	if first == nil {
		return context.Cause(ctx)
	}
	return first
}

// guarded calls do, whose panic would end the process.
func guarded(ctx context.Context, i int, do func(ctx context.Context, i int) error) (err error) {
	defer guard(&err)
	return do(ctx, i)
}
