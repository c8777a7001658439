package directory

import (
	"context"
	"fmt"
	"strings"

	"ad-ldap-connector/pkg/identity"

	"github.com/go-ldap/ldap/v3"
)

// How far nesting is followed. A directory beyond this has more wrong with it
// than a login can wait for.
const (
	maxGroups  = 10_000
	maxLevels  = 32
	groupBatch = 50 // groups whose parents one search finds
)

// Groups returns the groups of user: those GroupsFilter finds for its DN and,
// with NestedGroups, those it finds for theirs, each once, in the server's
// order. A part of them is never an answer.
func (c *Client) Groups(ctx context.Context, user *identity.Entry) ([]identity.Group, error) {
	m, err := c.groups.get(ctx, user.DN, func(ctx context.Context) (membership, error) {
		return c.readGroups(ctx, user.DN)
	})
	if identity.Traced(ctx) {
		detail := noted(c.o.GroupsFilter.With(user.DN), c.o.GroupBaseDN, len(m.groups))
		if m.cached {
			detail += ", remembered"
		}
		identity.Note(ctx, m.server, detail)
	}
	if err != nil {
		return nil, fault("read the groups of "+user.DN, m.server, err)
	}
	return m.groups, nil
}

// ListGroups returns the groups that ListGroupsFilter finds below BaseDN, at
// most limit when it is above 0.
func (c *Client) ListGroups(ctx context.Context, limit int) ([]identity.Group, error) {
	req := c.request(c.o.BaseDN, c.o.ListGroupsFilter.With(""), 0, c.groupAttributes()...)
	found, err := c.list(ctx, req, limit)
	if err != nil {
		return nil, err
	}
	groups := make([]identity.Group, 0, len(found))
	for _, e := range found {
		if g, ok := c.group(e); ok {
			groups = append(groups, g)
		}
	}
	return groups, nil
}

// readGroups asks the directory for the groups of dn.
func (c *Client) readGroups(ctx context.Context, dn string) (membership, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.o.GroupsTimeout, overdue(c.o.GroupsTimeout))
	defer cancel()
	m := membership{groups: []identity.Group{}}
	seen := map[string]bool{}
	// A filter with the in-chain rule finds every level at once.
	nested := c.o.NestedGroups && c.o.GroupsFilter.Places() > 0 && !strings.Contains(c.o.GroupsFilter.String(), inChain)
	level := []string{dn}
	for depth := 0; len(level) > 0; depth++ {
		if depth > maxLevels {
			return m, fmt.Errorf("groups are nested more than %d levels deep", maxLevels)
		}
		next, err := c.readLevel(ctx, level, seen, &m)
		if err != nil {
			return m, err
		}
		if !nested {
			break
		}
		level = next
	}
	return m, nil
}

// readLevel adds the groups that hold any of dns, and returns the DNs of those
// not seen before.
func (c *Client) readLevel(ctx context.Context, dns []string, seen map[string]bool, m *membership) ([]string, error) {
	var next []string
	for len(dns) > 0 {
		batch := dns[:min(groupBatch, len(dns))]
		dns = dns[len(batch):]
		a, err := c.searchGroups(ctx, c.o.GroupsFilter.any(batch))
		m.server = a.server
		if err != nil {
			return nil, err
		}
		for _, e := range a.entries {
			if key := strings.ToLower(e.DN); !seen[key] {
				seen[key] = true
				next = append(next, e.DN)
				if g, ok := c.group(e); ok {
					m.groups = append(m.groups, g)
				}
			}
		}
		if len(seen) > maxGroups {
			return nil, fmt.Errorf("more than %d groups", maxGroups)
		}
	}
	return next, nil
}

// searchGroups runs one search for groups. Few users are in more groups than a
// server gives at once, so that is asked first; who is gets them in pages.
func (c *Client) searchGroups(ctx context.Context, filter string) (answer, error) {
	req := c.request(c.o.GroupBaseDN, filter, 0, c.groupAttributes()...)
	req.DerefAliases = c.o.DerefAliases
	a, err := c.search(ctx, req, c.o.GroupsTimeout)
	if code, _, _ := result(a.cut); err == nil && (code == ldap.LDAPResultSizeLimitExceeded || code == ldap.LDAPResultAdminLimitExceeded) {
		a, err = c.searchPages(ctx, req, c.o.GroupsTimeout, 0)
	}
	if err == nil && a.cut != nil {
		err = a.cut
	}
	if code, _, ok := result(err); ok && (code == ldap.LDAPResultSizeLimitExceeded || code == ldap.LDAPResultAdminLimitExceeded) {
		err = &Error{Doing: "read all groups", Server: a.server, Err: err,
			hint: "raise the server's size limit for the service account"}
	}
	return a, err
}
