package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/identity"
)

// benchTurns is in how many turns logins and ceiling are measured: what slows a
// machine for a while then falls on both.
const benchTurns = 4

// bench measures a workbench.
type bench struct {
	*workbench

	duration time.Duration
	users    *benchUsers
}

// tryOne logs one user in, so that what is wrong with the configuration is said
// as an error and not as a column of faults.
func (b *bench) tryOne(ctx context.Context) error {
	var c count
	for range 3 {
		if u := b.users.pick(); u != nil {
			b.one(&c, u, func(who identity.Credentials) error {
				_, err := b.workbench.users.Authenticate(ctx, who)
				if err != nil {
					err = fmt.Errorf("log %s in: %w", who.Username, err)
				}
				return err
			})
		}
		if c.accepted > 0 {
			return nil
		}
	}
	return c.err
}

// run measures n logins at a time, and the ceiling.
func (b *bench) run(ctx context.Context, n int) (benchRun, error) {
	var logins, ceiling count
	var used usage
	for range benchTurns {
		if err := b.ceiling(ctx, n, &ceiling); err != nil {
			return benchRun{}, err
		}
		used.while(func() { b.logins(ctx, n, &logins) })
		if ctx.Err() != nil {
			return benchRun{}, context.Cause(ctx)
		}
	}
	if logins.accepted == 0 {
		return benchRun{}, fmt.Errorf("%d at a time: no login was accepted, %d were refused and %d could not be tried: %w",
			n, logins.refused, logins.faulted, logins.err)
	}
	slices.Sort(logins.took)
	at := func(part float64) float64 { return ms(quantile(logins.took, part)) }
	r := benchRun{
		Concurrency: n, PerSecond: round(logins.rate(), 1), P50: at(.5), P95: at(.95), P99: at(.99),
		Ceiling: round(ceiling.rate(), 1), Logins: logins.accepted, Refused: logins.refused, Faulted: logins.faulted,
		CPU: round(used.cpu.Seconds()*1000/float64(logins.accepted), 3), Memory: round(float64(used.resident)/(1<<20), 1),
	}
	if ceiling.rate() > 0 {
		r.Ratio = round(logins.rate()/ceiling.rate(), 2)
	}
	return r, nil
}

// A count is what the workers of one kind did.
type count struct {
	accepted, refused, faulted int
	took                       []time.Duration // of those accepted
	elapsed                    time.Duration
	err                        error // the last one
}

func (c *count) rate() float64 {
	if c.elapsed == 0 {
		return 0
	}
	return float64(c.accepted) / c.elapsed.Seconds()
}

// logins lets n workers log users in for one turn.
func (b *bench) logins(ctx context.Context, n int, into *count) {
	b.turn(n, into, func(int) func(identity.Credentials) error {
		return func(who identity.Credentials) error {
			_, err := b.workbench.users.Authenticate(ctx, who)
			return err
		}
	})
}

// ceiling lets n workers ask bare questions for one turn.
func (b *bench) ceiling(ctx context.Context, n int, into *count) error {
	workers := make([]*directory.Ceiling, n)
	defer func() {
		for _, w := range workers {
			if w != nil {
				w.Close()
			}
		}
	}()
	for i := range workers {
		var err error
		if workers[i], err = b.directory.Ceiling(ctx); err != nil {
			return fmt.Errorf("measure the ceiling with %d connections: %w", 2*n, err)
		}
	}
	groups := !b.workbench.users.Policy.OmitGroups
	b.turn(n, into, func(i int) func(identity.Credentials) error {
		return func(who identity.Credentials) error { return workers[i].Login(who.Username, who.Password, groups) }
	})
	if into.accepted == 0 && into.err != nil {
		return fmt.Errorf("measure the ceiling: %w", into.err)
	}
	return nil
}

// turn lets n workers work for one turn, and counts.
func (b *bench) turn(n int, into *count, worker func(int) func(identity.Credentials) error) {
	var stop atomic.Bool
	start := time.Now()
	timer := time.AfterFunc(b.duration/benchTurns, func() { stop.Store(true) })
	defer timer.Stop()
	done := make([]count, n)
	var wait sync.WaitGroup
	for i := range n {
		do := worker(i)
		wait.Go(func() {
			for !stop.Load() {
				u := b.users.pick()
				if u == nil || !b.one(&done[i], u, do) {
					return
				}
			}
		})
	}
	wait.Wait()
	into.elapsed += time.Since(start)
	for _, d := range done {
		into.accepted += d.accepted
		into.refused += d.refused
		into.faulted += d.faulted
		into.took = append(into.took, d.took...)
		if d.err != nil {
			into.err = d.err
		}
	}
}

// one does one login, and reports whether to go on.
func (b *bench) one(c *count, u *benchUser, do func(identity.Credentials) error) bool {
	begun := time.Now()
	err := do(u.Credentials)
	took := time.Since(begun)
	b.users.settle(u, err)
	var refusal *identity.Refusal
	switch {
	case err == nil:
		c.accepted++
		c.took = append(c.took, took)
	case errors.As(err, &refusal):
		c.refused++
		c.err = err
	case errors.Is(err, context.Canceled):
		return false
	default:
		c.faulted++
		c.err = err
	}
	return true
}

func round(v float64, digits int) float64 {
	scale := 1.0
	for range digits {
		scale *= 10
	}
	return float64(int64(v*scale+0.5)) / scale
}
