package config

import (
	"maps"
	"slices"
)

// layers remembers where a configuration came from.
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

// note keeps a warning about a key. The slice may be shared with a copy.
func (l *layers) note(k *Key, text string) {
	l.notes[k.Name] = append(slices.Clip(l.notes[k.Name]), text)
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

// readRealm gives the post URLs what the layers have under the realm's name.
// Those of another realm must not be taken along: profiles would be posted to
// another tenant.
func (c *Config) readRealm() {
	l := c.look()
	c.Tenant.PostURLs = nil
	realm := c.Tenant.Realm
	if realm == "" || byName[realm] != nil {
		return
	}
	k := realmKey(realm)
	if value, ok := l.env[realm]; ok {
		c.load(k, value, "the environment")
	} else if raw, ok := l.doc.get(realm); ok {
		if v, err := decode(raw); err == nil { // the whole file is valid JSON
			c.load(k, v, "config.json")
		}
	}
	l.loaded[k.Name] = string(k.encode(c))
}
