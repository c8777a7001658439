package main

import (
	"sync"
	"testing"

	"ad-ldap-connector/pkg/agent"
)

// reports keeps what a part reports.
type reports struct {
	mu   sync.Mutex
	last string
	came chan string // of each, when somebody listens
}

func (r *reports) report(s agent.State, detail string) {
	r.mu.Lock()
	r.last = string(s) + " " + detail
	r.mu.Unlock()
	if r.came != nil {
		r.came <- string(s) + " " + detail
	}
}

func (r *reports) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

// TestGroupsThatCanBeReadAgainHeal: one search that failed must not leave the
// directory degraded for ever, nor make one that is dead look better.
func TestGroupsThatCanBeReadAgainHeal(t *testing.T) {
	var r relay
	var said reports
	step := func(what, want string) {
		t.Helper()
		if got := said.String(); got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	r.set(said.report)
	r.groupsFailed("timeout")
	step("before the first look", "")
	r.watch(true, "dc1")
	step("looked at", "degraded groups could not be read: timeout")
	r.groupsRead()
	step("groups read", "ok dc1")
	r.groupsFailed("timeout")
	step("groups failed", "degraded groups could not be read: timeout")
	r.watch(false, "refused")
	step("dead", "down refused")
	r.groupsFailed("refused")
	step("groups of a dead one", "down refused")
	r.groupsRead()
	r.watch(true, "dc2")
	step("back", "ok dc2")
	r.set(nil)
	r.watch(false, "too late")
	step("ended", "ok dc2")
}
