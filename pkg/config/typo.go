package config

import "strings"

// typo returns the known key that a name was probably meant to be: one letter
// missing, one too many, one wrong, two swapped, or another case.
func typo(name string, likely bool) string {
	if !likely || byName[name] != nil {
		return ""
	}
	for _, last := range fallbacks {
		if name == last {
			return ""
		}
	}
	for i := range table {
		if strings.EqualFold(name, table[i].Name) {
			return table[i].Name
		}
	}
	for i := range table {
		if !table[i].Unused && oneEditApart(name, table[i].Name) {
			return table[i].Name
		}
	}
	return ""
}

// oneEditApart reports whether a becomes b by one insertion, deletion,
// replacement or swap of neighbours.
func oneEditApart(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 || a == b {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) < len(b) {
		return a[i:] == b[i+1:]
	}
	if a[i+1:] == b[i+1:] {
		return true
	}
	return i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
}
