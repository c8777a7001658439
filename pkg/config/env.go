package config

import (
	"fmt"
	"slices"
	"strings"
)

// fallbacks are variables that count when neither the environment nor the file
// has the key: the spelling that curl and its like made common.
var fallbacks = map[string]string{
	"HTTP_PROXY":  "http_proxy",
	"HTTPS_PROXY": "https_proxy",
	"NO_PROXY":    "no_proxy",
}

// WithEnv lays the environment, a list of NAME=value, over the configuration.
// It takes the variables that are named like a key, or like the realm; names
// are case-sensitive, of a name that occurs twice the last counts, and a value
// of "" puts a key back to its default. OVERRIDE_CONFIG=false, exactly, drops
// the file: the environment over the defaults is then all there is.
//
// What the environment supplies is not written to the file. A variable whose
// name holds || belongs to a nested object, and is seen by Get only. The error
// is that of an environment beyond 16 MiB; a value that does not fit its key
// is reported by Validate.
func (c Config) WithEnv(environ []string) (Config, error) {
	vars, size := map[string]string{}, 0
	for _, entry := range environ {
		size += len(entry)
		// Windows keeps variables such as "=C:" that no one sets.
		if name, value, ok := strings.Cut(entry, "="); ok && name != "" {
			vars[name] = value
		}
	}
	if size > maxSize {
		return c, fmt.Errorf("read the environment: %d MiB, and at most %d are read", size>>20, maxSize>>20)
	}
	if vars["OVERRIDE_CONFIG"] == "false" {
		c = Default()
		c.own().envOnly = true
	}
	l := c.own()
	take := func(k *Key, name string) bool {
		value, ok := vars[name]
		if !ok {
			return false
		}
		l.env[name] = value
		if k.field != nil {
			delete(l.notes, k.Name)
			c.load(k, value, "the environment")
		}
		return true
	}
	realm := c.Tenant.Realm
	for i := range table {
		k := &table[i]
		for _, alias := range k.aliases {
			if take(k, alias) {
				l.note(k, fmt.Sprintf("the variable %s is now called %s: rename it", alias, k.Name))
			}
		}
		take(k, k.Name)
		if last := fallbacks[k.Name]; last != "" && !k.fromEnv(l) && empty(k.encode(&c)) {
			take(k, last)
		}
	}
	if r := c.Tenant.Realm; r != "" && byName[r] == nil {
		if r != realm {
			c.readRealm()
		}
		take(realmKey(r), r)
	}
	for _, name := range sortedKeys(vars) {
		if strings.Contains(name, levels) {
			l.env[name] = vars[name]
		} else if hint := typo(name, len(name) >= 8 && strings.Contains(name, "_")); hint != "" {
			l.general = append(l.general, fmt.Sprintf("the variable %s is none of the connector's: did you mean %s?", name, hint))
		}
	}
	c.snapshot()
	return c, nil
}

// levels separates a variable's name into the keys of nested objects.
const levels = "||"

// fromEnv reports whether the environment supplied the key.
func (k *Key) fromEnv(l *layers) bool {
	return slices.ContainsFunc(append(k.names(), fallbacks[k.Name]), func(name string) bool {
		_, ok := l.env[name]
		return ok && name != ""
	})
}

// EnvOnly reports whether the environment is the only source: the file was not
// read, and must not be written.
func (c Config) EnvOnly() bool { return c.look().envOnly }

// FromEnv reports whether the environment supplied the key's value at load. A
// new value in the file then has no effect at the next start.
func (c Config) FromEnv(key string) bool {
	if k := c.key(key); k != nil {
		return k.fromEnv(c.look())
	}
	_, ok := c.look().env[key]
	return ok
}

// nested returns what the variables NAME||... of the environment put into the
// object of that name, as JSON-like maps; nil when there are none.
func (l *layers) nested(name string) any {
	if v, ok := l.env[name]; ok {
		return v
	}
	var object map[string]any
	for _, variable := range sortedKeys(l.env) {
		rest, ok := strings.CutPrefix(variable, name+levels)
		if !ok {
			continue
		}
		if object == nil {
			object = map[string]any{}
		}
		in := object
		path := strings.Split(rest, levels)
		for _, part := range path[:len(path)-1] {
			next, ok := in[part].(map[string]any)
			if !ok {
				next = map[string]any{}
				in[part] = next
			}
			in = next
		}
		in[path[len(path)-1]] = l.env[variable]
	}
	if object == nil {
		return nil
	}
	return object
}

func sortedKeys[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
