package sandbox

import (
	"slices"
)

// prepare finds, once for a search, the entries that its in-chain parts are
// true of, by walking along the links instead of over all entries. The caller
// holds the lock.
func (s *store) prepare(n *filterNode) {
	for _, c := range n.children {
		s.prepare(c)
	}
	if n.op != filterExtensible || n.rule != ruleInChain || n.undefined {
		return
	}
	n.chain = map[*storeEntry]struct{}{}
	switch n.kind {
	case s.memberOf:
		if g := s.byDN[n.value]; g != nil {
			s.descend(g, n.chain)
		}
	case s.member, s.uniqueMember:
		s.ascend(n.value, n.chain)
	default:
		s.chainBack(n)
	}
}

// ascend collects the groups that hold an entry, directly or through others.
// Loops end because no group is entered twice.
func (s *store) ascend(norm string, into map[*storeEntry]struct{}) {
	for _, g := range s.groups(norm) {
		if _, seen := into[g]; !seen {
			into[g] = struct{}{}
			s.ascend(g.norm, into)
		}
	}
}

// descend collects the entries that a group holds, directly or through others.
func (s *store) descend(g *storeEntry, into map[*storeEntry]struct{}) {
	for _, e := range s.members(g) {
		if _, seen := into[e]; !seen {
			into[e] = struct{}{}
			s.descend(e, into)
		}
	}
}

// members are the entries that a group (nil: none) names, in order.
func (s *store) members(g *storeEntry) []*storeEntry {
	if g == nil {
		return nil
	}
	var es []*storeEntry
	for _, t := range []*schemaType{s.member, s.uniqueMember} {
		for _, dn := range g.get(t) {
			if norm, err := normaliseDN(dn); err == nil && s.byDN[norm] != nil {
				es = append(es, s.byDN[norm])
			}
		}
	}
	return ordered(es)
}

// chainBack serves the links that no index follows (manager, owner): level by
// level, every entry that points at one already found.
func (s *store) chainBack(n *filterNode) {
	found := map[string]bool{n.value: true}
	for grown := true; grown; {
		grown = false
		for _, e := range s.list {
			if _, seen := n.chain[e]; seen {
				continue
			}
			for _, dn := range e.get(n.kind) {
				if norm, err := normaliseDN(dn); err == nil && found[norm] {
					n.chain[e] = struct{}{}
					found[e.norm] = true
					grown = true
					break
				}
			}
		}
	}
}

// candidates gives the few entries that a filter can be true of, in order,
// when an index knows them; false when all have to be looked at. The caller
// holds the lock and has prepared the filter.
func (s *store) candidates(n *filterNode) ([]*storeEntry, bool) {
	switch n.op {
	case filterEqual:
		if n.undefined {
			return nil, true
		}
		switch n.kind.kind {
		case kindDN:
			if e := s.byDN[n.value]; e != nil {
				return []*storeEntry{e}, true
			}
			return nil, true
		case kindMemberOf:
			if !s.says {
				return s.members(s.byDN[n.value]), true
			}
		case kindStored:
			if n.kind.index >= 0 {
				return s.indexes[n.kind.index].get(n.value), true
			}
		}
	case filterExtensible:
		if n.undefined {
			return nil, true
		}
		if n.rule == ruleInChain {
			es := make([]*storeEntry, 0, len(n.chain))
			for e := range n.chain {
				es = append(es, e)
			}
			return ordered(es), true
		}
	case filterAnd:
		var best []*storeEntry
		known := false
		for _, c := range n.children {
			if es, ok := s.candidates(c); ok && (!known || len(es) < len(best)) {
				best, known = es, true
			}
		}
		return best, known
	case filterOr:
		var all []*storeEntry
		for _, c := range n.children {
			es, ok := s.candidates(c)
			if !ok {
				return nil, false
			}
			all = append(all, es...)
		}
		return ordered(all), true
	}
	return nil, false
}

// ordered sorts entries as they were added, each once.
func ordered(es []*storeEntry) []*storeEntry {
	slices.SortFunc(es, func(a, b *storeEntry) int { return int(a.order) - int(b.order) })
	return slices.Compact(es)
}
