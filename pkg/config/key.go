package config

import (
	"slices"
	"time"
)

// A Key describes one key of config.json, which is also the name of an
// environment variable.
type Key struct {
	Name string
	// Type is what the value means: string, url, dn, filter, secret, pem,
	// script, pattern (a regular expression), boolean, integer, seconds,
	// milliseconds or list. All may be given as text; in the file booleans,
	// numbers and lists are better written as such.
	Type string
	// Default is what holds when nothing is set, as JSON; "" when that is
	// nothing at all.
	Default string
	// Doc says in a sentence what the key does, with its unit.
	Doc string
	// Group is the heading under which the key is documented.
	Group string
	// Values are the only ones allowed, where there are few.
	Values []string
	// Min and Max bound a number, both included, when Max is not 0.
	Min, Max int

	Secret       bool // the value is never shown
	MachineBound bool // the value belongs to one machine, not to its copies
	EnvOnly      bool // read from the environment, never from the file
	Unused       bool // known from existing installations, kept, and without effect

	field   func(*Config) any              // a pointer to the field; nil for a key that has none
	unit    time.Duration                  // of a time.Duration field
	old     oldRule                        // what a boolean's text used to mean
	style   listStyle                      // how a list is written as text
	aliases []string                       // names of very old releases
	check   func(*Config) (string, string) // the value's problem and its remedy, or ""
	adjust  func(*Config) string           // mends a value that cannot serve, and says so
}

// A listStyle says how a list of texts is written.
type listStyle int

const (
	listArray  listStyle = iota // always an array; as text, separated by commas
	listURLs                    // one as a string, several as an array; as text, separated by commas or spaces
	listWhole                   // likewise, but a string is always one element
	listJoined                  // always one string, separated by commas
)

// table holds all keys, in the order in which they are documented and in which
// a new file has them.
var table = slices.Concat(tenantKeys, directoryKeys, groupKeys, policyKeys, signInKeys, proofKeys, networkKeys, mapperKeys, agentKeys, clusterKeys, updateKeys, signalKeys, otherKeys)

// byName finds a key by its name or an old name of it.
var byName = func() map[string]*Key {
	m := map[string]*Key{}
	for i := range table {
		m[table[i].Name] = &table[i]
		for _, alias := range table[i].aliases {
			m[alias] = &table[i]
		}
	}
	return m
}()

// Keys returns the schema of config.json, in documentation order. The key that
// REALM names is not in it, since its name varies.
func Keys() []Key {
	keys := slices.Clone(table)
	def := Default()
	for i := range keys {
		if value := keys[i].encode(&def); !empty(value) {
			keys[i].Default = string(value)
		}
	}
	return keys
}

// realmKey describes the key whose name is the realm itself.
func realmKey(realm string) *Key {
	return &Key{
		Name:  realm,
		Type:  "list",
		Group: "Tenant",
		Doc:   "Where the tenant takes the answers of browser logins: one URL or several, separated by commas.",
		style: listJoined,
		field: func(c *Config) any { return &c.Tenant.PostURLs },
		check: checkPostURLs,
	}
}

// key finds the key of that name, the realm's own included, or nil.
func (c *Config) key(name string) *Key {
	if k := byName[name]; k != nil {
		return k
	}
	if name != "" && name == c.Tenant.Realm {
		return realmKey(name)
	}
	return nil
}

// keys returns all keys with a field in the order of a new file, the realm's
// own after REALM.
func (c *Config) keys() []*Key {
	keys := make([]*Key, 0, len(table)+1)
	for i := range table {
		if table[i].field != nil {
			keys = append(keys, &table[i])
		}
		if r := c.Tenant.Realm; table[i].Name == "REALM" && r != "" && byName[r] == nil {
			keys = append(keys, realmKey(r))
		}
	}
	return keys
}

// names returns all names under which a layer may hold the key.
func (k *Key) names() []string { return append([]string{k.Name}, k.aliases...) }
