package sandbox

import (
	"strconv"
	"strings"
)

// truth is the outcome of a filter for an entry: filters have three values
// (RFC 4511, section 4.5.1.7), and only yes lets an entry through.
type truth int8

const (
	truthNo truth = iota
	truthUndefined
	truthYes
)

func truthOf(b bool) truth {
	if b {
		return truthYes
	}
	return truthNo
}

// match evaluates a filter for an entry. The caller holds the store's lock.
func (s *store) match(e *storeEntry, n *filterNode) truth {
	switch n.op {
	case filterAnd:
		t := truthYes
		for _, c := range n.children {
			if t = min(t, s.match(e, c)); t == truthNo {
				return truthNo
			}
		}
		return t
	case filterOr:
		t := truthNo
		for _, c := range n.children {
			if t = max(t, s.match(e, c)); t == truthYes {
				return truthYes
			}
		}
		return t
	case filterNot:
		return truthYes - s.match(e, n.children[0])
	}
	if n.undefined {
		return truthUndefined
	}
	if n.op == filterExtensible {
		return s.matchExtensible(e, n)
	}
	if n.kind.kind == kindANR {
		return truthOf(s.matchANR(e, n))
	}
	values := s.values(e, n.kind)
	if n.op == filterPresent {
		// Every entry has a class, also one whose file does not say which.
		return truthOf(len(values) > 0 || n.kind == s.objectClass)
	}
	for _, v := range values {
		if s.matchValue(v, n) {
			return truthYes
		}
	}
	return truthNo
}

func (s *store) matchValue(v string, n *filterNode) bool {
	norm, ok := s.schema.normalise(n.kind, v)
	if !ok {
		return false
	}
	switch n.op {
	case filterEqual, filterApprox:
		return norm == n.value || n.kind == s.objectClass && belowClass(norm, n.value)
	case filterSubstrings:
		return n.contains(norm)
	case filterGreater, filterLess:
		c := strings.Compare(norm, n.value)
		if n.kind.syntax == syntaxInteger {
			c = compareNumbers(norm, n.value)
		}
		return c == 0 || c > 0 == (n.op == filterGreater)
	}
	return false
}

// compareNumbers compares two numbers that the schema has normalised.
func compareNumbers(a, b string) int {
	x, errX := strconv.ParseInt(a, 10, 64)
	y, errY := strconv.ParseInt(b, 10, 64)
	switch {
	case errX != nil || errY != nil:
		return strings.Compare(a, b)
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// contains reports whether a value has the substrings, in order.
func (n *filterNode) contains(v string) bool {
	v, ok := strings.CutPrefix(v, n.initial)
	if !ok {
		return false
	}
	if v, ok = strings.CutSuffix(v, n.final); !ok {
		return false
	}
	for _, m := range n.middle {
		i := strings.Index(v, m)
		if i < 0 {
			return false
		}
		v = v[i+len(m):]
	}
	return true
}

func (s *store) matchExtensible(e *storeEntry, n *filterNode) truth {
	switch n.rule {
	case ruleInChain:
		_, ok := n.chain[e]
		return truthOf(ok)
	case ruleBitAnd, ruleBitOr:
		mask, _ := strconv.ParseInt(n.value, 10, 64) // checked when it was decoded
		for _, v := range s.values(e, n.kind) {
			if bits, err := strconv.ParseInt(v, 10, 64); err == nil {
				if n.rule == ruleBitAnd && bits&mask == mask || n.rule == ruleBitOr && bits&mask != 0 {
					return truthYes
				}
			}
		}
		return truthNo
	}
	equal := func(t *schemaType, v string) bool {
		switch n.rule {
		case "caseexactmatch":
			return v == n.value
		case "caseignorematch":
			return foldText(v) == n.value
		}
		norm, ok := s.schema.normalise(t, v)
		return ok && norm == n.value
	}
	if n.dnToo && s.dnHas(e, n.kind, equal) {
		return truthYes
	}
	if n.kind != nil {
		for _, v := range s.values(e, n.kind) {
			if equal(n.kind, v) {
				return truthYes
			}
		}
		return truthNo
	}
	for _, a := range *e.attrs.Load() {
		if a.kind.kind == kindHidden || a.kind.syntax != syntaxText && a.kind.syntax != syntaxExact {
			continue
		}
		for _, v := range a.values {
			if equal(a.kind, v) {
				return truthYes
			}
		}
	}
	return truthNo
}

// dnHas reports whether a part of the entry's DN is of the type (nil: of any)
// and equal.
func (s *store) dnHas(e *storeEntry, t *schemaType, equal func(*schemaType, string) bool) bool {
	rdns, err := parseDN(e.dn)
	if err != nil {
		return false
	}
	for _, rdn := range rdns {
		for _, ava := range rdn {
			kind := s.schema.lookup(ava.kind)
			if kind != nil && (t == nil || t == kind) && equal(kind, ava.value) {
				return true
			}
		}
	}
	return false
}

// anrTypes are the attributes that ambiguous name resolution looks into
// (MS-ADTS, section 3.1.1.3.1.3.4).
var anrTypes = []string{"displayname", "givenname", "sn", "name", "physicaldeliveryofficename", "proxyaddresses", "samaccountname", "mail"}

// matchANR compares the beginning of each such attribute with the text; with
// "=" in front the whole; and a text of two words with given name and surname.
func (s *store) matchANR(e *storeEntry, n *filterNode) bool {
	text := n.value
	if n.op == filterSubstrings {
		text = n.initial // what follows the first star does not count
	}
	exact := false
	if n.op != filterSubstrings {
		text, exact = strings.CutPrefix(text, "=")
	}
	text = foldText(text)
	if text == "" {
		return false
	}
	has := func(name, part string) bool {
		for _, v := range s.values(e, s.schema.types[name]) {
			v = foldText(v)
			if v == part || !exact && strings.HasPrefix(v, part) {
				return true
			}
		}
		return false
	}
	for _, name := range anrTypes {
		if has(name, text) {
			return true
		}
	}
	first, second, ok := strings.Cut(text, " ")
	return ok && (has("givenname", first) && has("sn", second) || has("givenname", second) && has("sn", first))
}
