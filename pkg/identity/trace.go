package identity

import (
	"context"
	"time"
)

// A Stage is one step of a login, for whoever explains it: "find", "bind",
// "groups", "map", "set-password", "search" or "list-groups".
type Stage struct {
	Name   string
	Server string // the directory server that answered, or ""
	Detail string // what was asked and what came of it; never a secret
	Took   time.Duration
	Err    error // a *Refusal or a fault
}

type (
	traceKey struct{} // func(Stage)
	stageKey struct{} // *Stage
)

// WithTrace returns a context whose logins report each stage to seen, in the
// goroutine of the login and in the order of the names above, also where stages
// ran at the same time.
func WithTrace(ctx context.Context, seen func(Stage)) context.Context {
	return context.WithValue(ctx, traceKey{}, seen)
}

// withoutTrace returns a context that reports no more stages.
func withoutTrace(ctx context.Context) context.Context {
	return context.WithValue(ctx, traceKey{}, nil)
}

// Note tells the trace of ctx, if there is one, which server answered the
// stage under way and what was asked. The last note of a stage stands.
func Note(ctx context.Context, server, detail string) {
	if s, ok := ctx.Value(stageKey{}).(*Stage); ok {
		s.Server, s.Detail = server, detail
	}
}

// Traced reports whether anybody wants notes: to spare the work of making them.
func Traced(ctx context.Context) bool { return ctx.Value(stageKey{}) != nil }

// stage runs one stage of a login and reports it.
func stage(ctx context.Context, name string, do func(context.Context) error) error {
	report, err := begin(ctx, name, do)
	report()
	return err
}

// begin runs one stage of a login, and returns what reports it.
func begin(ctx context.Context, name string, do func(context.Context) error) (report func(), err error) {
	seen, ok := ctx.Value(traceKey{}).(func(Stage))
	if !ok {
		return func() {}, do(ctx)
	}
	s := &Stage{Name: name}
	start := time.Now()
	s.Err = do(context.WithValue(ctx, stageKey{}, s))
	s.Took = time.Since(start)
	return func() { seen(*s) }, s.Err
}
