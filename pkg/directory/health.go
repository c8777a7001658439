package directory

import (
	"context"
	"regexp"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// heartbeatTimeout bounds one look at the directory.
const heartbeatTimeout = 5 * time.Second

// Run looks at the directory every Options.Heartbeat until ctx ends, and tells
// Options.State when it fares otherwise than before. It also keeps idle
// connections fresh, and returns to a better server when one is back. Nothing
// else needs it: operations open what they need.
func (c *Client) Run(ctx context.Context) error {
	for {
		err := c.look(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			c.report(false, err.Error())
		} else {
			c.report(true, c.serving())
		}
		c.returnToBetter() // connections that are always in use are never opened anew
		c.prune()
		looked := time.Now()
		timer := time.NewTimer(c.pause(err == nil))
		select {
		case <-timer.C:
		case <-c.hurry:
			timer.Reset(min(lookApart, c.o.Heartbeat) - time.Since(looked))
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// prune ends the connections that are not to be used again.
func (c *Client) prune() {
	for _, s := range c.servers.order() {
		s.prune()
	}
	c.others.prune()
}

// lookApart is the shortest time between two looks, however many logins have
// news of the directory.
const lookApart = time.Second

// news has the directory looked at soon, when an operation fared in another way
// than what was told last: whoever asks how the directory fares is not to wait
// for a look that is due in a minute.
func (c *Client) news(ok bool) {
	if c.ill.Load() != ok {
		return
	}
	select {
	case c.hurry <- struct{}{}:
	default: // it will be looked at anyway
	}
}

// pause is the time until the next look; a directory that is away is looked
// for more often, and so is a better server.
func (c *Client) pause(ok bool) time.Duration {
	if !ok {
		return min(c.o.Heartbeat, heartbeatTimeout)
	}
	if better, _ := c.servers.instead(); better != nil {
		return min(c.o.Heartbeat, c.o.ReturnAfter)
	}
	return c.o.Heartbeat
}

// ownEnd is the near end of a connection in the net package's errors. It is
// another one each time, and no news.
var ownEnd = regexp.MustCompile(`\S+:\d+->`)

// report tells State how the directory fares, if that is news.
func (c *Client) report(ok bool, detail string) {
	detail = ownEnd.ReplaceAllString(detail, "")
	c.told.Lock() // also over the call, so that the last word is the last
	defer c.told.Unlock()
	if c.told.any && c.told.ok == ok && c.told.detail == detail {
		return
	}
	c.told.any, c.told.ok, c.told.detail = true, ok, detail
	c.ill.Store(!ok)
	if c.o.State != nil {
		c.o.State(ok, detail)
	}
}

// returnToBetter looks, without anybody waiting, whether a server that is
// better than the one in use is back.
func (c *Client) returnToBetter() {
	s := c.servers.due()
	if s == nil {
		return
	}
	if !c.spawn(func() {
		cn, err := c.try(c.life, s, func(ctx context.Context, s *server) (*conn, error) { return c.dialService(ctx, s, c.bindService) })
		if err == nil {
			cn.kill()
		} else {
			c.o.Log.Debug("directory server is not back", "server", s.url, "err", err)
		}
		c.tell(c.servers.tried(s, err))
		c.prune() // what is idle at a worse server is not left there until the next look
	}) {
		c.servers.tried(s, ErrClosed)
	}
}

// look reads the base entry, as what the service account is allowed to see.
func (c *Client) look(ctx context.Context) error {
	req := ldap.NewSearchRequest(c.o.BaseDN, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false,
		c.o.HeartbeatFilter.With(""), []string{"1.1"}, nil)
	a, err := c.search(ctx, req, min(c.o.Timeout, heartbeatTimeout))
	if err == nil && a.cut != nil {
		err = a.cut
	}
	if err != nil {
		return fault("look at "+c.o.BaseDN, a.server, err)
	}
	return nil
}

// Check binds as the service account and searches below the base, on new
// connections: for an installation, and for people who want to know.
func (c *Client) Check(ctx context.Context) error {
	c.denial.forgive()
	cn, err := c.openService(ctx)
	if err != nil {
		return err
	}
	defer cn.kill()
	req := c.request(c.o.BaseDN, c.o.SearchAllFilter.With(""), 1, "1.1")
	req.TimeLimit = seconds(c.o.Timeout)
	ctx, cancel := context.WithTimeoutCause(ctx, c.o.Timeout, overdue(c.o.Timeout))
	defer cancel()
	found, err := alone(ctx, cn, func(l *ldap.Conn) (*ldap.SearchResult, error) { return l.Search(req) })
	if _, err = answered(cn, found, err); err != nil {
		return fault("search below "+c.o.BaseDN, cn.server.url, err)
	}
	return nil
}
