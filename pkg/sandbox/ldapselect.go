package sandbox

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// selection says which attributes of an entry are sent, and how.
type selection struct {
	store     *store
	all       bool // "*", or nothing named
	extra     bool // "+"
	named     []selected
	typesOnly bool
	ad        bool
	rangeSize int
}

// selected is one attribute asked for by name.
type selected struct {
	kind   *schemaType
	ranged bool // name;range=from-to
	from   int
	to     int // -1: to the end
}

func (c *ldapConn) selection(q ldapSearch) selection {
	t := c.d.traits.Load()
	w := selection{store: c.d.store, typesOnly: q.typesOnly, ad: t.ActiveDirectory, rangeSize: t.RangeSize}
	w.all = len(q.names) == 0
	for _, name := range q.names {
		switch name {
		case "*":
			w.all = true
		case "+":
			w.extra = true
		case "1.1": // no attributes
		default:
			kind := c.d.store.schema.lookup(name)
			if kind == nil || w.hidden(kind.kind, q.scope, t) {
				continue
			}
			one := selected{kind: kind}
			one.from, one.to, one.ranged = parseRange(name)
			w.named = append(w.named, one)
		}
	}
	return w
}

// hidden reports whether an attribute is not sent although it is asked for.
func (w *selection) hidden(kind schemaKind, scope int, t *Traits) bool {
	switch kind {
	case kindHidden, kindANR:
		return true
	case kindTokenGroups: // computed for one entry only
		return !w.ad || scope != scopeBase || t.NoTokenGroups
	case kindMemberOf:
		return t.NoMemberOf
	}
	return false
}

// parseRange reads the option ";range=0-99" or ";range=100-*".
func parseRange(name string) (from, to int, ok bool) {
	for _, option := range strings.Split(name, ";")[1:] {
		spec, found := strings.CutPrefix(strings.ToLower(option), "range=")
		if !found {
			continue
		}
		low, high, found := strings.Cut(spec, "-")
		from, err := strconv.Atoi(low)
		if !found || err != nil || from < 0 {
			return 0, 0, false
		}
		if high == "*" {
			return from, -1, true
		}
		to, err := strconv.Atoi(high)
		if err != nil || to < from {
			return 0, 0, false
		}
		return from, to, true
	}
	return 0, 0, false
}

// encode writes an entry as a message.
func (w *selection) encode(out *berWriter, id int, e *storeEntry) {
	w.store.mu.RLock()
	defer w.store.mu.RUnlock()
	message := out.begin(berSequence)
	out.number(berInteger, id)
	op := out.begin(ldapSearchEntry)
	out.string(berOctetString, e.dn)
	list := out.begin(berSequence)
	var sent []*schemaType
	put := func(s selected) {
		if !slices.Contains(sent, s.kind) || s.ranged {
			sent = append(sent, s.kind)
			w.attribute(out, s, w.store.values(e, s.kind))
		}
	}
	for _, s := range w.named {
		put(s)
	}
	if w.all || w.extra {
		for _, a := range *e.attrs.Load() {
			if a.kind.kind == kindStored && w.general(a.kind) {
				put(selected{kind: a.kind})
			}
		}
		for _, t := range w.store.computed {
			if w.general(t) {
				put(selected{kind: t})
			}
		}
	}
	out.end(list)
	out.end(op)
	out.end(message)
}

// general reports whether "*" or "+", whichever was asked for, covers a type.
func (w *selection) general(t *schemaType) bool {
	operational := t.operational
	switch t.kind {
	case kindHidden, kindANR, kindTokenGroups:
		return false
	case kindMemberOf: // OpenLDAP's overlay keeps it as an operational one
		operational = !w.ad
	case kindDN:
		if operational == w.ad {
			return false // distinguishedName here, entryDN there
		}
	case kindRDN:
		if !w.ad {
			return false
		}
	}
	return operational && w.extra || !operational && w.all
}

func (w *selection) attribute(out *berWriter, s selected, values []string) {
	if len(values) == 0 {
		return
	}
	name := s.kind.name
	switch {
	case s.ranged:
		if s.from >= len(values) {
			return
		}
		end := len(values)
		if s.to >= 0 {
			end = min(end, s.to+1)
		}
		if w.rangeSize > 0 {
			end = min(end, s.from+w.rangeSize)
		}
		name, values = rangeName(name, s.from, end, len(values)), values[s.from:end]
	case w.rangeSize > 0 && len(values) > w.rangeSize:
		// The plain name comes without values, besides the first range.
		w.write(out, name, nil)
		name, values = rangeName(name, 0, w.rangeSize, len(values)), values[:w.rangeSize]
	}
	w.write(out, name, values)
}

// rangeName is the name under which values [from, end) of so many are sent.
func rangeName(name string, from, end, total int) string {
	if end == total {
		return fmt.Sprintf("%s;range=%d-*", name, from)
	}
	return fmt.Sprintf("%s;range=%d-%d", name, from, end-1)
}

func (w *selection) write(out *berWriter, name string, values []string) {
	attr := out.begin(berSequence)
	out.string(berOctetString, name)
	set := out.begin(berSet)
	if !w.typesOnly {
		for _, v := range values {
			out.string(berOctetString, v)
		}
	}
	out.end(set)
	out.end(attr)
}
