package directory

import (
	"context"
	"errors"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// How long an operation waits until somebody looks why. A server that is slow
// answers something else meanwhile, or the question what it is; one that hangs
// answers nothing.
const (
	patience    = time.Second     // for a first answer, and for one to each question of the look
	linkSilence = 4 * time.Second // of a connection whose server is well
	bindSilence = 8 * time.Second // likewise, where a password is tried, which may count twice
)

// errUnlisted is why a server is left that works.
var errUnlisted = errors.New("it is not among the directory's servers any more")

// attend stands by an operation at s that has not been answered for patience,
// until ctx ends with it. It ends the connections of a server that hangs, when
// there is another, and a connection that is dead while its server is not.
// A cn that is nil is being opened.
func (c *Client) attend(ctx context.Context, s *server, cn *conn) {
	began := time.Now().Add(-patience)
	c.spawn(func() {
		for {
			wait := c.attendServer(s)
			if cn != nil && ctx.Err() == nil && c.isDeadLink(ctx, cn, began) {
				cn.kill()
				return
			}
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return
			}
		}
	})
}

// attendServer gives up a server that hangs, when there is another. It returns
// when to look again: a server that was heard a moment ago may hang now.
func (c *Client) attendServer(s *server) time.Duration {
	if !c.servers.elsewhere(s) {
		return patience
	}
	s.asked <- struct{}{} // whoever holds it lets go soon
	defer func() { <-s.asked }()
	if c.servers.avoided(s) == nil {
		if silence := s.silence(); silence < patience {
			return patience - silence
		}
		why := c.ask(s)
		if why == nil || c.life.Err() != nil {
			return patience
		}
		c.giveUp(s, why)
	}
	c.killAll(s)
	return patience
}

// verify gives up a server that has just lost a connection and cannot be asked
// anything either, when there is another: what stands before a server may take
// connections and end them, and a bind is repeated only once.
func (c *Client) verify(s *server) {
	lost := time.Now()
	if !c.servers.several() {
		return
	}
	s.asked <- struct{}{} // whoever holds it lets go soon
	defer func() { <-s.asked }()
	if c.servers.avoided(s) != nil || s.proved.After(lost) {
		return
	}
	if err := c.ask(s); err != nil && c.life.Err() == nil {
		c.giveUp(s, err)
	}
}

// ask asks the server, on a new connection, what anybody may ask. Any answer
// is a sign of life, but that it goes down. It takes no part in what others
// wait for: their time may be shorter than its own. Whoever calls it holds
// s.asked.
func (c *Client) ask(s *server) error {
	asked := time.Now()
	ctx, cancel := context.WithTimeoutCause(c.life, openTimeout, overdue(openTimeout))
	defer cancel()
	cn, err := c.connect(ctx, s, patience)
	if err != nil {
		return err
	}
	defer cn.kill()
	cn.watch = nil // this is the watch
	_, err = alone(ctx, cn, func(l *ldap.Conn) (*ldap.SearchResult, error) { return l.Search(rootDSE("1.1")) })
	if lost(err) || timedOut(err) || declines(err) {
		return &Error{Doing: "ask for a sign of life", Server: s.url, Err: err}
	}
	s.proved = asked
	return nil
}

// killAll ends all that is under way at a server.
func (c *Client) killAll(s *server) {
	c.mu.Lock()
	var all []*conn
	for cn := range c.conns {
		if cn.server == s {
			all = append(all, cn)
		}
	}
	c.mu.Unlock()
	for _, cn := range all {
		cn.kill()
	}
}

// isDeadLink reports whether a connection is dead, though its server may be
// well: a firewall has forgotten it, say. A connection that was opened for the
// operation is not, for the operation may be a repetition.
func (c *Client) isDeadLink(ctx context.Context, cn *conn, began time.Time) bool {
	since := cn.wire.heard.time()
	if since.Before(began) {
		since = began
	}
	silence := time.Since(since)
	if silence < linkSilence || began.Sub(cn.opened) < patience {
		return false
	}
	if !cn.searches.Load() { // nothing may be asked during a bind (RFC 4511, section 4.2.1)
		return silence >= bindSilence
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, overdue(patience))
	defer cancel()
	_, err := meanwhile(ctx, cn, func(l *ldap.Conn) (*ldap.SearchResult, error) { return l.Search(rootDSE("1.1")) })
	return errors.Is(err, context.DeadlineExceeded) && time.Since(cn.wire.heard.time()) >= patience
}
