package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
)

// A leak is a place in a file where a secret was found. It says what kind of
// secret, and never which.
type leak struct {
	File string
	Line int // the first is 1
	Kind string
}

func (l leak) String() string { return fmt.Sprintf("%s line %d: %s", l.File, l.Line, l.Kind) }

// A needle is one form of a secret that is known.
type needle struct {
	text []byte
	kind string
	word bool // it counts only where no letter or digit is next to it
}

const (
	keyOctets = 4 // by which needles are found, and so the shortest
	wordUpTo  = 7 // octets: what is shorter than the next is part of many words
)

// A scanner looks for known secrets, however they are written, and for what has
// the shape of a key or a token. The zero value knows no secrets.
type scanner struct {
	seen    map[string]bool
	exact   needles // in the text as it is
	joined  needles // in the text without its line ends and blanks
	foreign [][]byte
}

// needles are found by their first octets, all of them in one pass.
type needles struct {
	first [1 << 16]bool // by the first two octets: most places are passed by here
	by    map[uint32][]needle
}

func (n *needles) add(x needle) {
	if len(x.text) < keyOctets {
		return
	}
	if n.by == nil {
		n.by = map[uint32][]needle{}
	}
	n.first[binary.BigEndian.Uint16(x.text)] = true
	key := binary.BigEndian.Uint32(x.text)
	n.by[key] = append(n.by[key], x)
}

// find calls found with the place and the kind of each needle in text, until it
// returns false.
func (n *needles) find(text []byte, found func(at int, kind string) bool) {
	if n.by == nil {
		return
	}
	for i := 0; i+keyOctets <= len(text); i++ {
		if !n.first[uint16(text[i])<<8|uint16(text[i+1])] {
			continue
		}
		for _, x := range n.by[binary.BigEndian.Uint32(text[i:])] {
			if !bytes.HasPrefix(text[i:], x.text) || x.word && !alone(text, i, i+len(x.text)) {
				continue
			}
			if !found(i, x.kind) {
				return
			}
		}
	}
}

// alone reports whether text[from:to] is no part of a longer word.
func alone(text []byte, from, to int) bool {
	return (from == 0 || !isWord(text[from-1])) && (to == len(text) || !isWord(text[to]))
}

func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// add has the scanner look for a text. One that is found in something public
// is no secret, and left out.
func (s *scanner) add(kind string, text []byte) {
	if len(text) < keyOctets || s.seen[string(text)] {
		return
	}
	if s.seen == nil {
		s.seen = map[string]bool{}
	}
	s.seen[string(text)] = true
	text = slices.Clone(text)
	s.exact.add(needle{text, kind, len(text) <= wordUpTo})
	if whole := join(text); len(whole) > wordUpTo {
		s.joined.add(needle{whole, kind, false})
	}
}

// mostLeaks is how many places of a file are told.
const mostLeaks = 5

// scan returns where secrets are in a file, of which so many lines come before
// text. Of each kind the first place is told.
func (s *scanner) scan(file string, text []byte, before int) []leak {
	var leaks []leak
	told := map[string]bool{}
	tell := func(at int, kind string) bool {
		if !told[kind] {
			told[kind] = true
			leaks = append(leaks, leak{file, before + 1 + bytes.Count(text[:at], []byte{'\n'}), kind})
		}
		return len(leaks) < mostLeaks
	}
	s.exact.find(text, tell)
	if s.joined.by != nil && len(leaks) < mostLeaks {
		s.joined.find(join(text), func(at int, kind string) bool { return tell(unjoin(text, at), kind) })
	}
	for _, shape := range shapes {
		if len(leaks) < mostLeaks {
			shape.find(text, tell)
		}
	}
	slices.SortStableFunc(leaks, func(a, b leak) int { return a.Line - b.Line })
	return leaks
}

// join returns a text without its blanks and line ends, also those that are
// written as \n, \r and \t: a secret that was broken into lines is whole in it.
func join(text []byte) []byte {
	whole := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		if n := gap(text[i:]); n > 0 {
			i += n
			continue
		}
		whole = append(whole, text[i])
		i++
	}
	return whole
}

// unjoin returns where in text the octet is that is the one at that place in
// join(text).
func unjoin(text []byte, at int) int {
	for i := 0; i < len(text); {
		if n := gap(text[i:]); n > 0 {
			i += n
			continue
		}
		if at == 0 {
			return i
		}
		at--
		i++
	}
	return len(text)
}

// gap is how many octets at the beginning of a text join leaves out.
func gap(text []byte) int {
	switch {
	case text[0] <= ' ':
		return 1
	case text[0] == '\\' && len(text) > 1 && (text[1] == 'n' || text[1] == 'r' || text[1] == 't'):
		return 2
	}
	return 0
}
