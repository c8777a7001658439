package directory

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// A server that shows no tokenGroups of so many users in a row is not asked for
// them again for so long: somebody may give the service account the right.
const (
	tokenMisses = 3
	retryTokens = 10 * time.Minute
)

// A tokenMemory is what was learned of the way by tokenGroups.
type tokenMemory struct {
	mu      sync.Mutex
	servers map[string]*tokenServer // by URL
	based   bool                    // GroupBaseDN is an entry
}

type tokenServer struct {
	misses int // in a row
	later  time.Time
}

// worthwhile reports whether to ask a server for tokenGroups.
func (m *tokenMemory) worthwhile(server string, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.servers[server]
	return s == nil || !now.Before(s.later)
}

// count remembers whether a server showed them.
func (m *tokenMemory) count(server string, shown bool, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.servers[server]
	switch {
	case shown:
		delete(m.servers, server)
		return
	case s == nil:
		s = &tokenServer{}
		if m.servers == nil {
			m.servers = map[string]*tokenServer{}
		}
		m.servers[server] = s
	}
	if s.misses++; s.misses >= tokenMisses {
		s.misses, s.later = 0, now.Add(retryTokens)
	}
}

// tokenGroups reads the groups of dn by way of tokenGroups (MS-ADTS, section
// 3.1.1.4.5.19), where that surely comes to the same as the default
// GroupsFilter, whose in-chain rule looks at every link of the domain. It is
// not ok where that is not sure.
//
// The attribute names all security groups, nested ones included, but neither
// distribution groups nor what these are in. So it only tells beforehand which
// groups to read, all at once; which of them count is found by following
// memberOf up from the user. That must lead to each group it names: where it
// does not (links that may not be read, or that lead through another domain),
// the server is asked to follow them.
func (c *Client) tokenGroups(ctx context.Context, dn string) (m membership, ok bool, err error) {
	for _, fresh := range []bool{false, true} {
		w, err := c.newWalk(ctx)
		if w == nil || err != nil {
			return m, false, err
		}
		w.fresh = fresh
		m, ok, err = w.tokenGroups(ctx, dn)
		if code, _, answered := result(err); answered || errors.Is(err, errTooMany) {
			if code == ldap.LDAPResultBusy || code == ldap.LDAPResultUnavailable {
				return m, false, err // the other way would be more work for it
			}
			if answered && code != ldap.LDAPResultNoSuchObject && !isCut(code) {
				c.tokens.count(m.server, false, c.o.Now())
			}
			return m, false, nil // the other way may do, or says it better
		}
		// What is remembered of groups may be older than what the server says of
		// the user.
		if ok || err != nil || !w.remembers {
			return m, ok, err
		}
	}
	return m, false, nil
}

// tokenGroups is Client.tokenGroups, by this walk.
func (w *walk) tokenGroups(ctx context.Context, dn string) (m membership, ok bool, err error) {
	c := w.c
	m.asOf, m.how = c.o.Now(), attrTokenGroups+" and "+attrMemberOf+" of "+dn
	a, err := c.readEntry(ctx, dn, attrTokenGroups, attrMemberOf, attrPrimaryGroup, attrObjectSID)
	m.server = a.server
	if err != nil || len(a.entries) == 0 {
		return m, false, err
	}
	user := a.entries[0]
	sids := user.GetEqualFoldAttributeValues(attrTokenGroups)
	if len(sids) == 0 { // nobody is without a primary group: they are not shown
		c.tokens.count(a.server, false, c.o.Now())
		return m, false, nil
	}
	direct := links(user.GetEqualFoldAttributeValues(attrMemberOf))
	primary := primarySID(user.GetEqualFoldAttributeValue(attrObjectSID), user.GetEqualFoldAttributeValue(attrPrimaryGroup))
	wanted := sids
	if primary != "" && !slices.Contains(sids, primary) { // the sandbox's, when there is no such group
		wanted = append(slices.Clip(sids), primary)
	}
	if err := w.fetch(ctx, wanted, direct); err != nil {
		return m, false, err
	}
	own, err := w.up(ctx, direct)
	if err != nil {
		return m, false, err
	}
	var ofPrimary []*groupNode
	if n := w.get(sidKey(primary)); n != nil && !n.missing {
		if ofPrimary, err = w.up(ctx, []link{n.link}); err != nil {
			return m, false, err
		}
	}
	if !w.leadsTo(sids, dnKey(user.DN), own, ofPrimary) {
		return m, false, nil
	}
	if !c.o.PrimaryGroup {
		ofPrimary = nil
	}
	m.groups = w.report(len(direct), own, ofPrimary)
	m.skipped = w.skipped(sids)
	if w.oldest.Before(m.asOf) {
		m.asOf = w.oldest
	}
	if len(m.groups) == 0 {
		err = c.checkGroupBase(ctx, w.domain)
	}
	if err == nil {
		c.tokens.count(a.server, true, c.o.Now())
	}
	return m, err == nil, err
}

// newWalk returns a walk over the groups of the domain, or nil where the way by
// tokenGroups is closed.
func (c *Client) newWalk(ctx context.Context) (*walk, error) {
	if c.o.GroupsFilter.String() != adGroupsFilter {
		return nil, nil
	}
	s, t, err := c.inUse(ctx)
	if err != nil || !t.domain || t.base == "" {
		return nil, err
	}
	if isCatalog(s.addr) || !c.tokens.worthwhile(s.url, c.o.Now()) {
		return nil, nil
	}
	domain, err := ldap.ParseDN(t.base)
	if err != nil {
		return nil, nil //nolint:nilerr // a name of a form that is not compared here
	}
	base, err := ldap.ParseDN(c.o.GroupBaseDN)
	if err != nil || !atOrBelow(domain, base) {
		return nil, nil //nolint:nilerr // likewise
	}
	return &walk{c: c, domainDN: t.base, domain: domain, base: base, known: map[string]*groupNode{}, oldest: c.o.Now()}, nil
}

// isCatalog reports whether a port is the global catalog's, which knows a part
// of each domain's links.
func isCatalog(addr string) bool {
	_, port, err := net.SplitHostPort(addr)
	return err == nil && (port == "3268" || port == "3269")
}

// atOrBelow reports whether dn is base or lies below it.
func atOrBelow(base, dn *ldap.DN) bool { return base.EqualFold(dn) || base.AncestorOfFold(dn) }

// checkGroupBase makes of a GroupBaseDN that is no entry the error that a search
// below it would be.
func (c *Client) checkGroupBase(ctx context.Context, domain *ldap.DN) error {
	c.tokens.mu.Lock()
	known := c.tokens.based
	c.tokens.mu.Unlock()
	if base, err := ldap.ParseDN(c.o.GroupBaseDN); known || err == nil && base.EqualFold(domain) {
		return nil
	}
	if _, err := c.readEntry(ctx, c.o.GroupBaseDN, noAttributes); err != nil {
		return err
	}
	c.tokens.mu.Lock()
	defer c.tokens.mu.Unlock()
	c.tokens.based = true
	return nil
}
