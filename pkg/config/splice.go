package config

import (
	"bytes"
	"encoding/json"
	"slices"
)

// An edit is a new value for a name, or, without one, its end.
type edit struct {
	name  string
	value []byte
}

// apply returns the file with the edits made, and not a byte changed besides.
// New members come last, in the order of the edits.
func (d *document) apply(edits []edit) []byte {
	if d == nil {
		d = &document{head: []byte("{"), tail: []byte("}\n")}
	}
	style := d.style()
	change := make(map[string]edit, len(edits))
	for _, e := range edits {
		change[e.name] = e
	}
	var out bytes.Buffer
	out.Write(d.head)
	kept := 0
	put := func(before, rest []byte) {
		if kept == 0 { // whatever is first has no comma before it
			before = style.before
		}
		kept++
		out.Write(before)
		out.Write(rest)
	}
	for i, m := range d.members {
		value := m.value
		if e, ok := change[m.name]; ok {
			if e.value == nil {
				continue
			}
			if i == d.last[m.name] {
				value = style.indented(e.value)
			}
		}
		put(m.before, slices.Concat(m.key, m.colon, value))
	}
	for _, e := range edits {
		if _, ok := d.last[e.name]; ok || e.value == nil {
			continue
		}
		put(style.between, slices.Concat(marshal(e.name), style.colon, style.indented(e.value)))
	}
	switch {
	case kept == 0 && len(d.members) > 0: // the last one went
		out.Write(bytes.TrimLeft(d.tail, " \t\r\n"))
	case kept > 0 && len(d.members) == 0: // the first one came
		out.WriteString(style.newline)
		out.Write(bytes.TrimLeft(d.tail, " \t\r\n"))
	default:
		out.Write(d.tail)
	}
	return out.Bytes()
}

// A style is how a file sets its members.
type style struct {
	newline string
	before  []byte // before the first member
	between []byte // before each further one, with the comma
	colon   []byte
	indent  string // of a member; "" when all are on one line
}

func (d *document) style() style {
	s := style{newline: "\n", before: []byte("\n  "), colon: []byte(": ")}
	if bytes.Contains(d.head, []byte("\r\n")) || bytes.Contains(d.tail, []byte("\r\n")) ||
		len(d.members) > 0 && bytes.Contains(d.members[0].before, []byte("\r\n")) {
		s.newline = "\r\n"
		s.before = []byte("\r\n  ")
	}
	if len(d.members) > 0 {
		first := d.members[0]
		s.before = first.before
		if !bytes.ContainsAny(first.colon, "\r\n") {
			s.colon = first.colon
		}
	}
	s.between = append([]byte(","), s.before...)
	if len(s.before) == 0 && len(d.members) > 1 {
		s.between = d.members[1].before
	}
	if i := bytes.LastIndexByte(s.before, '\n'); i >= 0 {
		s.indent = string(s.before[i+1:])
	}
	return s
}

// indented sets an array or object over several lines, where members are.
func (s style) indented(value []byte) []byte {
	if s.indent == "" {
		return value
	}
	var buf bytes.Buffer
	if err := json.Indent(&buf, value, s.indent, s.indent); err != nil {
		return value // valid JSON otherwise: the caller made it
	}
	return bytes.ReplaceAll(bytes.TrimSpace(buf.Bytes()), []byte("\n"), []byte(s.newline))
}
