package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"ad-ldap-connector/pkg/home"
)

// What the nodes of a connector tell each other of updates, over PEER_ADDR.
const (
	lockPath   = "/v1/lock"
	failedPath = "/v1/failed"

	maxPeerOrder = 4 << 10 // bytes
	// leaseTime is how long a lock holds that nobody renews: an updater that was
	// killed must not keep the others from updating for long.
	leaseTime = time.Minute
	maxLease  = 10 * time.Minute

	lockState   = "update-lock"
	failedState = "update-failed"
	maxFailed   = 50 // versions that are remembered
)

// A lease says which node is updating, as one of the nodes has it.
type lease struct {
	Holder string    `json:"holder"` // its instance
	Name   string    `json:"name"`
	Until  time.Time `json:"until"` // by the clock of the node that says so
}

// A leaseOrder asks a node for its agreement, or gives it back.
type leaseOrder struct {
	Holder  string `json:"holder"`
	Name    string `json:"name"`
	Seconds int    `json:"seconds"` // 0 gives it back
}

// A takenError says that another node is updating.
type takenError struct{ lease }

func (e *takenError) Error() string {
	return fmt.Sprintf("the node %s is updating, until %s at the most", visible(e.Name), e.Until.UTC().Format(time.TimeOnly+" MST"))
}

// Hint says what to do.
func (*takenError) Hint() string {
	return "one node is updated at a time: wait for it; if it has died, its lock ends by itself"
}

// takeLease carries an order out in a home. Whoever holds the lock already, has
// it for longer.
func takeLease(h *home.Home, o leaseOrder, now time.Time) (l lease, err error) {
	err = h.ChangeState(lockState, &l, func() error {
		free := l.Holder == "" || l.Holder == o.Holder || now.After(l.Until) || l.Until.After(now.Add(maxLease)) // the clock was set back
		switch {
		case !free && o.Seconds > 0:
			return &takenError{l}
		case !free: // it is another one's, and stays
		case o.Seconds <= 0:
			l = lease{}
		default:
			l = lease{Holder: o.Holder, Name: o.Name, Until: now.Add(min(time.Duration(o.Seconds)*time.Second, maxLease)).UTC()}
		}
		return nil
	})
	if taken := (*takenError)(nil); errors.As(err, &taken) {
		return l, taken // it says all there is to say
	}
	return l, err
}

func readLeaseOrder(body []byte) (o leaseOrder, err error) {
	if err := json.Unmarshal(body, &o); err != nil {
		return o, err
	}
	if o.Holder == "" || len(o.Holder) > 256 || len(o.Name) > 256 || o.Seconds < 0 {
		return o, errors.New("it is no order of a node's")
	}
	return o, nil
}

// A failure is a version that did not prove itself on a node.
type failure struct {
	Version string    `json:"version"` // "" where it is no release's, and says nothing
	SHA256  string    `json:"sha256"`
	Node    string    `json:"node"`
	Why     string    `json:"why"`
	At      time.Time `json:"at"`
}

func readFailure(body []byte) (f failure, err error) {
	if err := json.Unmarshal(body, &f); err != nil {
		return f, err
	}
	if f.Version == "" && f.SHA256 == "" || len(f.Version) > 256 || len(f.SHA256) > 64 || len(f.Node) > 256 {
		return f, errors.New("it names no version")
	}
	f.Why = f.Why[:min(len(f.Why), 1000)]
	return f, nil
}

// is reports whether it is that program.
func (f failure) is(p *nextProgram) bool {
	return f.SHA256 != "" && f.SHA256 == p.sha256 || p.released && f.Version != "" && f.Version == p.version
}

// A failedList is the versions that have failed, here or elsewhere.
type failedList struct {
	All []failure `json:"all"`
}

// remember keeps a failure, and forgets the oldest of too many.
func remember(h *home.Home, f failure) error {
	var all failedList
	return h.ChangeState(failedState, &all, func() error {
		all.All = slices.DeleteFunc(all.All, func(g failure) bool { return g.Version == f.Version && g.SHA256 == f.SHA256 && g.Node == f.Node })
		all.All = append(all.All, f)
		all.All = all.All[max(0, len(all.All)-maxFailed):]
		return nil
	})
}

// forgive forgets that a program has failed.
func forgive(h *home.Home, p *nextProgram) error {
	var all failedList
	if err := h.LoadState(failedState, &all); err != nil || !slices.ContainsFunc(all.All, func(f failure) bool { return f.is(p) }) {
		return nil //nolint:nilerr // there is nothing to forget
	}
	return h.ChangeState(failedState, &all, func() error {
		all.All = slices.DeleteFunc(all.All, func(f failure) bool { return f.is(p) })
		return nil
	})
}

// serveUpdates answers what other nodes have to say of updates.
func (n *node) serveUpdates(mux *http.ServeMux) {
	body := func(w http.ResponseWriter, r *http.Request) []byte {
		data, err := io.ReadAll(io.LimitReader(r.Body, maxPeerOrder+1))
		if err != nil || len(data) > maxPeerOrder {
			http.Error(w, "it is too long, or broke off", http.StatusBadRequest)
			return nil
		}
		return data
	}
	answer := func(w http.ResponseWriter, status int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v) // a peer that has gone needs no answer
	}
	mux.HandleFunc("POST "+lockPath, func(w http.ResponseWriter, r *http.Request) {
		data := body(w, r)
		if data == nil {
			return
		}
		o, err := readLeaseOrder(data)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		l, err := takeLease(n.home, o, time.Now())
		if taken := (*takenError)(nil); errors.As(err, &taken) {
			answer(w, http.StatusConflict, taken.lease)
			return
		}
		if err != nil {
			http.Error(w, "the home cannot be written to", http.StatusInternalServerError)
			n.log.Debug("peer", "err", err)
			return
		}
		answer(w, http.StatusOK, l)
	})
	mux.HandleFunc("POST "+failedPath, func(w http.ResponseWriter, r *http.Request) {
		data := body(w, r)
		if data == nil {
			return
		}
		f, err := readFailure(data)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := remember(n.home, f); err != nil {
			http.Error(w, "the home cannot be written to", http.StatusInternalServerError)
			n.log.Debug("peer", "err", err)
			return
		}
		n.log.Info("a version has failed on another node", "version", f.Version, "node", f.Node, "why", f.Why)
		answer(w, http.StatusOK, f)
	})
}
