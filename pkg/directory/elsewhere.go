package directory

import (
	"context"
	"errors"
	"sync"
	"time"
)

// How much is kept of other servers.
const (
	maxOthers = 64   // clients of them
	maxPlaces = 4096 // entries found there, twice as many at the most
	maxTold   = 256  // references that were logged
)

// others are the clients of servers that references led to, each for one base.
// They have the main client's account, its rules for TLS and its habits.
type others struct {
	mu     sync.Mutex
	all    map[string]*other
	denied map[string]*denial // by the URL of the server
	closed bool
}

// restFor is how long a server is not asked again that could not be: nobody is
// to wait for it at each login of a user of somewhere else.
const restFor = 30 * time.Second

type other struct {
	client *Client
	rests  time.Time // until then
	why    error
}

func (o *others) get(c *Client, r reference) (*Client, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	known := o.all[r.place()]
	switch {
	case o.closed:
		return nil, ErrClosed
	case known != nil && c.o.Now().Before(known.rests):
		return nil, known.why
	case known != nil:
		return known.client, nil
	case len(o.all) >= maxOthers:
		return nil, errors.New("the directory refers to too many places")
	}
	options := c.o
	options.URLs, options.ReferralHosts, options.State = []string{r.url}, nil, nil
	options.BaseDN, options.GroupBaseDN = r.base, r.base
	if o.all == nil {
		o.all = map[string]*other{}
	}
	if o.denied[r.url] == nil {
		if o.denied == nil {
			o.denied = map[string]*denial{}
		}
		o.denied[r.url] = newDenial()
	}
	fresh := &other{client: newClient(options, o.denied[r.url])}
	o.all[r.place()] = fresh
	return fresh.client, nil
}

// failed tells that a server could not be asked.
func (o *others) failed(c *Client, r reference, why error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if known := o.all[r.place()]; known != nil && !errors.Is(why, context.Canceled) {
		known.rests, known.why = c.o.Now().Add(restFor), why
	}
}

// close closes them all, and lets no new one come.
func (o *others) close() {
	o.mu.Lock()
	o.closed = true
	all := o.all
	o.all = nil
	o.mu.Unlock()
	for _, known := range all {
		_ = known.client.Close() // returns nil
	}
}

// prune ends idle connections to them.
func (o *others) prune() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, known := range o.all {
		for _, s := range known.client.servers.order() {
			s.prune()
		}
	}
}

// places remember which entries were found at another server: who binds as one
// of them, sets its password or asks for its groups must do it there. They are
// kept in two halves, of which the older is dropped when the younger is full.
type places struct {
	mu         sync.Mutex
	young, old map[string]*Client
}

func (p *places) remember(dn string, at *Client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.young == nil || len(p.young) >= maxPlaces {
		p.young, p.old = map[string]*Client{}, p.young
	}
	p.young[lower(dn)] = at
}

func (p *places) forget(dn string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.young, lower(dn))
	delete(p.old, lower(dn))
}

// of returns the client of the server that holds dn, or nil when that is one of
// the directory's own.
func (p *places) of(dn string) *Client {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.young) == 0 && len(p.old) == 0 {
		return nil
	}
	key := lower(dn)
	if at := p.young[key]; at != nil {
		return at
	}
	return p.old[key]
}

// told are the references about which something was logged.
type told struct {
	mu  sync.Mutex
	all map[string]bool
}

// ignored logs something once about each subject.
func (c *Client) ignored(subject, message string, args ...any) {
	subject = clean(subject) // a server's, of any length
	c.refs.mu.Lock()
	first := !c.refs.all[subject] && len(c.refs.all) < maxTold
	if first {
		if c.refs.all == nil {
			c.refs.all = map[string]bool{}
		}
		c.refs.all[subject] = true
	}
	c.refs.mu.Unlock()
	if first {
		c.o.Log.Info(message, args...)
	}
}

// referred returns the client of the listed server to which the outcome of an
// operation on dn refers, with the entry's name there; nil when it refers to
// none.
func (c *Client) referred(err error, dn string, from *server) (*Client, string) {
	refs, away := referrals(err)
	if !away {
		return nil, ""
	}
	for _, r := range c.followed(refs, from, 1) {
		there := dn
		if r.base != "" {
			there = r.base
		}
		r.base = c.o.BaseDN
		if other, err := c.others.get(c, r); err == nil {
			return other, there
		}
	}
	return nil, ""
}
