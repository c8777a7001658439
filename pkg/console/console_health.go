package console

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"

	"ad-ldap-connector/pkg/agent"
)

// ProbeOptions are what is served to balancers and orchestrators.
type ProbeOptions struct {
	Health func() []agent.Health
	// Stopping reports whether the agent takes no more work: it is not ready
	// then, however its parts are. Nil: never.
	Stopping func() bool
	// Alive returns an error when the agent makes no progress any more, whatever
	// those it talks to do; it may take seconds, and is asked once at a time. Nil:
	// it always does.
	Alive func(context.Context) error
	// Details says why a part is as it is. Without them, and so on an address
	// that others can reach, there are names and states alone.
	Details bool
}

// Probes returns what may be reached from elsewhere, under any name: /healthz
// and /readyz, as Handler has them, and nothing else but
//
//	GET /livez  200 while the agent makes progress, else 503
//
// which is for who would restart it. A hub or a directory that is down is cured
// by no restart, and fails the others.
func Probes(o ProbeOptions) http.Handler {
	parts := func() []agent.Health {
		if o.Details {
			return o.Health()
		}
		return withoutDetails(o.Health())
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
	var one sync.Mutex
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, r *http.Request) {
		one.Lock()
		defer one.Unlock()
		if o.Alive != nil && o.Alive(r.Context()) != nil {
			http.Error(w, "no progress", http.StatusServiceUnavailable)
			return
		}
		health(w, nil, agent.Down, nil)
	})
	return mux
}

// withoutDetails leaves out why a part is as it is.
func withoutDetails(all []agent.Health) []agent.Health {
	all = slices.Clone(all)
	for i := range all {
		all[i].Detail = ""
	}
	return all
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
