package config

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// maxSize bounds the file and the environment, in bytes. A file with several
// certificates and a mapper has some 100 KB.
const maxSize = 16 << 20

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
			l.general = append(l.general, fmt.Sprintf("%q occurs several times in config.json: the last one counts", name))
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
			l.note(k, fmt.Sprintf("%s is now called %s: rename it", name, k.Name))
		}
		if v, err := decode(raw); err == nil { // the whole file is valid JSON
			c.load(k, v, "config.json")
		}
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
		l.note(k, note)
	}
	if note := k.oldMeaning(c, v); note != "" {
		l.note(k, note)
	}
}
