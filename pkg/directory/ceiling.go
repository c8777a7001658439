package directory

import (
	"context"
	"fmt"
	"strings"
	"time"

	"ad-ldap-connector/pkg/identity"

	"github.com/go-ldap/ldap/v3"
)

// A Ceiling asks the questions of a login one after the other, bare, on two
// connections of its own: as fast as they go, the directory is. It is what the
// speed of a Client is measured against. It is for one goroutine.
type Ceiling struct {
	c            *Client
	search, user *conn
	stop         func() bool
}

// Ceiling opens the two connections. They end with ctx, or with Close.
func (c *Client) Ceiling(ctx context.Context) (*Ceiling, error) {
	search, err := c.openService(ctx)
	if err != nil {
		return nil, err
	}
	user, err := c.openPlain(ctx)
	if err != nil {
		search.kill()
		return nil, err
	}
	m := &Ceiling{c: c, search: search, user: user}
	m.stop = context.AfterFunc(ctx, m.kill)
	return m, nil
}

// Login finds the user, tries the password and, when groups are wanted, reads
// them. Whatever is not a right password is an error, a wrong one an
// *identity.Refusal. A login that is not over within Options.Timeout and
// GroupsTimeout together ends the connections.
func (m *Ceiling) Login(username string, password identity.Password, groups bool) (err error) {
	// Bare, it has no deadline of its own for each question, but one for all.
	timer := time.AfterFunc(m.c.o.Timeout+m.c.o.GroupsTimeout, m.kill)
	defer timer.Stop()
	defer guard(&err)
	found, err := m.search.ldap.Search(m.c.request(m.c.o.BaseDN, m.c.o.UserFilter.With(username), 2, everything))
	if err != nil {
		return fault("search "+username, m.search.server.url, err)
	}
	if len(found.Entries) != 1 {
		return fmt.Errorf("%d entries match %s", len(found.Entries), username)
	}
	dn := found.Entries[0].DN
	if dn == "" { // an anonymous bind would succeed
		return fmt.Errorf("the entry that matches %s has no DN", username)
	}
	if err := m.user.ldap.Bind(dn, string(password)); err != nil {
		if refusal := refusedBind(noPolicy, err); refusal != nil {
			return refusal
		}
		return fault("bind as "+dn, m.user.server.url, err)
	}
	if !groups {
		return nil
	}
	return m.groups(dn)
}

// groups reads the groups of dn, and theirs where the Client does that too.
func (m *Ceiling) groups(dn string) error {
	nested := m.c.o.NestedGroups
	seen := map[string]bool{}
	for level := []string{dn}; len(level) > 0; {
		req := m.c.request(m.c.o.GroupBaseDN, m.c.o.GroupsFilter.any(level), 0, m.c.groupAttributes()...)
		req.DerefAliases = m.c.o.DerefAliases
		found, err := m.search.ldap.Search(req)
		if err != nil && !ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded) {
			return fault("read the groups of "+dn, m.search.server.url, err)
		}
		level = level[:0]
		for _, e := range found.Entries {
			if key := strings.ToLower(e.DN); nested && !seen[key] {
				seen[key] = true
				level = append(level, e.DN)
			}
		}
	}
	return nil
}

// Close ends the connections.
func (m *Ceiling) Close() {
	m.stop()
	m.kill()
}

func (m *Ceiling) kill() {
	m.search.kill()
	m.user.kill()
}
