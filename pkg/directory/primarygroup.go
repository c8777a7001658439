package directory

import (
	"context"
	"encoding/binary"
	"strconv"
	"strings"

	"ad-ldap-connector/pkg/identity"

	"github.com/go-ldap/ldap/v3"
)

// What Active Directory tells of identity and membership (MS-ADA1, MS-ADA3).
const (
	attrMember       = "member"
	attrMemberOf     = "memberOf"
	attrObjectSID    = "objectSid"
	attrPrimaryGroup = "primaryGroupID"
	attrTokenGroups  = "tokenGroups"
	attrDN           = "distinguishedName"
)

var bySID = must("(" + attrObjectSID + "={0})")

// primaryGroup returns the SID of the user's primary group, as octets; "" when
// it has none, or is not to count.
func (c *Client) primaryGroup(ctx context.Context, user *identity.Entry) (string, error) {
	if !c.o.PrimaryGroup || c.o.GroupsFilter.Places() == 0 {
		return "", nil
	}
	_, t, err := c.inUse(ctx)
	if err != nil || !t.domain {
		return "", err
	}
	own, rid := user.Value(attrObjectSID), user.Value(attrPrimaryGroup)
	if own == "" { // the entry is not one that Find has read
		a, err := c.readEntry(ctx, user.DN, attrObjectSID, attrPrimaryGroup)
		if code, _, _ := result(err); code == ldap.LDAPResultNoSuchObject {
			return "", nil
		}
		if err != nil || len(a.entries) == 0 {
			return "", err
		}
		e := entry(a.entries[0])
		own, rid = e.Value(attrObjectSID), e.Value(attrPrimaryGroup)
	}
	b, ok := sidOctets(own)
	if !ok {
		return "", nil
	}
	return primarySID(b, rid), nil
}

// primarySID returns the SID of the group that rid means in the domain of the
// account own: both differ in the last sub-authority only.
func primarySID(own, rid string) string {
	n, err := strconv.ParseUint(rid, 10, 32)
	if err != nil || len(own) < 12 {
		return ""
	}
	return own[:len(own)-4] + string(binary.LittleEndian.AppendUint32(nil, uint32(n)))
}

// primaryGroups returns the primary group of that SID and the groups it is in.
// Most users share one, so it is remembered as users' groups are.
func (c *Client) primaryGroups(ctx context.Context, sid string) (membership, error) {
	// A DN has a "=", this key has none.
	return c.groups.get(ctx, "primary group "+sidText(sid), func(ctx context.Context) (membership, error) {
		_, t, err := c.inUse(ctx)
		if err != nil {
			return membership{}, err
		}
		base := t.base
		if base == "" {
			base = c.o.BaseDN
		}
		began := c.o.Now()
		// It need not lie below GroupBaseDN for its own groups to do so.
		a, err := c.search(ctx, c.request(base, bySID.With(sid), 2, noAttributes), c.o.GroupsTimeout)
		if err == nil && a.cut != nil {
			err = a.cut
		}
		if err != nil || len(a.entries) == 0 {
			return membership{server: a.server, asOf: began}, err
		}
		// The group itself, if the filter lets through a group of that kind, and
		// the groups it is in.
		m, err := c.readLevels(ctx, "(|"+c.o.GroupsFilter.instead(bySID.With(sid))+c.o.GroupsFilter.With(a.entries[0].DN)+")")
		m.asOf = began
		return m, err
	})
}

// instead returns the filter with item in place of each assertion that takes
// the value: what of the filter asks for a member asks for something else.
func (f Filter) instead(item string) string {
	var b strings.Builder
	for i, part := range f.parts {
		if i > 0 { // up to the end of the assertion; parentheses in values are escaped
			_, part, _ = strings.Cut(part, ")")
		}
		if i < len(f.parts)-1 { // up to its beginning
			start := strings.LastIndexByte(part, '(')
			if start < 0 { // {0} twice in one assertion
				continue
			}
			part = part[:start]
			b.WriteString(part)
			b.WriteString(item)
			continue
		}
		b.WriteString(part)
	}
	return b.String()
}

// inUse returns the server in use and what it can do, which a connection bound
// as the service account learns.
func (c *Client) inUse(ctx context.Context) (*server, *traits, error) {
	c.servers.mu.Lock()
	s := c.servers.current
	c.servers.mu.Unlock()
	if s != nil {
		if t := s.traits.Load(); t != nil {
			return s, t, nil
		}
	}
	cn, err := c.shared.get(ctx, 0)
	if err != nil {
		return nil, nil, err
	}
	c.shared.put(cn, nil, c.o.Now())
	t := cn.server.traits.Load()
	if t == nil {
		t = &traits{}
	}
	return cn.server, t, nil
}

// readEntry reads attributes of one entry.
func (c *Client) readEntry(ctx context.Context, dn string, attributes ...string) (answer, error) {
	req := ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", attributes, nil)
	a, err := c.search(ctx, req, c.o.GroupsTimeout)
	if err == nil && a.cut != nil {
		err = a.cut
	}
	if err == nil {
		err = c.complete(ctx, a.server, a.entries, c.o.GroupsTimeout)
	}
	return a, err
}
