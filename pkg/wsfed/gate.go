package wsfed

import (
	"context"
	"errors"
	"net/http"
	"time"

	"ad-ldap-connector/pkg/identity"
)

// A gate lets so many ask the directory at the same time. Whoever finds it full
// waits a moment, if there is room to wait, and is then told to come again: a
// queue that grows helps nobody. Both bounds are needed: the moment has those
// who get in answered soon, and the room has a crowd cost no memory.
type gate struct{ places, room chan struct{} }

const (
	gateWait = time.Second // that moment
	gateRoom = 2           // so many wait for each place
)

func newGate(n int) gate {
	return gate{make(chan struct{}, n), make(chan struct{}, n*gateRoom)}
}

// enter reports whether there was a place in time. Who entered must leave.
func (g gate) enter(ctx context.Context) bool {
	select {
	case g.places <- struct{}{}:
		return true
	default:
	}
	select {
	case g.room <- struct{}{}:
	default:
		return false
	}
	defer func() { <-g.room }()
	patience := time.NewTimer(gateWait)
	defer patience.Stop()
	select {
	case g.places <- struct{}{}:
		return true
	case <-patience.C:
	case <-ctx.Done():
	}
	return false
}

func (g gate) leave() { <-g.places }

var errFull = errors.New("too many are under way")

// letIn asks the directory about a user whom something else than a password has
// proved. The error errFull says that it was not asked.
func (h *handler) letIn(ctx context.Context, p identity.Principal) (identity.Profile, error) {
	if !h.admits.enter(ctx) {
		return identity.Profile{}, errFull
	}
	defer h.admits.leave()
	return h.users.Admit(ctx, p)
}

// busyFor is how long whoever finds a gate full is asked to stay away.
const busyFor = 2 * time.Second

// busy turns a user away whom something else than a password has proved.
func (h *handler) busy(w http.ResponseWriter, r *http.Request, began time.Time, method, user string) {
	h.tell(r, began, Entry{Method: method, Outcome: Busy, User: user})
	h.say(r, "a sign-in was not tried: too many are under way")
	retryAfter(w, busyFor)
	h.notice(w, r, http.StatusServiceUnavailable, func(w *words) string { return w.Busy }, "", visitOf(r).id)
}
