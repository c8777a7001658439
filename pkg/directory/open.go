package directory

import (
	"context"
	"slices"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// What a root DSE may list.
const (
	startTLSOID = "1.3.6.1.4.1.1466.20037"
	pagingOID   = ldap.ControlTypePaging
	policyOID   = ldap.ControlTypeBeheraPasswordPolicy
	inChain     = "1.2.840.113556.1.4.1941" // LDAP_MATCHING_RULE_IN_CHAIN
)

// openPlain opens a connection for the binds of users.
func (c *Client) openPlain(ctx context.Context) (*conn, error) { return c.open(ctx, c.dial) }

// openService opens a connection that is bound as the service account.
func (c *Client) openService(ctx context.Context) (*conn, error) {
	if err := c.recentlyDenied(); err != nil {
		return nil, err
	}
	// A look at whether the first server is back does not count: that it refuses
	// the account says nothing about the one in use.
	return c.open(ctx, func(ctx context.Context, s *server) (*conn, error) {
		cn, err := c.dialService(ctx, s)
		return cn, c.deny(err)
	})
}

// open opens a connection to the first server that can be reached, beginning
// with the one that last could.
func (c *Client) open(ctx context.Context, dial func(context.Context, *server) (*conn, error)) (*conn, error) {
	if c.servers.err != nil {
		return nil, &Error{Doing: "connect to the directory", Err: c.servers.err, hint: "set LDAP_URL to ldap://host or ldaps://host"}
	}
	c.returnToFirst()
	var failed unreachable
	for _, s := range c.servers.order() {
		cn, err := c.try(ctx, s, dial)
		if err == nil {
			if c.servers.choose(s, c.o.Now()) {
				c.o.Log.Info("directory server changed", "server", s.url)
			}
			return cn, nil
		}
		// The servers hold the same accounts: a second no would only bring the
		// account nearer to being locked. It is what the operator must know first.
		if isDenial(err) {
			failed = append(unreachable{err}, failed...)
			break
		}
		failed = append(failed, err)
		if ctx.Err() != nil {
			break
		}
	}
	if len(failed) == 1 {
		return nil, failed[0]
	}
	return nil, failed
}

// try opens a connection to one server, within the time that leaves others
// theirs.
func (c *Client) try(ctx context.Context, s *server, dial func(context.Context, *server) (*conn, error)) (*conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, openTimeout, overdue(openTimeout))
	defer cancel()
	ctx, closed := context.WithCancelCause(ctx)
	defer closed(nil)
	stop := context.AfterFunc(c.life, func() { closed(ErrClosed) })
	defer stop()
	return dial(ctx, s)
}

// dialService opens a connection to s that is bound as the service account, and
// learns what the server can do.
func (c *Client) dialService(ctx context.Context, s *server) (*conn, error) {
	cn, err := c.dialBound(ctx, s)
	if err != nil || s.traits.Load() != nil {
		return cn, err
	}
	t, err := readTraits(ctx, cn)
	if ctx.Err() != nil {
		cn.kill()
		return nil, &Error{Doing: "read the root DSE", Server: s.url, Err: context.Cause(ctx)}
	}
	if err != nil {
		// A server that hangs up on the question is not asked it again; one that
		// just then went down is, when it is back.
		cn.kill()
		if cn, err = c.dialBound(ctx, s); err != nil {
			return nil, err
		}
	}
	s.traits.Store(t)
	return cn, nil
}

// readTraits asks a server what it can do. Some do not say.
func readTraits(ctx context.Context, cn *conn) (*traits, error) {
	found, err := alone(ctx, cn, func(l *ldap.Conn) (*ldap.SearchResult, error) {
		return l.Search(rootDSE("supportedControl"))
	})
	if lost(err) || timedOut(err) {
		return &traits{}, err
	}
	var t traits
	if found == nil {
		return &t, nil
	}
	for _, e := range found.Entries {
		controls := e.GetEqualFoldAttributeValues("supportedControl")
		t.noPaging = len(controls) > 0 && !slices.Contains(controls, pagingOID)
		t.policy = slices.Contains(controls, policyOID)
	}
	return &t, nil
}

func rootDSE(attributes ...string) *ldap.SearchRequest {
	return ldap.NewSearchRequest("", ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, int(openTimeout/time.Second), false,
		"(objectClass=*)", attributes, nil)
}

// returnToFirst looks, without anybody waiting, whether the server of choice
// is back.
func (c *Client) returnToFirst() {
	s := c.servers.probe(c.o.Now())
	if s == nil {
		return
	}
	if !c.spawn(func() {
		cn, err := c.try(c.life, s, c.dialService)
		c.servers.probed(c.o.Now())
		if err != nil {
			return // the next one to open a connection tries again, a minute from now
		}
		cn.kill()
		if c.servers.choose(s, c.o.Now()) {
			c.o.Log.Info("directory server changed", "server", s.url)
		}
	}) {
		c.servers.probed(c.o.Now())
	}
}

// spawn runs f in a goroutine that Close waits for; not after Close.
func (c *Client) spawn(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.wait.Go(f)
	return true
}
