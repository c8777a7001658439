package doctor

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

// An album is how checks came out in the trials of this package.
type album struct {
	mu   sync.Mutex
	seen map[ID]map[Status]bool
}

var outcomes = album{seen: map[ID]map[Status]bool{}}

func (a *album) note(id ID, s Status) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.seen[id] == nil {
		a.seen[id] = map[Status]bool{}
	}
	a.seen[id][s] = true
}

// missing names the outcomes that no trial came to.
func (a *album) missing(checks []Check) (all []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range checks {
		for _, s := range []Status{Passed, Failed, Skipped} {
			if !a.seen[c.ID][s] {
				all = append(all, fmt.Sprintf("%s has no trial in which it is %s", c.ID, s))
			}
		}
	}
	return all
}

// TestMain holds each check of the catalogue to trials in which it passes,
// fails and is skipped, once all of them have been.
func TestMain(m *testing.M) {
	if otherSide() {
		return
	}
	code := m.Run()
	if all := outcomes.missing(Checks); code == 0 && whole() && len(all) > 0 {
		fmt.Fprintln(os.Stderr, "FAIL: "+strings.Join(all, "\nFAIL: "))
		code = 1
	}
	os.Exit(code)
}

// whole reports whether all tests were asked for, and to the end.
func whole() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list", "test.bench", "test.fuzz"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" {
			return false
		}
	}
	return !testing.Short()
}
