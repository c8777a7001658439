package directory

import "slices"

// An Event is something that is counted.
type Event string

// What a client tells of, in Options.Event.
const (
	ServerChanged    Event = "server_changed"    // operations moved from one server to another
	ServerFailed     Event = "server_failed"     // a server could not be used
	ConnectionOpened Event = "connection_opened" // TLS included, where there is any
	GroupsRemembered Event = "groups_remembered" // a user's groups, without asking
	GroupsAsked      Event = "groups_asked"      // a user's groups were not remembered
)

// Events are all there are.
var Events = []Event{ServerChanged, ServerFailed, ConnectionOpened, GroupsRemembered, GroupsAsked}

// A ServerUsage is how much of one server's connections is in use.
type ServerUsage struct {
	URL    string // without a user or a path
	InUse  bool   // it is the one that is asked
	Down   bool   // it could not be used when that was last tried
	Pools  []PoolUsage
	Listed int // its place in the order of preference; 0 is first
}

// A PoolUsage is how much of the connections of one kind is in use.
type PoolUsage struct {
	Name string // "search", "work" or "bind"
	Busy int    // operations under way, or waiting for a connection to open
	Most int    // of them at a time; more have to wait
	Idle int    // connections that are open and carry nothing
}

// Usage says how much of the listed servers' connections is in use. It asks
// nobody.
func (c *Client) Usage() []ServerUsage {
	ss := &c.servers
	ss.mu.Lock()
	all := slices.Clone(ss.all)
	usage := make([]ServerUsage, len(all))
	for i, s := range all {
		usage[i] = ServerUsage{URL: s.url, InUse: s == ss.current && !s.mark.down, Down: s.mark.down, Listed: i}
	}
	ss.mu.Unlock()
	for i, s := range all {
		usage[i].Pools = []PoolUsage{s.shared.usage(), s.work.usage("work"), s.binds.usage("bind")}
	}
	return usage
}

func (p *shared) usage() PoolUsage {
	u := PoolUsage{Name: "search", Busy: len(p.permits), Most: cap(p.permits)}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.slots {
		if s.load == 0 && s.open() {
			u.Idle++
		}
	}
	return u
}

func (s *slot) open() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn != nil && !s.conn.dead()
}

func (p *exclusive) usage(name string) PoolUsage {
	p.mu.Lock()
	defer p.mu.Unlock()
	return PoolUsage{Name: name, Busy: len(p.permits), Most: cap(p.permits), Idle: len(p.idle)}
}
