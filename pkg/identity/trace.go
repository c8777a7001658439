package identity

import (
	"context"
	"time"
)

// A Stage is one step of a login, for whoever explains it: "find", "bind",
// "groups", "map" or "set-password".
type Stage struct {
	Name   string
	Server string // the directory server that answered, or ""
	Detail string // what was asked and what came of it; never a secret
	Took   time.Duration
	Err    error // a *Refusal or a fault
}

type traceKey struct{}

type trace struct {
	seen  func(Stage)
	stage Stage
}

// WithTrace returns a context whose logins report each stage to seen, in the
// goroutine of the login.
func WithTrace(ctx context.Context, seen func(Stage)) context.Context {
	return context.WithValue(ctx, traceKey{}, &trace{seen: seen})
}

// Note tells the trace of ctx, if there is one, which server answered the
// stage under way and what was asked. The last note of a stage stands.
func Note(ctx context.Context, server, detail string) {
	if t, ok := ctx.Value(traceKey{}).(*trace); ok {
		t.stage.Server, t.stage.Detail = server, detail
	}
}

// stage runs one stage of a login and reports it.
func stage(ctx context.Context, name string, do func() error) error {
	t, ok := ctx.Value(traceKey{}).(*trace)
	if !ok {
		return do()
	}
	t.stage = Stage{Name: name}
	start := time.Now()
	t.stage.Err = do()
	t.stage.Took = time.Since(start)
	t.seen(t.stage)
	return t.stage.Err
}
