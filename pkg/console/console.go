// Package console serves the connector's own web address: the health of the
// running agent, for status, balancers and programs, and behind a login the
// pages on which an administrator sets it up and looks at it.
package console

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"ad-ldap-connector/pkg/agent"
	"ad-ldap-connector/pkg/doctor"
)

// Options are what the console shows and does. The room opens nothing by
// itself: whatever touches the home, the directory or the machine is a func,
// the same that a command calls. A nil one makes its page say that it cannot be
// had here.
type Options struct {
	Health func() []agent.Health
	// Status returns the document that "connector status" prints, for
	// /status.
	Status func() any
	// Metrics serves /metrics; nil serves none.
	Metrics http.Handler

	// Sessions outlive a handler, so that a reload logs nobody out. Nil: there
	// are no pages.
	Sessions *Sessions
	// Redeem takes a one-time secret of "connector console", once. An error says
	// why it is not taken.
	Redeem func(secret string) error
	// Password returns what HashPassword made of the administrator's; "" when
	// there is none.
	Password func() (string, error)
	// Revoked is before when all sessions that began are over; zero: none.
	Revoked func() time.Time

	// Certificate is what the console shows by TLS; nil without.
	Certificate func() *x509.Certificate
	// Ending is closed when the console is about to end: live answers end then.
	Ending <-chan struct{}

	Version string // of the connector
	Name    string // of the instance, for the command lines that pages show: " --name x" or ""
	Now     func() time.Time
	Log     *slog.Logger
	// Audit keeps one line for each change; it must not wait.
	Audit func(Change)

	Overview func() Overview
	// Doctor runs the checks as "connector doctor" does.
	Doctor func(ctx context.Context, q DoctorQuery, seen func(doctor.Finding)) (doctor.Document, error)
	// Logs shows lines of the log as "connector logs" does, until ctx ends if it
	// is to follow.
	Logs func(ctx context.Context, q LogQuery, show func(LogLine) error) error
	// Support makes the archive of "connector support".
	Support func(ctx context.Context) (name string, archive []byte, err error)
	Update  *Update

	Configuration *Configuration
	Search        *Search
	Mapper        *Mapper
	Transfer      *Transfer
}

// A console is a handler at work.
type console struct {
	options Options
	layout  *layout
	streams chan struct{} // holds one for each live answer
}

// Handler returns the console. Without a session there are
//
//	GET /healthz  200 while no part is down, else 503; one line a part
//	GET /readyz   200 while every part that logins need is ok, else 503
//	GET /status   the status document, JSON
//	GET /metrics  what Options.Metrics serves
//
// the last two for this machine alone, and the way to log in; with one, the
// pages. A request whose Host is not the console's is refused: a page elsewhere
// could otherwise reach this port under a name of its own (DNS rebinding).
func Handler(o Options) http.Handler {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	c := &console{options: o, layout: newLayout(), streams: make(chan struct{}, mostStreams)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		health(w, c.health(r), agent.Down, nil)
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		health(w, c.health(r), agent.Degraded, needed)
	})
	mux.Handle("GET /status", c.here(func(w http.ResponseWriter, _ *http.Request) {
		body, err := json.Marshal(o.Status())
		if err != nil {
			http.Error(w, "no status", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body) // the reader has gone; nobody is left to tell
	}))
	if o.Metrics != nil {
		mux.Handle("GET /metrics", c.here(o.Metrics.ServeHTTP))
	}
	if o.Sessions != nil {
		c.routes(mux)
	}
	return c.guard(mux)
}

// health is how the parts fare; whoever asks from elsewhere learns names and
// states alone.
func (c *console) health(r *http.Request) []agent.Health {
	all := c.options.Health()
	if fromHere(r) {
		return all
	}
	return withoutDetails(all)
}
