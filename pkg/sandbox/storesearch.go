package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// Scopes of a search (RFC 4511, section 4.5.1.2).
const (
	scopeBase    = 0
	scopeOne     = 1
	scopeSubtree = 2
)

// search returns the entries below base (normalised) that a filter is true of.
// stop is asked now and then; its error ends the search, and what was found
// until then is returned with it. The base's existence is the caller's business.
func (s *store) search(base string, scope int, filter *filterNode, stop func() error) ([]*storeEntry, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	s.prepare(filter)
	list, known := s.list, false
	if scope == scopeBase {
		list, known = nil, true
		if e := s.byDN[base]; e != nil {
			list = []*storeEntry{e}
		}
	} else if es, ok := s.candidates(filter); ok {
		list, known = es, true
	}
	var found []*storeEntry
	for i, e := range list {
		if !known && i%256 == 255 {
			if err := stop(); err != nil {
				return found, err
			}
		}
		switch {
		case scope == scopeOne && parentDN(e.norm) != base, !belowDN(e.norm, base):
		case s.match(e, filter) == truthYes:
			found = append(found, e)
		}
	}
	return found, stop()
}

// values returns the values of an attribute, stored or computed. The caller
// holds the lock.
func (s *store) values(e *storeEntry, t *schemaType) []string {
	switch t.kind {
	case kindStored:
		return e.get(t)
	case kindMemberOf:
		return s.memberOfValues(e)
	case kindDN:
		return []string{e.dn}
	case kindRDN:
		if rdns, err := parseDN(e.dn); err == nil && len(rdns) > 0 {
			return []string{rdns[0][0].value}
		}
	case kindCanonicalName:
		return []string{canonicalName(e.dn)}
	case kindUUID:
		return []string{entryUUID(e.norm)}
	case kindTokenGroups:
		return s.tokenGroups(e)
	}
	return nil
}

// memberOfValues are the groups that name the entry, and those that a loaded
// file says it is in without having them.
func (s *store) memberOfValues(e *storeEntry) []string {
	groups := s.groups(e.norm)
	stored := e.get(s.memberOf)
	if len(groups) == 0 {
		return stored
	}
	values := make([]string, 0, len(groups)+len(stored))
	for _, g := range groups {
		values = append(values, g.dn)
	}
	for _, dn := range stored {
		norm, err := normaliseDN(dn)
		if err != nil || !slices.ContainsFunc(groups, func(g *storeEntry) bool { return g.norm == norm }) {
			values = append(values, dn)
		}
	}
	return values
}

// canonicalName is the name in the manner of a path: example.test/Users/Alice.
func canonicalName(dn string) string {
	rdns, err := parseDN(dn)
	if err != nil {
		return dn
	}
	var domain, path []string
	for _, rdn := range rdns {
		if strings.EqualFold(rdn[0].kind, "dc") {
			domain = append(domain, rdn[0].value)
		} else {
			path = append(path, strings.ReplaceAll(rdn[0].value, "/", `\/`))
		}
	}
	slices.Reverse(path)
	return strings.Join(domain, ".") + "/" + strings.Join(path, "/")
}

// entryUUID derives an identifier from the entry's name: the sandbox's entries
// are the same after each start.
func entryUUID(norm string) string {
	b := guidOf(norm)
	h := hex.EncodeToString([]byte(b))
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// guidOf gives the 16 bytes of an entry's objectGUID.
func guidOf(norm string) string {
	sum := sha256.Sum256([]byte(norm))
	sum[6] = sum[6]&0x0f | 0x40
	sum[8] = sum[8]&0x3f | 0x80
	return string(sum[:16])
}
