package config

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// Get returns the effective value of a key: a bool, an int, a float64 (a
// fraction of seconds), a string, a []string, or a Secret. It returns false
// for a name that is neither a key of the schema nor in the file nor in the
// environment. Of keys outside the schema it also returns a json.Number, a
// []any, a map[string]any or nil; A||B is key B inside the object A. A text
// there whose name looks like that of a secret is a Secret.
func (c Config) Get(key string) (any, bool) {
	if k := c.key(key); k != nil && k.field != nil {
		return k.value(&c), true
	}
	v, ok := c.loose(key)
	if !ok && byName[key] == nil {
		return nil, false
	}
	if s, text := v.(string); text && (byName[key] != nil && byName[key].Secret || secretName.MatchString(key)) {
		return Secret(s), true
	}
	if v == nil && !ok {
		return "", true
	}
	return v, true
}

// secretName tells what keys outside the schema are better not shown.
var secretName = regexp.MustCompile(`(?i)passw|secret|token|credential|private|_key$`)

// loose returns the value of a key without a field.
func (c *Config) loose(key string) (any, bool) {
	l := c.look()
	if v := l.nested(key); v != nil {
		return v, true
	}
	if e := l.extra[key]; e != nil {
		v, err := decode(e.raw)
		return v, err == nil
	}
	if raw, ok := l.doc.get(key); ok {
		v, err := decode(raw)
		return v, err == nil
	}
	first, rest, ok := strings.Cut(key, levels)
	if !ok {
		return nil, false
	}
	v, ok := c.loose(first)
	for ok && rest != "" {
		var object map[string]any
		if object, ok = v.(map[string]any); !ok {
			return nil, false
		}
		first, rest, _ = strings.Cut(rest, levels)
		v, ok = object[first]
	}
	return v, ok
}

// Set gives a key the value that text stands for, as a command line has it:
// the words of booleans, numbers, lists separated by commas. Of a key outside
// the schema, JSON is taken as such and anything else as a text. The key is
// written to the file even when the value is its default. The error is a
// *FieldError, and shows no secret.
func (c *Config) Set(key, text string) error {
	k := c.key(key)
	switch {
	case key == "":
		return &FieldError{Key: `""`, Problem: "no key has an empty name", Remedy: "name a key"}
	case k != nil && k.EnvOnly:
		return k.fault("it counts in the environment only", "set the variable instead")
	case k == nil || k.field == nil:
		return c.setLoose(key, text)
	case text == "":
		return k.fault("there is no value", "unset the key to go back to its default")
	}
	l, realm := c.own(), c.Tenant.Realm
	note, fault := k.read(c, text)
	if fault != nil {
		return fault
	}
	if realm != c.Tenant.Realm {
		c.readRealm()
	}
	delete(l.faults, k.Name)
	delete(l.notes, k.Name)
	if note != "" {
		l.notes[k.Name] = []string{note}
	}
	l.explicit[k.Name] = true
	delete(l.removed, k.Name)
	return nil
}

func (c *Config) setLoose(key, text string) error {
	if strings.Contains(key, levels) {
		first, _, _ := strings.Cut(key, levels)
		return &FieldError{Key: key, Problem: "it lies inside " + first, Remedy: "set " + first + " to a JSON object"}
	}
	raw := []byte(text)
	if !json.Valid(raw) {
		raw = marshal(text)
	}
	l := c.own()
	l.extra[key] = &change{raw: raw, order: len(l.extra)}
	return nil
}

// Unset takes a key out of the file, under old names too. Its value is then
// that of the environment, or the default. A key that is not set is no error.
func (c *Config) Unset(key string) error {
	k := c.key(key)
	if k != nil && k.EnvOnly {
		return k.fault("it counts in the environment only", "unset the variable instead")
	}
	l := c.own()
	if k == nil || k.field == nil {
		if _, ok := l.doc.get(key); ok {
			l.extra[key] = &change{order: len(l.extra)}
		} else {
			delete(l.extra, key)
		}
		return nil
	}
	delete(l.faults, k.Name)
	delete(l.notes, k.Name)
	delete(l.explicit, k.Name)
	l.removed[k.Name] = true
	realm := c.Tenant.Realm
	k.reset(c)
	for _, name := range append(k.names(), fallbacks[k.Name]) {
		if value, ok := l.env[name]; ok {
			c.load(k, value, "the environment")
			break
		}
	}
	l.loaded[k.Name] = string(k.encode(c))
	if realm != c.Tenant.Realm {
		c.readRealm()
	}
	return nil
}

// Source says where a key's value comes from: "environment", "file", "changed"
// (set since it was loaded), or "default".
func (c Config) Source(key string) string {
	l := c.look()
	k := c.key(key)
	if k != nil && k.field != nil && (c.changed(k) || l.explicit[k.Name]) || l.extra[key] != nil && l.extra[key].raw != nil {
		return "changed"
	}
	if c.FromEnv(key) {
		return "environment"
	}
	names := []string{key}
	if k != nil {
		names = k.names()
	}
	if k != nil && l.removed[k.Name] || l.extra[key] != nil {
		return "default"
	}
	if slices.ContainsFunc(names, func(name string) bool { _, ok := l.doc.get(name); return ok }) {
		return "file"
	}
	return "default"
}

// Unknown returns the names of the file that are not in the schema, in the
// file's order: of later releases, of other programs, or mistyped.
func (c Config) Unknown() []string {
	l := c.look()
	var names []string
	for _, name := range l.doc.names() {
		if e := l.extra[name]; c.key(name) == nil && (e == nil || e.raw != nil) {
			names = append(names, name)
		}
	}
	for _, name := range sortedKeys(l.extra) {
		if _, ok := l.doc.get(name); !ok && l.extra[name].raw != nil && c.key(name) == nil {
			names = append(names, name)
		}
	}
	return names
}
