package config

import "slices"

// Encode returns config.json with what has changed since Parse and WithEnv,
// and no other byte touched: keys unknown here, their order, the spelling of
// numbers, white space and line ends stay. A field that is empty or back at its
// default is taken out of the file, unless Set put it there. A value that came
// from the environment is written only once it is given another. Without a
// file the result has two spaces of indent, schema order and a last newline.
//
// A changed configuration always has a file, so what Encode returns can be
// parsed again and yields the same fields. In env-only mode nobody should
// write it.
func (c Config) Encode() ([]byte, error) {
	l := c.look()
	var edits []edit
	def := Default()
	for _, k := range c.keys() {
		if k.EnvOnly {
			continue
		}
		changed := c.changed(k)
		if !changed && !l.explicit[k.Name] && !l.removed[k.Name] {
			continue
		}
		value := k.encode(&c)
		if !l.explicit[k.Name] && (l.removed[k.Name] && !changed || string(value) == string(k.encode(&def)) || empty(value)) {
			value = nil
		}
		for _, alias := range k.aliases {
			edits = append(edits, edit{name: alias})
		}
		edits = append(edits, edit{k.Name, value})
	}
	names := sortedKeys(l.extra)
	slices.SortStableFunc(names, func(a, b string) int { return l.extra[a].order - l.extra[b].order })
	for _, name := range names {
		edits = append(edits, edit{name, l.extra[name].raw})
	}
	return l.doc.apply(edits), nil
}

// empty reports whether a value means that nothing is set.
func empty(value []byte) bool { return string(value) == `""` || string(value) == "[]" }
