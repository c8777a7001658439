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
	Began  time.Time
	Took   time.Duration
	Err    error // a *Refusal or a fault
}

type (
	traceKey   struct{} // *trace
	stageKey   struct{} // *Stage
	requestKey struct{} // string
)

// A trace is who wants to know of the stages. One of the two is nil.
type trace struct {
	seen  func(Stage)
	watch func(name string) (ended func(Stage))
}

// WithTrace returns a context whose logins report each stage to seen, in the
// goroutine of the login and in the order of the names above, also where stages
// ran at the same time.
func WithTrace(ctx context.Context, seen func(Stage)) context.Context {
	return context.WithValue(ctx, traceKey{}, &trace{seen: seen})
}

// WithWatch returns a context whose logins call watch when a stage begins, and
// what it returns when that stage ends: at once, and so perhaps at the same time
// as others.
func WithWatch(ctx context.Context, watch func(name string) (ended func(Stage))) context.Context {
	return context.WithValue(ctx, traceKey{}, &trace{watch: watch})
}

// WithRequest returns a context of the request that the tenant knows by this ID,
// made printable.
func WithRequest(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestKey{}, id)
}

// Request is the ID of the request that ctx belongs to, for the log; "" when it
// has none.
func Request(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
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
	t, ok := ctx.Value(traceKey{}).(*trace)
	if !ok {
		return func() {}, do(ctx)
	}
	s := &Stage{Name: name, Began: time.Now()}
	ended := t.seen
	if t.watch != nil {
		ended = t.watch(name)
	}
	s.Err = do(context.WithValue(ctx, stageKey{}, s))
	s.Took = time.Since(s.Began)
	if t.watch != nil {
		ended(*s)
		return func() {}, s.Err
	}
	return func() { ended(*s) }, s.Err
}
