package config

import (
	"strconv"
	"strings"
)

func dnCheck(get func(*Config) string) func(*Config) (string, string) {
	return func(c *Config) (string, string) {
		if dn := get(c); dn != "" && !strings.Contains(dn, "=") {
			return strconv.Quote(dn) + " is not a DN", "write it like DC=example,DC=com"
		}
		return "", ""
	}
}

// filterCheck looks at a filter as far as is possible without a parser: the
// room that searches has one (RFC 4515).
func filterCheck(get func(*Config) string, needsPlace bool) func(*Config) (string, string) {
	return func(c *Config) (string, string) {
		s := get(c)
		if problem := unbalanced(s); problem != "" {
			return strconv.Quote(s) + " " + problem, "write a filter like (uid={0}), with \\28 and \\29 for parentheses that are part of a value"
		}
		if needsPlace && !hasPlace(s) {
			return strconv.Quote(s) + " has no {0}", "write {0} where the name or DN to look for belongs"
		}
		return "", ""
	}
}

func hasPlace(filter string) bool { return strings.Contains(filter, "{0}") }

// userFilterCheck is filterCheck for names, of which a part may do.
func userFilterCheck(get func(*Config) string) func(*Config) (string, string) {
	return func(c *Config) (string, string) {
		return filterCheck(get, !strings.Contains(get(c), "{user}"))(c)
	}
}

func unbalanced(filter string) string {
	depth := 0
	for i, r := range filter {
		switch r {
		case '(':
			depth++
		case ')':
			if depth--; depth < 0 {
				return "closes a parenthesis that is not open"
			}
			if depth == 0 && strings.TrimSpace(filter[i+1:]) != "" {
				return "goes on after its last parenthesis"
			}
		default:
			// One comparison without any parentheses has always been taken.
			if depth == 0 && strings.ContainsAny(filter, "()") && r != ' ' {
				return "does not begin with a parenthesis"
			}
		}
	}
	switch {
	case depth > 0:
		return "leaves a parenthesis open"
	case !strings.Contains(filter, "="):
		return "compares nothing"
	}
	return ""
}
