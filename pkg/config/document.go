package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
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
