package sandbox

import (
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// An Agent is one link to the hub that has proved which connection it serves.
// An agent that reconnects is a new one.
type Agent struct {
	ID         string    // "a1", "a2", ... in the order they came
	Connection string    // the name of the connection it serves
	Remote     string    // its address
	Since      time.Time // when it was accepted, by the machine's clock
	Thumbprint string    // SHA-1, lower-case hex, of the certificate it proved to hold
	Version    string    // what the latest registration for the connection said
	Asked      int       // requests sent to it
	Answered   int       // answers that came in time
	// LastLatency is how long its latest answer took; 0 before the first.
	LastLatency time.Duration
}

// Agents are the agents that are connected, in the order they came.
func (c *Cloud) Agents() []Agent {
	c.mu.Lock()
	defer c.mu.Unlock()
	agents := make([]Agent, 0, len(c.links))
	for _, l := range c.links {
		agents = append(agents, l.agent)
	}
	return agents
}

// Changed returns a channel that is closed when next an agent comes, goes, is
// asked or answers. Take it before looking at Agents, to miss nothing.
func (c *Cloud) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

// tell wakes all who wait for Changed. The caller holds c.mu.
func (c *Cloud) tell() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// RefuseAgents has the hub reject all agents that come from now on, until it is
// told otherwise. Those that are there stay.
func (c *Cloud) RefuseAgents(refuse bool) { c.refuses.Store(refuse) }

// DropAgents closes all links, as a tenant's node that goes away does (close
// code 1001), and returns when they are gone. Agents may come back at once.
func (c *Cloud) DropAgents() {
	c.mu.Lock()
	links := slices.Clone(c.links)
	c.mu.Unlock()
	var gone sync.WaitGroup
	for _, l := range links {
		gone.Go(func() {
			l.end(websocket.StatusGoingAway, "the hub goes away")
			<-l.gone
		})
	}
	gone.Wait()
}

func (c *Cloud) list() []*cloudConnection {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.connections
}

// next takes the link that has waited longest for its turn, among those of a
// connection that were not asked yet, and counts how many such there are
// besides it. (Positions in a list would give some agents two turns and others
// none when one leaves.)
func (c *Cloud) next(connection string, asked map[*cloudLink]string) (chosen *cloudLink, others int, live bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.links {
		if l.agent.Connection != connection {
			continue
		}
		live = true
		if _, was := asked[l]; was {
			continue
		}
		if others++; chosen == nil || l.turn < chosen.turn {
			chosen = l
		}
	}
	if chosen != nil {
		others--
		c.asks++
		chosen.turn = c.asks
	}
	return chosen, others, live
}
