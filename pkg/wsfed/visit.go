package wsfed

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"ad-ldap-connector/pkg/identity"
)

// A visit is one request to the sign-in: what its line in the log, the page that
// it may get, the audit file and traces know it by, and the stages of the
// directory's that nobody has been told of yet.
type visit struct {
	id string

	mu     sync.Mutex
	stages []identity.Stage
}

type visitKey struct{}

func withVisit(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), visitKey{}, &visit{id: newReference()}))
}

func visitOf(r *http.Request) *visit {
	if v, ok := r.Context().Value(visitKey{}).(*visit); ok {
		return v
	}
	return &visit{id: newReference()}
}

func (v *visit) add(s identity.Stage) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.stages = append(v.stages, s)
}

// take returns the stages since it was last called: each try has its own.
func (v *visit) take() []identity.Stage {
	v.mu.Lock()
	defer v.mu.Unlock()
	stages := v.stages
	v.stages = nil
	return stages
}

// An answering writer remembers the status that was answered; 0 is none.
type answering struct {
	http.ResponseWriter
	status int
}

func (a *answering) WriteHeader(status int) {
	if a.status == 0 && status >= http.StatusOK {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answering) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (a *answering) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// Bounds of the lines of requests: how many a minute, and how many octets of
// what the request may choose.
const (
	linesPerMinute = 1200
	maxPathSaid    = 128
	maxMethodSaid  = 16
)

// access writes a request's line. Of its address there is the path alone: the
// query is the tenant's business, and old links have credentials there.
func (h *handler) access(a *answering, r *http.Request, began time.Time) {
	const message = "request"
	write, unwritten := h.visits.hear(message, began, linesPerMinute)
	if !write {
		return
	}
	more := []any{
		"method", r.Method[:min(len(r.Method), maxMethodSaid)], "path", r.URL.Path[:min(len(r.URL.Path), maxPathSaid)], "status", a.status,
		"from", h.remote(r), "took", time.Since(began), "request", visitOf(r).id,
	}
	if unwritten > 0 {
		more = append(more, "unwritten", unwritten)
	}
	h.o.Log.Info(message, more...)
}

// remote is the address that a request comes from, without a port.
func (h *handler) remote(r *http.Request) string {
	source := h.o.Source(r)
	if host, _, err := net.SplitHostPort(source); err == nil {
		return host
	}
	return source
}

// tell says how a try to get in ended that began then.
func (h *handler) tell(r *http.Request, began time.Time, e Entry) {
	v := visitOf(r)
	e.User, e.Source, e.Request, e.Stages = short(e.User), h.remote(r), v.id, v.take()
	e.Began, e.Took = began, h.o.Now().Sub(began)
	h.o.Entered(e)
}

// within bounds a request's questions to the directory, and has its log and the
// traces know whose they are.
func (h *handler) within(r *http.Request) (context.Context, context.CancelFunc) {
	v := visitOf(r)
	ctx := identity.WithTrace(identity.WithRequest(r.Context(), v.id), v.add)
	return context.WithTimeout(ctx, h.o.Within)
}
