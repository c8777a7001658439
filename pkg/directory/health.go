package directory

import (
	"context"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// heartbeatTimeout bounds one look at the directory.
const heartbeatTimeout = 5 * time.Second

// Run looks at the directory every Options.Heartbeat until ctx ends, and tells
// Options.State when it fares otherwise than before. It also keeps idle
// connections fresh, and returns to the first server when that is back. Nothing
// else needs it: operations open what they need.
func (c *Client) Run(ctx context.Context) error {
	var ok bool
	var detail string
	for first := true; ; first = false {
		server, err := c.look(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		nowOK, nowDetail := err == nil, server
		if err != nil {
			nowDetail = err.Error()
		}
		if first || nowOK != ok || nowDetail != detail {
			ok, detail = nowOK, nowDetail
			if c.o.State != nil {
				c.o.State(ok, detail)
			}
		}
		c.returnToFirst() // connections that are always in use are never opened anew
		c.shared.prune()
		c.work.prune()
		c.binds.prune()
		timer := time.NewTimer(c.pause(ok))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// pause is the time until the next look; a directory that is away is looked
// for more often.
func (c *Client) pause(ok bool) time.Duration {
	if ok {
		return c.o.Heartbeat
	}
	return min(c.o.Heartbeat, heartbeatTimeout)
}

// look reads the base entry, as what the service account is allowed to see.
func (c *Client) look(ctx context.Context) (server string, err error) {
	req := ldap.NewSearchRequest(c.o.BaseDN, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false,
		c.o.HeartbeatFilter.With(""), []string{"1.1"}, nil)
	a, err := c.search(ctx, req, min(c.o.Timeout, heartbeatTimeout))
	if err == nil && a.cut != nil {
		err = a.cut
	}
	if err != nil {
		return a.server, fault("look at "+c.o.BaseDN, a.server, err)
	}
	return a.server, nil
}

// Check binds as the service account and searches below the base, on new
// connections: for an installation, and for people who want to know.
func (c *Client) Check(ctx context.Context) error {
	c.forgive()
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
