package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

var bom = []byte("\xEF\xBB\xBF")

// A document is config.json as it lies in the file: the members of its object
// with everything between them, so that it can be written back byte for byte.
type document struct {
	head    []byte // up to and including the opening brace
	members []member
	tail    []byte // from the end of the last member on
	last    map[string]int
}

// A member is one key and value, and the bytes around them.
type member struct {
	before []byte // white space, and the comma that ends the member before
	key    []byte // as written, quoted
	colon  []byte // with white space
	value  []byte // as written
	name   string
}

// parseDocument takes a file apart, or says where it is not one JSON object.
func parseDocument(file []byte) (*document, error) {
	if len(file) > maxSize {
		return nil, &SyntaxError{Problem: fmt.Sprintf("%d MiB, and at most %d are read", len(file)>>20, maxSize>>20)}
	}
	if bytes.HasPrefix(file, []byte("\xFF\xFE")) || bytes.HasPrefix(file, []byte("\xFE\xFF")) {
		return nil, &SyntaxError{Problem: "the file is UTF-16: save it as UTF-8"}
	}
	start := 0
	if bytes.HasPrefix(file, bom) {
		start = len(bom)
	}
	body := file[start:]
	// The whole is checked first: it bounds the depth, and gives the offset of
	// the fault.
	var whole json.RawMessage
	if err := json.Unmarshal(body, &whole); err != nil {
		var syntax *json.SyntaxError
		if !errors.As(err, &syntax) {
			return nil, &SyntaxError{Problem: err.Error()}
		}
		offset := int(syntax.Offset)
		if !strings.Contains(syntax.Error(), "unexpected end") {
			offset-- // it is that after the byte at fault
		}
		return nil, syntaxError(file, start+offset, syntax.Error())
	}
	open := bytes.IndexByte(body, '{')
	if open < 0 || len(bytes.TrimLeft(body[:open], " \t\r\n")) > 0 {
		return nil, syntaxError(file, start+len(body)-len(bytes.TrimLeft(body, " \t\r\n")), "not an object: the file must begin with { and end with }")
	}
	d := &document{head: file[:start+open+1], last: map[string]int{}}
	rest, err := d.scan(body[open:])
	if err != nil {
		return nil, &SyntaxError{Problem: err.Error()}
	}
	d.tail = rest
	return d, nil
}

// scan takes the object at the start of valid JSON apart, and returns what
// follows its last member.
func (d *document) scan(object []byte) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(object))
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	end := int(dec.InputOffset())
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, err
		}
		keyEnd := int(dec.InputOffset())
		keyStart := end + bytes.IndexByte(object[end:keyEnd], '"')
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, err
		}
		valueEnd := int(dec.InputOffset())
		m := member{
			before: object[end:keyStart],
			key:    object[keyStart:keyEnd],
			colon:  object[keyEnd : valueEnd-len(value)],
			value:  object[valueEnd-len(value) : valueEnd],
		}
		m.name, _ = token.(string) // the token before a value is a key
		d.last[m.name] = len(d.members)
		d.members = append(d.members, m)
		end = valueEnd
	}
	return object[end:], nil
}

// get returns the value of the last member of that name.
func (d *document) get(name string) ([]byte, bool) {
	if d == nil {
		return nil, false
	}
	i, ok := d.last[name]
	if !ok {
		return nil, false
	}
	return d.members[i].value, true
}

// names returns each name once, in the order of the file.
func (d *document) names() []string {
	if d == nil {
		return nil
	}
	seen := make(map[string]bool, len(d.members))
	names := make([]string, 0, len(d.members))
	for _, m := range d.members {
		if !seen[m.name] {
			seen[m.name] = true
			names = append(names, m.name)
		}
	}
	return names
}

// duplicates returns the names that occur several times.
func (d *document) duplicates() []string {
	count := map[string]int{}
	for _, m := range d.members {
		count[m.name]++
	}
	var names []string
	for _, name := range d.names() {
		if count[name] > 1 {
			names = append(names, name)
		}
	}
	return names
}

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
