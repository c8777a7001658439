// Package console serves the connector's own web address on the loopback
// interface: the health of the running agent, for status, balancers and people.
package console

import (
	"encoding/json"
	"net"
	"net/http"
	"slices"
	"strings"

	"ad-ldap-connector/pkg/agent"
)

// Options are what the console shows.
type Options struct {
	Health func() []agent.Health
	// Status returns the document that "connector status" prints, for
	// /status.
	Status func() any
	// Metrics serves /metrics; nil serves none.
	Metrics http.Handler
}

// Handler returns the console:
//
//	GET /healthz  200 while no part is down, else 503; one line a part
//	GET /readyz   200 while every part that logins need is ok, else 503
//	GET /status   the status document, JSON
//	GET /metrics  what Options.Metrics serves
//
// A request whose Host is not a loopback name is refused: a page elsewhere
// could otherwise reach this port under a name of its own (DNS rebinding).
func Handler(o Options) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		health(w, o.Health(), agent.Down, nil)
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		health(w, o.Health(), agent.Degraded, needed)
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		body, err := json.Marshal(o.Status())
		if err != nil {
			http.Error(w, "no status", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body) // the reader has gone; nobody is left to tell
	})
	if o.Metrics != nil {
		mux.Handle("GET /metrics", o.Metrics)
	}
	cross := http.NewCrossOriginProtection()
	return cross.Handler(loopbackOnly(mux))
}

// ProbeOptions are what is served to balancers and orchestrators.
type ProbeOptions struct {
	Health func() []agent.Health
	// Stopping reports whether the agent takes no more work: it is not ready
	// then, however its parts are. Nil: never.
	Stopping func() bool
	// Details says why a part is as it is. Without them, and so on an address
	// that others can reach, there are names and states alone.
	Details bool
}

// Probes returns what may be reached from elsewhere, under any name: /healthz
// and /readyz, and nothing else.
func Probes(o ProbeOptions) http.Handler {
	parts := func() []agent.Health {
		all := o.Health()
		if !o.Details {
			all = slices.Clone(all)
			for i := range all {
				all[i].Detail = ""
			}
		}
		return all
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { health(w, parts(), agent.Down, nil) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		all := parts()
		if o.Stopping != nil && o.Stopping() {
			all = append([]agent.Health{{Part: stopping, State: agent.Down}}, all...)
		}
		health(w, all, agent.Degraded, append(slices.Clone(needed), stopping))
	})
	return mux
}

// needed are the parts that logins need. stopping stands for one that is no
// more.
var needed = []string{"hub", "directory", "mapper"}

const stopping = "stopping"

// health answers 503 when a part, of those named (all if none is), is as bad
// as limit or worse.
func health(w http.ResponseWriter, parts []agent.Health, limit agent.State, named []string) {
	var text strings.Builder
	code := http.StatusOK
	for _, p := range parts {
		if (named == nil || slices.Contains(named, p.Part)) && agent.Worst([]agent.Health{p, {State: limit}}) == p.State && p.State != agent.OK {
			code = http.StatusServiceUnavailable
		}
		text.WriteString(p.Part + " " + string(p.State))
		if p.Detail != "" {
			text.WriteString(": " + p.Detail)
		}
		text.WriteByte('\n')
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(text.String())) // the reader has gone; nobody is left to tell
}

func loopbackOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		ip := net.ParseIP(strings.Trim(host, "[]"))
		if !strings.EqualFold(host, "localhost") && (ip == nil || !ip.IsLoopback()) {
			http.Error(w, "this address answers to loopback names only", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}
