package config

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxSize bounds the file and the environment, in bytes. A file with several
// certificates and a mapper has some 100 KB.
const maxSize = 16 << 20

// layers remembers where a configuration came from. A nil *layers is that of a
// configuration made from nothing.
type layers struct {
	doc     *document         // the file; nil when there was none
	env     map[string]string // what was taken from the environment, by the names there
	envOnly bool
	loaded  map[string]string // each key's value when it was loaded, as JSON
	faults  map[string]*FieldError
	notes   map[string][]string // warnings about keys, from loading
	general []string            // warnings about the whole

	explicit map[string]bool // keys that Set wrote: they stay in the file even as a default
	removed  map[string]bool // keys that Unset took out of the file
	extra    map[string]*change
}

// A change is what Set or Unset did to a key without a field.
type change struct {
	raw   []byte // nil: taken out
	order int
}

// own returns layers that may be changed: a copy, because a Config is a value.
func (c *Config) own() *layers {
	l := &layers{}
	if c.layers != nil {
		*l = *c.layers()
	}
	l.env = cloned(l.env)
	l.loaded = cloned(l.loaded)
	l.faults = cloned(l.faults)
	l.notes = cloned(l.notes)
	l.explicit = cloned(l.explicit)
	l.removed = cloned(l.removed)
	l.extra = cloned(l.extra)
	l.general = slices.Clone(l.general)
	c.layers = func() *layers { return l }
	return l
}

func cloned[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return maps.Clone(m)
}

// look returns the layers for reading.
func (c *Config) look() *layers {
	if c.layers == nil {
		return &layers{}
	}
	return c.layers()
}

// Parse reads the content of config.json over the defaults. Nothing, or white
// space, is the defaults; a byte order mark is skipped; of a key that occurs
// several times the last counts, as in JavaScript. What is not one JSON object
// of at most 16 MiB is a *SyntaxError. A value that does not fit its key is not
// an error here: the default stays, and Validate says so.
func Parse(file []byte) (Config, error) {
	c := Default()
	l := c.own()
	if len(bytes.TrimSpace(bytes.TrimPrefix(file, bom))) > 0 {
		doc, err := parseDocument(file)
		if err != nil {
			return Default(), err
		}
		l.doc = doc
		if !utf8.Valid(file) {
			l.general = append(l.general, "config.json is not UTF-8 throughout: what is not UTF-8 was read as \uFFFD; save the file as UTF-8")
		}
		for _, name := range doc.duplicates() {
			l.general = append(l.general, fmt.Sprintf("%s occurs several times in config.json: the last one counts", name))
		}
		c.loadFile()
	}
	c.snapshot()
	return c, nil
}

// loadFile lays the file over the fields.
func (c *Config) loadFile() {
	l := c.look()
	// REALM first: it names a key.
	for _, name := range append([]string{"REALM"}, l.doc.names()...) {
		k := c.key(name)
		if k == nil {
			if hint := typo(name, len(name) > 3); hint != "" {
				l.general = append(l.general, fmt.Sprintf("%s is not a key of config.json: did you mean %s?", name, hint))
			}
			continue
		}
		raw, ok := l.doc.get(name)
		if !ok || k.field == nil {
			continue
		}
		if k.Name != name {
			if _, ok := l.doc.get(k.Name); ok {
				continue // the new name wins
			}
			l.notes[k.Name] = append(l.notes[k.Name], fmt.Sprintf("%s is now called %s: rename it", name, k.Name))
		}
		v, err := decode(raw)
		if err != nil { // only a number out of all bounds, which UseNumber takes too
			l.faults[k.Name] = k.fault("the value cannot be read: "+err.Error(), "write it anew")
			continue
		}
		c.load(k, v, "config.json")
	}
}

// load gives a key the value of a layer, and keeps what is to be said of it.
// A value of a lower layer, and what was said of that, is forgotten.
func (c *Config) load(k *Key, v any, from string) {
	l := c.look()
	delete(l.faults, k.Name)
	note, err := k.read(c, v)
	if err != nil {
		err.From = from
		l.faults[k.Name] = err
		return
	}
	if note != "" {
		l.notes[k.Name] = append(l.notes[k.Name], note)
	}
	if note := k.oldMeaning(c, v); note != "" {
		l.notes[k.Name] = append(l.notes[k.Name], note)
	}
}

// snapshot remembers the effective values, to tell later what has changed.
func (c *Config) snapshot() {
	l := c.look()
	for _, k := range c.keys() {
		l.loaded[k.Name] = string(k.encode(c))
	}
}

// changed reports whether the field differs from what was loaded.
func (c *Config) changed(k *Key) bool {
	was, ok := c.look().loaded[k.Name]
	if !ok { // a configuration made by hand, or a realm that came later
		def := Default()
		was = string(k.encode(&def))
	}
	return was != string(k.encode(c))
}

// A SyntaxError says why config.json is not JSON, and where.
type SyntaxError struct {
	Line, Column int // of the first byte that does not fit, from 1; 0 when it is the whole
	Problem      string
}

// Error says where and what, without any text of the file, which may be a
// secret.
func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return "config.json: " + e.Problem
	}
	return fmt.Sprintf("config.json, line %d, column %d: %s", e.Line, e.Column, e.Problem)
}

func syntaxError(file []byte, offset int, problem string) *SyntaxError {
	offset = max(0, min(offset, len(file)))
	before := file[:offset]
	line := 1 + bytes.Count(before, []byte("\n"))
	start := bytes.LastIndexByte(before, '\n') + 1
	return &SyntaxError{Line: line, Column: 1 + utf8.RuneCount(before[start:]), Problem: strings.TrimSpace(problem)}
}
