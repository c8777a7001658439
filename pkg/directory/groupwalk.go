package directory

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"ad-ldap-connector/pkg/identity"

	"github.com/go-ldap/ldap/v3"
)

// A groupNode is a group of a domain and what it is in. It is not changed once
// it is made.
type groupNode struct {
	link
	label   json.RawMessage
	shown   bool   // below GroupBaseDN, and there is something to say of it
	parents []link // memberOf
	missing bool   // not in this domain, or not to be seen
	read    time.Time
}

// A link is a DN as a server spells it, and its dnKey.
type link struct{ dn, key string }

func links(dns []string) []link {
	out := make([]link, len(dns))
	for i, dn := range dns {
		out[i] = link{dn, dnKey(dn)}
	}
	return out
}

// A walk follows memberOf up from one user.
type walk struct {
	c        *Client
	domainDN string
	domain   *ldap.DN
	base     *ldap.DN // GroupBaseDN
	fresh    bool     // reads again what is remembered

	mu        sync.Mutex
	known     map[string]*groupNode // by sidKey and nodeKey
	oldest    time.Time             // when the first of them was read
	remembers bool                  // some were not read by this walk
}

var (
	byDN     = must("(" + attrDN + "={0})")
	byMember = must("(" + attrMember + "={0})")
)

func sidKey(sid string) string  { return "sid " + sid }
func nodeKey(key string) string { return "dn " + key }

// get returns a node of this walk, or one that is remembered.
func (w *walk) get(key string) *groupNode {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := w.known[key]; n != nil {
		return n
	}
	if w.fresh {
		return nil
	}
	n := w.c.nodes.get(key)
	if n != nil {
		w.remembers = true
		w.put(key, n)
	}
	return n
}

func (w *walk) put(key string, n *groupNode) {
	w.known[key] = n
	if n.read.Before(w.oldest) {
		w.oldest = n.read
	}
}

// fetch makes the groups of these SIDs and DNs known, those that are not yet,
// by searches that run side by side.
func (w *walk) fetch(ctx context.Context, sids []string, groups []link) error {
	var items, missing []string // assertions, and the keys of what they ask for
	var elsewhere []link
	for _, sid := range sids {
		if w.get(sidKey(sid)) == nil {
			items, missing = append(items, bySID.With(sid)), append(missing, sidKey(sid))
		}
	}
	for _, group := range groups {
		if w.get(nodeKey(group.key)) != nil {
			continue
		}
		if parsed, err := ldap.ParseDN(group.dn); err != nil || !atOrBelow(w.domain, parsed) {
			elsewhere = append(elsewhere, group)
			continue
		}
		items, missing = append(items, byDN.With(group.dn)), append(missing, nodeKey(group.key))
	}
	if len(items)+len(elsewhere) > maxGroups {
		return errTooMany
	}
	var filters []string
	for batch := range slices.Chunk(items, groupBatch) {
		filters = append(filters, "(|"+strings.Join(batch, "")+")")
	}
	began := w.c.o.Now()
	err := parallel(ctx, len(filters)+len(elsewhere), func(ctx context.Context, i int) error {
		if i < len(filters) {
			_, err := w.read(ctx, filters[i], began)
			return err
		}
		// A group of another domain is not read here, but those of this domain
		// that it is in are.
		group := elsewhere[i-len(filters)]
		parents, err := w.read(ctx, byMember.With(group.dn), began)
		if err == nil {
			w.learn(&groupNode{link: group, parents: parents, missing: true, read: began}, nodeKey(group.key))
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, key := range missing {
		if w.get(key) == nil {
			w.learn(&groupNode{missing: true, read: began}, key)
		}
	}
	return nil
}

// read makes known what filter finds in the domain, and returns it.
func (w *walk) read(ctx context.Context, filter string, began time.Time) ([]link, error) {
	attributes := append(w.c.groupAttributes(), attrObjectSID, attrMemberOf)
	a, err := w.c.searchGroups(ctx, w.domainDN, filter, attributes)
	if err != nil {
		return nil, err
	}
	found := make([]link, 0, len(a.entries))
	for _, e := range a.entries {
		n := &groupNode{link: link{e.DN, dnKey(e.DN)}, parents: links(e.GetEqualFoldAttributeValues(attrMemberOf)), read: began}
		if parsed, err := ldap.ParseDN(e.DN); err == nil && atOrBelow(w.base, parsed) {
			var g identity.Group
			g, n.shown = w.c.group(e)
			n.label = slices.Clip(g.Label)
		}
		keys := []string{nodeKey(n.key)}
		if sid := e.GetEqualFoldAttributeValue(attrObjectSID); sid != "" {
			keys = append(keys, sidKey(sid))
		}
		w.learn(n, keys...)
		found = append(found, n.link)
	}
	return found, nil
}

// learn makes a node known under its keys, to this walk and to later ones.
func (w *walk) learn(n *groupNode, keys ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, key := range keys {
		w.put(key, n)
		w.c.nodes.put(key, n)
	}
}

// up returns these groups, the groups they are in, and so on, level by level,
// each once.
func (w *walk) up(ctx context.Context, level []link) ([]*groupNode, error) {
	var all []*groupNode
	seen := map[string]bool{}
	for len(level) > 0 { // each time there is one more seen, so it ends
		if err := w.fetch(ctx, nil, level); err != nil {
			return nil, err
		}
		var next []link
		for _, group := range level {
			if seen[group.key] {
				continue
			}
			seen[group.key] = true
			n := w.get(nodeKey(group.key))
			all = append(all, n)
			next = append(next, n.parents...)
		}
		level = slices.DeleteFunc(next, func(group link) bool { return seen[group.key] })
		if len(all) > maxGroups {
			return nil, errTooMany
		}
	}
	return all, nil
}

// leadsTo reports whether each of the SIDs that is a group here is among the
// nodes. The user's own, which some servers name as well, does not count.
func (w *walk) leadsTo(sids []string, user string, ways ...[]*groupNode) bool {
	reached := map[string]bool{user: true}
	for _, way := range ways {
		for _, n := range way {
			reached[n.key] = true
		}
	}
	for _, sid := range sids {
		if n := w.get(sidKey(sid)); n != nil && !n.missing && !reached[n.key] {
			return false
		}
	}
	return true
}

// report returns the groups to show, in the order that Groups promises.
func (w *walk) report(direct int, own, primary []*groupNode) []identity.Group {
	first := min(direct, len(own))
	ordered := slices.Clone(own[:first])
	rest := slices.Clone(own[first:])
	if len(primary) > 0 {
		ordered = append(ordered, primary[0])
		rest = append(rest, primary[1:]...)
	}
	slices.SortStableFunc(rest, func(a, b *groupNode) int { return strings.Compare(a.key, b.key) })
	all := newUnion(len(ordered) + len(rest))
	for _, n := range append(ordered, rest...) {
		if !n.missing && all.isNew(n.key) {
			all.add(identity.Group{DN: n.dn, Label: n.label}, n.shown)
		}
	}
	return all.groups
}

// skipped returns how many groups were named that are not of this domain, or
// not to be seen. Such a one has a SID in the one list and a DN in the other.
func (w *walk) skipped(sids []string) int {
	unknown := 0
	for _, sid := range sids {
		if n := w.get(sidKey(sid)); n != nil && n.missing {
			unknown++
		}
	}
	elsewhere := 0
	for key, n := range w.known {
		if n.missing && strings.HasPrefix(key, nodeKey("")) {
			elsewhere++
		}
	}
	return max(unknown, elsewhere)
}
