package console

import (
	"context"
	"slices"
	"sync"
	"time"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/doctor"
)

// classic are the four tests of the former console, in its order, by the checks
// that take their place.
var classic = []string{"directory.reach", "directory.bind", "directory.search", "network.hub"}

var classicTitles = map[string]string{
	"directory.reach": "Testing TCP connection to the directory server", "directory.bind": "Testing LDAP bind",
	"directory.search": "Querying LDAP", "network.hub": "Outbound connection to the hub",
}

// alwaysChecked is what the doctor looks at before anything is saved.
var alwaysChecked = []string{"config", "directory", "tls.directory", "account", "network.hub"}

// A checking is the doctor at work, while pages come and go.
type checking struct {
	done chan struct{}

	mu       sync.Mutex
	findings []Finding
	blocked  bool
	err      string
}

// check begins to look at a candidate.
func (c *console) check(candidate config.Config, only []string) *checking {
	return watch(func(ctx context.Context, seen func(doctor.Entry)) (bool, error) {
		return c.options.Configuration.Check(ctx, candidate, only, seen)
	})
}

func watch(run func(context.Context, func(doctor.Entry)) (bool, error)) *checking {
	k := &checking{done: make(chan struct{})}
	go func() {
		defer close(k.done)
		ctx, cancel := context.WithTimeout(context.Background(), checksTake)
		defer cancel()
		blocked, err := run(ctx, func(e doctor.Entry) {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.findings = append(k.findings, findingOf(e))
		})
		k.mu.Lock()
		defer k.mu.Unlock()
		k.blocked = blocked || err != nil
		if err != nil {
			k.err = err.Error()
		}
	}()
	return k
}

// wait returns when all is found, or after a while.
func (k *checking) wait(ctx context.Context, most time.Duration) {
	select {
	case <-k.done:
	case <-ctx.Done():
	case <-time.After(most):
	}
}

// verdict reports whether something blocks, and whether that is the last word.
func (k *checking) verdict() (blocked, ended bool) {
	select {
	case <-k.done:
	default:
		return false, false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.blocked, true
}

// A findingsPage is the template's.
type findingsPage struct {
	Draft, CSRF string

	Action, Button string // where the form leads that goes on, and its name; "": there is none
	Anyway         string // what is agreed to where something blocks
	Back           string // where the answers can be changed
	Again          string // the page itself

	Running  bool
	Blocked  bool
	Err      string
	Classic  []Finding // of the four, those that are known
	Troubles []Finding
	Passed   []Finding // and what was left out
}

func (k *checking) page(v *visit, id string) findingsPage {
	blocked, ended := k.verdict()
	k.mu.Lock()
	defer k.mu.Unlock()
	p := findingsPage{Draft: id, CSRF: v.session.token, Again: v.r.URL.Path + "?draft=" + id, Running: !ended, Blocked: blocked, Err: k.err}
	for _, id := range classic { // in their order
		for _, f := range k.findings {
			if f.ID == id {
				f.Title = classicTitles[id]
				p.Classic = append(p.Classic, f)
			}
		}
	}
	for _, f := range k.findings {
		switch {
		case slices.Contains(classic, f.ID):
		case f.Word == "failed" || f.Word == "warning":
			p.Troubles = append(p.Troubles, f)
		default:
			p.Passed = append(p.Passed, f)
		}
	}
	return p
}
