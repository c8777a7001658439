package directory

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ad-ldap-connector/pkg/identity"

	"github.com/go-ldap/ldap/v3"
)

// How far nesting is followed. A directory beyond this has more wrong with it
// than a login can wait for.
const (
	maxGroups  = 10_000
	maxLevels  = 32
	groupBatch = 50 // groups that one search asks about
)

// Groups returns the groups of user, each once: those GroupsFilter finds for
// its DN; with NestedGroups also those it finds for theirs; with PrimaryGroup
// also the primary group, and those of that one. A part of them is never an
// answer.
//
// The order is the server's where one search finds them all. Of several
// searches the groups come level by level, the primary group's last. Where they
// were read by way of tokenGroups, the direct groups come in the order of
// memberOf, then the primary group, then all others in order of their DNs.
func (c *Client) Groups(ctx context.Context, user *identity.Entry) ([]identity.Group, error) {
	if other := c.places.of(user.DN); other != nil { // who holds the user knows the groups
		return other.Groups(ctx, user)
	}
	m, err := c.groups.get(ctx, user.DN, func(ctx context.Context) (membership, error) {
		return c.readGroups(ctx, user)
	})
	if m.cached {
		c.o.Event(GroupsRemembered)
	} else {
		c.o.Event(GroupsAsked)
	}
	if identity.Traced(ctx) {
		identity.Note(ctx, m.server, c.membershipNoted(user.DN, m))
	}
	if err != nil {
		return nil, fault("read the groups of "+user.DN, m.server, err)
	}
	return m.groups, nil
}

// membershipNoted says how the groups of dn came about.
func (c *Client) membershipNoted(dn string, m membership) string {
	how := m.how
	if how == "" {
		how = c.o.GroupsFilter.With(dn)
	}
	detail := noted(how, c.o.GroupBaseDN, len(m.groups))
	if m.skipped > 0 {
		detail += fmt.Sprintf(", %d that are not here skipped", m.skipped)
	}
	if m.cached {
		detail += ", remembered"
	}
	return detail
}

// ListGroups returns the groups that ListGroupsFilter finds below BaseDN, at
// most limit when it is above 0.
func (c *Client) ListGroups(ctx context.Context, limit int) ([]identity.Group, error) {
	req := c.request(c.o.BaseDN, c.o.ListGroupsFilter.With(""), 0, c.groupAttributes()...)
	found, err := c.list(ctx, req, limit)
	if err != nil {
		return nil, err
	}
	all := newUnion(len(found))
	for _, e := range found {
		if all.isNew(dnKey(e.DN)) {
			all.add(c.group(e))
		}
	}
	return all.groups, nil
}

// readGroups asks the directory for the groups of user.
func (c *Client) readGroups(ctx context.Context, user *identity.Entry) (membership, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.o.GroupsTimeout, overdue(c.o.GroupsTimeout))
	defer cancel()
	m, ok, err := c.tokenGroups(ctx, user.DN)
	if ok || err != nil {
		return m, err
	}
	primary, err := c.primaryGroup(ctx, user)
	if err != nil {
		return membership{}, err
	}
	if primary == "" {
		return c.readLevels(ctx, c.o.GroupsFilter.With(user.DN))
	}
	var parts [2]membership
	err = parallel(ctx, len(parts), func(ctx context.Context, i int) error {
		var err error
		if i == 0 {
			parts[i], err = c.readLevels(ctx, c.o.GroupsFilter.With(user.DN))
		} else {
			parts[i], err = c.primaryGroups(ctx, primary)
		}
		return err
	})
	if err != nil {
		return membership{server: parts[0].server}, err
	}
	all := newUnion(len(parts[0].groups) + len(parts[1].groups))
	for _, part := range parts {
		for _, g := range part.groups {
			if all.isNew(dnKey(g.DN)) {
				all.add(g, true)
			}
		}
	}
	m = parts[0]
	m.groups, m.asOf = all.groups, parts[1].asOf
	return m, nil
}

// readLevels returns the groups that filter finds and, where nesting is
// followed here, those they are in, and so on. Servers that nest memberOf (389
// Directory Server's plug-in, OpenLDAP's dynlist, FreeIPA) are asked no less:
// what of it their configuration leaves out cannot be seen from outside.
func (c *Client) readLevels(ctx context.Context, filter string) (membership, error) {
	m := membership{asOf: c.o.Now()}
	all := newUnion(0)
	level := []string{filter}
	for depth := 0; len(level) > 0; depth++ {
		if depth > maxLevels {
			return m, fmt.Errorf("groups are nested more than %d levels deep", maxLevels)
		}
		next, server, err := c.readLevel(ctx, level, all)
		m.server = server
		if err != nil {
			return m, err
		}
		if !c.nests() {
			break
		}
		level = level[:0]
		for batch := range slices.Chunk(next, groupBatch) {
			level = append(level, c.o.GroupsFilter.any(batch))
		}
	}
	m.groups = all.groups
	return m, nil
}

// nests reports whether nesting is followed here. A filter with the in-chain
// rule finds every level at once.
func (c *Client) nests() bool {
	return c.o.NestedGroups && c.o.GroupsFilter.Places() > 0 && !strings.Contains(c.o.GroupsFilter.String(), inChain)
}

// readLevel adds the groups that the filters find to all, and returns the DNs
// of those not seen before.
func (c *Client) readLevel(ctx context.Context, filters []string, all *union) (next []string, server string, err error) {
	// A few at a time, so that a hundred thousand groups are not read before
	// they are found to be too many.
	for some := range slices.Chunk(filters, atOnce) {
		answers := make([]answer, len(some))
		err := parallel(ctx, len(some), func(ctx context.Context, i int) error {
			var err error
			answers[i], err = c.searchGroups(ctx, c.o.GroupBaseDN, some[i], c.groupAttributes())
			return err
		})
		for _, a := range answers {
			if a.server != "" {
				server = a.server
			}
		}
		if err != nil {
			return nil, server, err
		}
		for _, a := range answers {
			for _, e := range a.entries {
				if all.isNew(dnKey(e.DN)) {
					next = append(next, e.DN)
					all.add(c.group(e))
				}
			}
		}
		if len(all.seen) > maxGroups {
			return nil, server, errTooMany
		}
	}
	return next, server, nil
}

var errTooMany = fmt.Errorf("more than %d groups", maxGroups)

// searchGroups runs one search for groups. Few users are in more groups than a
// server gives at once, so that is asked first; who is gets them in pages.
func (c *Client) searchGroups(ctx context.Context, base, filter string, attributes []string) (answer, error) {
	req := c.request(base, filter, 0, attributes...)
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
	if err == nil {
		err = c.complete(ctx, a.server, a.entries, c.o.GroupsTimeout)
	}
	return a, err
}

// A union is groups, each once.
type union struct {
	groups []identity.Group // never nil: no groups are an answer, too
	seen   map[string]bool
}

func newUnion(n int) *union {
	return &union{groups: make([]identity.Group, 0, n), seen: make(map[string]bool, n)}
}

// isNew reports whether the dnKey of a group was not seen before. From then on
// it was.
func (u *union) isNew(key string) bool {
	if u.seen[key] {
		return false
	}
	u.seen[key] = true
	return true
}

// add adds a group; not one of which there is nothing to say.
func (u *union) add(g identity.Group, ok bool) {
	if ok {
		u.groups = append(u.groups, g)
	}
}
