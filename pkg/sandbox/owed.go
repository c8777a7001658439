package sandbox

import "time"

// maxOwed bounds how many answers are kept account of: agents may die by the
// thousand.
const maxOwed = 100_000

// A cloudMessage is a frame for an agent, and the name of the answer to it, ""
// if there is none.
type cloudMessage struct {
	frame  []byte
	answer string
}

// An owing is a command that an agent was sent.
type owing struct {
	by *cloudLink
	at time.Time
}

// UnansweredOf is Unanswered, of the commands that were written between two
// moments.
func (c *Cloud) UnansweredOf(from, to time.Time) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.owed {
		if !o.at.Before(from) && o.at.Before(to) {
			n++
		}
	}
	return n
}

// Unanswered is how many commands were written to an agent that nobody has
// answered until now, whatever became of the requests: one that was given up
// on, and asked again of somebody else, counts too. An agent may have them at
// work.
func (c *Cloud) Unanswered() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.owed)
}

// owe notes that the link is about to be asked for the answer of that name.
func (c *Cloud) owe(answer string, l *cloudLink) {
	if answer == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.owed) < maxOwed {
		c.owed[answer] = owing{l, time.Now()}
	}
}

// settle notes that the answer of that name came on a link, and returns the one
// that was asked for it: the same, or another of its connection.
func (c *Cloud) settle(answer string, on *cloudLink) *cloudLink {
	c.mu.Lock()
	defer c.mu.Unlock()
	asked, ok := c.owed[answer]
	if !ok || asked.by.agent.Connection != on.agent.Connection {
		return on
	}
	delete(c.owed, answer)
	c.tell()
	return asked.by
}
