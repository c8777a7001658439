package directory

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// A desk hands out connections of one kind, at the server in use or, when that
// does not work, at the next one that does.
type desk struct {
	c    *Client
	pool func(*server) pool
}

// A pool keeps the connections of one kind to one server.
type pool interface {
	// get returns a connection that was opened after the first so many. Whoever
	// calls it calls put.
	get(ctx context.Context, after uint64) (*conn, error)
	// put gives the connection back, with what the operation on it came to.
	put(cn *conn, err error, now time.Time)
}

func (d desk) get(ctx context.Context, after uint64) (*conn, error) {
	return d.c.inTurn(ctx, func(ctx context.Context, s *server) (*conn, error) { return d.pool(s).get(ctx, after) })
}

func (d desk) put(cn *conn, err error, now time.Time) {
	d.pool(cn.server).put(cn, err, now)
	if declines(err) {
		d.c.giveUp(cn.server, err)
	}
}

// Operations that are safe to repeat are, this often and after these pauses.
const (
	maxTries   = 4
	firstPause = 100 * time.Millisecond
)

// again reports whether an operation that ended with err is to be tried once
// more, on a connection opened after the first so many. It waits a moment where
// a server must be given one. The first try has number 0.
func (c *Client) again(ctx context.Context, cn *conn, err error, try int) (after uint64, ok bool) {
	if !lost(err) && !declines(err) || try+1 >= maxTries || ctx.Err() != nil || c.life.Err() != nil {
		return 0, false
	}
	if lost(err) {
		c.verify(cn.server)
	}
	if try > 0 || declines(err) && c.servers.avoided(cn.server) == nil {
		select {
		case <-time.After(firstPause << try):
		case <-ctx.Done():
			return 0, false
		case <-c.life.Done():
			return 0, false
		}
	}
	// All connections of a server that went away may be dead. One that many
	// share shows that by itself, and each who tried it would open another.
	if cn.slot != nil {
		return cn.seq, true
	}
	return c.newest(), true
}

// declines reports whether a server answered that it does no work at present:
// that it is busy, or going down. Nothing was done, and another server may do
// it. A wrong password is wrong whatever else the text says: it may name the
// user.
func declines(err error) bool {
	code, message, ok := result(err)
	switch {
	case !ok, code == ldap.LDAPResultInvalidCredentials:
		return false
	case code == ldap.LDAPResultBusy, code == ldap.LDAPResultUnavailable:
		return true
	}
	message = strings.ToLower(message)
	return strings.Contains(message, "shutting down") || strings.Contains(message, "shutdown in progress")
}

// inTurn has do open or find a connection at one server after the other until
// it can.
func (c *Client) inTurn(ctx context.Context, do func(context.Context, *server) (*conn, error)) (*conn, error) {
	if err := c.roster.ready(ctx, c); err != nil {
		return nil, err
	}
	c.returnToBetter()
	order := c.servers.order()
	cn, failed := c.first(ctx, order, do)
	if cn != nil {
		return cn, nil
	}
	// Perhaps other servers hold the directory by now.
	if ctx.Err() == nil && !isDenial(failed[0]) && c.roster.again(ctx, c) {
		fresh := slices.DeleteFunc(c.servers.order(), func(s *server) bool { return slices.Contains(order, s) })
		cn, more := c.first(ctx, fresh, do)
		if cn != nil {
			return cn, nil
		}
		failed = append(failed, more...)
	}
	switch len(failed) {
	case 0: // all were passed over until the caller's patience ended
		return nil, context.Cause(ctx)
	case 1:
		return nil, failed[0]
	}
	return nil, failed
}

// first returns the connection of the first server that has one, or why none
// has. A server that was passed over has its turn when there is no other.
func (c *Client) first(ctx context.Context, order []*server, do func(context.Context, *server) (*conn, error)) (*conn, unreachable) {
	var all, over unreachable
	order = slices.Clone(order)
	for range maxTries {
		cn, failed, passed := c.round(ctx, order, do)
		if all = append(all, failed...); cn != nil || len(passed) == 0 || ctx.Err() != nil {
			return cn, all
		}
		over = over[:0]
		order = slices.DeleteFunc(order, func(s *server) bool { return passed[s] == nil })
		for _, s := range order {
			over = append(over, passed[s])
		}
	}
	return nil, append(all, over...)
}

func (c *Client) round(ctx context.Context, order []*server, do func(context.Context, *server) (*conn, error)) (cn *conn, failed unreachable, passed map[*server]error) {
	passed = map[*server]error{}
	for _, s := range order {
		cn, err := do(ctx, s)
		if err == nil {
			c.tell(c.servers.works(s))
			c.news(true)
			return cn, nil, nil
		}
		// The servers hold the same accounts: a second no would only bring the
		// account nearer to being locked. It is what the operator must know first.
		if isDenial(err) {
			return nil, append(unreachable{err}, failed...), nil
		}
		var skipped *passedOver
		if errors.As(err, &skipped) {
			passed[s] = err // somebody else has just found that it does not work
			continue
		}
		failed = append(failed, err)
		if ctx.Err() != nil || errors.Is(err, ErrClosed) { // which says nothing about the server
			break
		}
		c.giveUp(s, err)
	}
	return nil, failed, passed
}

// giveUp lets no new operation wait for a server that cannot be used. What is
// under way there may still come to an end.
func (c *Client) giveUp(s *server, why error) {
	c.servers.fails(s, why)
	c.o.Event(ServerFailed)
	c.news(false)
	if why := c.servers.avoided(s); why != nil {
		s.abandon(why)
	}
}

// tell logs and reports a change of the server in use, and lets go of the
// connections to the former one.
func (c *Client) tell(ch change, changed bool) {
	if !changed {
		return
	}
	if ch.from != nil {
		c.o.Event(ServerChanged)
		why := "it is preferred"
		if ch.why != nil {
			why = describe(ch.why)
		}
		c.o.Log.Info("directory server changed", "server", ch.to.url, "from", ch.from.url, "why", why)
		ch.from.prune()
	}
	c.report(true, c.serving())
}

// serving says which server answers, and why not a better one.
func (c *Client) serving() string {
	s := c.servers.order()[0]
	if first, why := c.servers.instead(); first != nil {
		return s.url + " instead of " + first.url + ": " + describe(why)
	}
	return s.url
}
