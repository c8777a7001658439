package sandbox

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// storeAttr is an attribute of an entry with its values, which are never changed
// in place.
type storeAttr struct {
	kind   *schemaType
	values []string
}

// storeEntry is an entry. Its attributes are replaced as a whole, so whoever
// has loaded them sees one state.
type storeEntry struct {
	dn    string // as loaded
	norm  string
	order uint32 // when it was added
	attrs atomic.Pointer[[]storeAttr]
}

// get returns the stored values of an attribute.
func (e *storeEntry) get(t *schemaType) []string {
	for _, a := range *e.attrs.Load() {
		if a.kind == t {
			return a.values
		}
	}
	return nil
}

// storeIndex finds entries by the normalised value of an attribute. Most values
// belong to one entry, which needs no slice.
type storeIndex struct {
	one  map[string]*storeEntry
	more map[string][]*storeEntry
}

func (x *storeIndex) get(key string) []*storeEntry {
	if es := x.more[key]; es != nil {
		return es
	}
	if e := x.one[key]; e != nil {
		return []*storeEntry{e}
	}
	return nil
}

func (x *storeIndex) add(key string, e *storeEntry) {
	if es := x.more[key]; es != nil {
		if es[len(es)-1] != e { // an entry adds its values in a row
			x.more[key] = append(es, e)
		}
		return
	}
	first := x.one[key]
	switch first {
	case nil:
		x.one[key] = e
	case e:
	default:
		delete(x.one, key)
		x.more[key] = []*storeEntry{first, e}
	}
}

func (x *storeIndex) remove(key string, e *storeEntry) {
	if x.one[key] == e {
		delete(x.one, key)
		return
	}
	es := x.more[key]
	if i := slices.Index(es, e); i >= 0 {
		// Never in place: a search may hold the slice.
		es = slices.Concat(es[:i], es[i+1:])
		if x.more[key] = es; len(es) == 0 {
			delete(x.more, key)
		}
	}
}

// store holds the entries of a directory and finds them.
type store struct {
	schema *schema

	mu      sync.RWMutex
	byDN    map[string]*storeEntry
	list    []*storeEntry
	indexes []storeIndex
	says    bool // loaded entries say themselves which groups they are in

	// Types that the store itself deals with.
	objectClass, member, uniqueMember, memberOf, objectSID, guid, userPassword, groupType, primaryGroupID *schemaType

	computed []*schemaType // in order of name
}

// newStore makes an empty store with room for about so many entries.
func newStore(room int) *store {
	s := &store{schema: newSchema(), byDN: make(map[string]*storeEntry, room), list: make([]*storeEntry, 0, room)}
	s.indexes = make([]storeIndex, s.schema.indexes)
	for i := range s.indexes {
		s.indexes[i] = storeIndex{one: make(map[string]*storeEntry), more: make(map[string][]*storeEntry)}
	}
	t := s.schema.types
	s.objectClass, s.member, s.uniqueMember, s.memberOf = t["objectclass"], t["member"], t["uniquemember"], t["memberof"]
	s.objectSID, s.guid, s.userPassword = t["objectsid"], t["objectguid"], t["userpassword"]
	s.groupType, s.primaryGroupID = t["grouptype"], t["primarygroupid"]
	for _, name := range []string{"canonicalname", "distinguishedname", "entrydn", "entryuuid", "memberof", "name"} {
		s.computed = append(s.computed, t[name])
	}
	return s
}

// attr makes an attribute for add, by name.
func (s *store) attr(name string, values ...string) storeAttr {
	return storeAttr{s.schema.learn(name), values}
}

// add puts a new entry into the store. The store keeps attrs.
func (s *store) add(dn string, attrs []storeAttr) (*storeEntry, error) {
	norm, err := normaliseDN(dn)
	if err != nil {
		return nil, fmt.Errorf("add %q: %w", dn, err)
	}
	e := &storeEntry{dn: dn, norm: norm}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byDN[norm] != nil {
		return nil, fmt.Errorf("add %q: the entry exists already", dn)
	}
	e.order = uint32(len(s.list))
	e.attrs.Store(&attrs)
	s.byDN[norm] = e
	s.list = append(s.list, e)
	for _, a := range attrs {
		s.says = s.says || a.kind.kind == kindMemberOf
		s.reindex(e, a.kind, a.values, (*storeIndex).add)
	}
	return e, nil
}

func (s *store) reindex(e *storeEntry, t *schemaType, values []string, change func(*storeIndex, string, *storeEntry)) {
	if t.index < 0 {
		return
	}
	for _, v := range values {
		if key, ok := s.schema.normalise(t, v); ok {
			change(&s.indexes[t.index], key, e)
		}
	}
}

// update replaces the attributes of an entry by what change makes of them. An
// error of change leaves the entry as it was.
func (s *store) update(e *storeEntry, change func([]storeAttr) ([]storeAttr, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := *e.attrs.Load()
	fresh, err := change(slices.Clone(old))
	if err != nil {
		return err
	}
	same := func(as []storeAttr, a storeAttr) bool {
		return slices.ContainsFunc(as, func(b storeAttr) bool { return a.kind == b.kind && slices.Equal(a.values, b.values) })
	}
	for _, a := range old {
		if !same(fresh, a) {
			s.reindex(e, a.kind, a.values, (*storeIndex).remove)
		}
	}
	for _, a := range fresh {
		if !same(old, a) {
			s.reindex(e, a.kind, a.values, (*storeIndex).add)
		}
	}
	e.attrs.Store(&fresh)
	return nil
}

// find returns the entry of a normalised DN, or nil.
func (s *store) find(norm string) *storeEntry {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byDN[norm]
}

// equal returns the entries that have the value, by an index.
func (s *store) equal(t *schemaType, value string) []*storeEntry {
	key, ok := s.schema.normalise(t, value)
	if !ok || t.index < 0 {
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.indexes[t.index].get(key)
}

// groups returns the groups that name an entry as a member. The caller holds
// the lock.
func (s *store) groups(norm string) []*storeEntry {
	es := s.indexes[s.member.index].get(norm)
	if more := s.indexes[s.uniqueMember.index].get(norm); len(more) > 0 {
		es = slices.Concat(es, more)
	}
	return es
}

// nearest is the lowest entry that exists at or above a normalised DN.
func (s *store) nearest(norm string) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for ; norm != ""; norm = parentDN(norm) {
		if e := s.byDN[norm]; e != nil {
			return e.dn
		}
	}
	return ""
}

// rdnType reports whether a type names the entry (so that its value is fixed).
func (s *store) rdnType(e *storeEntry, t *schemaType) bool {
	rdns, err := parseDN(e.dn)
	if err != nil || len(rdns) == 0 {
		return false
	}
	return slices.ContainsFunc(rdns[0], func(a dnAVA) bool { return s.schema.lookup(strings.TrimSpace(a.kind)) == t })
}
