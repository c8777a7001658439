package directory

import (
	"context"
	"slices"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// What a root DSE may list.
const (
	startTLSOID       = "1.3.6.1.4.1.1466.20037"
	passwordModifyOID = "1.3.6.1.4.1.4203.1.11.1" // RFC 3062
	pagingOID         = ldap.ControlTypePaging
	policyOID         = ldap.ControlTypeBeheraPasswordPolicy
	inChain           = "1.2.840.113556.1.4.1941" // LDAP_MATCHING_RULE_IN_CHAIN
)

// adGroupsFilter is the default GroupsFilter: Active Directory's.
const adGroupsFilter = "(member:" + inChain + ":={0})"

// openPlain opens a connection on which nobody is bound, outside the pools.
func (c *Client) openPlain(ctx context.Context) (*conn, error) {
	return c.inTurn(ctx, func(ctx context.Context, s *server) (*conn, error) { return c.try(ctx, s, c.dial) })
}

// openService opens a connection that is bound as the service account, outside
// the pools.
func (c *Client) openService(ctx context.Context) (*conn, error) { return c.inTurn(ctx, c.serviceAt) }

// serviceAt opens a connection to s that is bound as the service account. A look
// at whether a better server is back does not come here: that it refuses the
// account says nothing about the one in use.
func (c *Client) serviceAt(ctx context.Context, s *server) (*conn, error) {
	if err := c.denial.recent(c.o.Now()); err != nil {
		return nil, err
	}
	return c.try(ctx, s, func(ctx context.Context, s *server) (*conn, error) { return c.dialService(ctx, s, c.bindInTurn) })
}

// try opens a connection to one server, within the time that leaves others
// theirs, and for no longer than there is hope.
func (c *Client) try(ctx context.Context, s *server, dial func(context.Context, *server) (*conn, error)) (*conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, openTimeout, overdue(openTimeout))
	defer cancel()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	for _, other := range []context.Context{c.life, s.openings()} {
		defer context.AfterFunc(other, func() { end(context.Cause(other)) })()
	}
	timer := time.AfterFunc(patience, func() { c.attend(ctx, s, nil) })
	defer timer.Stop()
	return dial(ctx, s)
}

// dialService opens a connection to s that is bound as the service account, and
// learns what the server can do.
func (c *Client) dialService(ctx context.Context, s *server, bind binder) (*conn, error) {
	cn, err := c.dialBound(ctx, s, bind)
	if err != nil {
		return nil, err
	}
	if s.traits.Load() != nil {
		cn.searches.Store(true)
		return cn, nil
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
		if cn, err = c.dialBound(ctx, s, bind); err != nil {
			return nil, err
		}
	}
	s.traits.Store(t)
	cn.searches.Store(true)
	return cn, nil
}

// readTraits asks a server what it can do. Some do not say.
func readTraits(ctx context.Context, cn *conn) (*traits, error) {
	found, err := alone(ctx, cn, func(l *ldap.Conn) (*ldap.SearchResult, error) {
		return l.Search(rootDSE("supportedControl", "supportedExtension", "supportedCapabilities", "defaultNamingContext",
			"objectClass"))
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
		capabilities := e.GetEqualFoldAttributeValues("supportedCapabilities")
		t.activeDirectory = slices.Contains(capabilities, capabilityAD) || slices.Contains(capabilities, capabilityLDS)
		t.passwordModify = slices.Contains(e.GetEqualFoldAttributeValues("supportedExtension"), passwordModifyOID)
		t.storesAsGiven = slices.Contains(e.GetEqualFoldAttributeValues("objectClass"), "OpenLDAProotDSE")
		t.domain = slices.Contains(capabilities, capabilityAD)
		t.base = e.GetEqualFoldAttributeValue("defaultNamingContext")
	}
	return &t, nil
}

func rootDSE(attributes ...string) *ldap.SearchRequest {
	return ldap.NewSearchRequest("", ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, int(openTimeout/time.Second), false,
		"(objectClass=*)", attributes, nil)
}

// spawn runs f in a goroutine that Close waits for; not after Close. A panic in
// it would end the process, and is logged instead.
func (c *Client) spawn(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.wait.Go(func() {
		var err error
		defer func() {
			if err != nil {
				c.o.Log.Error("a task of the directory's broke off", "err", err)
			}
		}()
		defer guard(&err)
		f()
	})
	return true
}
