package hub

import (
	"slices"
	"sync"
	"time"

	"ad-ldap-connector/pkg/identity"
)

// An Answer is one command and what became of it.
type Answer struct {
	Command string           // "authenticate_user", "search_users", "list_groups" or "change_password"
	Request string           // the tenant's pid of it, made printable
	User    string           // the name asked about, made printable; "" where there is none
	Outcome string           // "accepted", "refused" or "fault"
	Reason  string           // why it was refused, or the fault's text; never a secret
	Fault   Fault            // the kind of fault
	Arrived time.Time        // when the frame did
	Took    time.Duration    // from then to the reply's departure
	Stages  []identity.Stage // those that ended; none of a command that was turned away
	Link    int              // on which it came: 1, 2, ... since the client began
	Lost    bool             // the reply found no way to the hub
}

// asked are the stages by which a server is named, the one that decides first.
var asked = []string{"bind", "set-password", "find", "search", "list-groups", "groups"}

// told are the stages in the order in which they are told: some run together.
var told = []string{"find", "search", "list-groups", "bind", "set-password", "groups", "map"}

// Server is the directory server that answered, or "".
func (a Answer) Server() string {
	for _, name := range asked {
		if i := slices.IndexFunc(a.Stages, func(s identity.Stage) bool { return s.Name == name && s.Server != "" }); i >= 0 {
			return a.Stages[i].Server
		}
	}
	return ""
}

// Progress keeps how far a command is. Its answer may have to be given while some
// are under way.
type progress struct {
	mu    sync.Mutex
	done  []identity.Stage
	doing []string
}

func (p *progress) begin(name string) (ended func(identity.Stage)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doing = append(p.doing, name)
	return func(one identity.Stage) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.done = append(p.done, one)
		if i := slices.Index(p.doing, name); i >= 0 {
			p.doing = slices.Delete(p.doing, i, i+1)
		}
	}
}

// list returns the stages that ended, as people think of them, and the names of those
// that did not. Of a command that was never worked on, p is nil.
func (p *progress) list() (done []identity.Stage, doing []string) {
	if p == nil {
		return nil, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	done = slices.Clone(p.done)
	slices.SortStableFunc(done, func(a, b identity.Stage) int { return slices.Index(told, a.Name) - slices.Index(told, b.Name) })
	return done, slices.Clone(p.doing)
}
