package main

import (
	"os"
	"slices"
	"strings"
)

// nameDomain is what follows the first dot of this host's name.
func nameDomain() []string {
	name, err := os.Hostname()
	if err != nil {
		return nil
	}
	if _, domain, ok := strings.Cut(name, "."); ok {
		return []string{domain}
	}
	return nil
}

// isLocal reports whether a domain is nobody's directory's: what packages and
// networks put there where no administrator did.
func isLocal(domain string) bool {
	return !strings.Contains(domain, ".") ||
		slices.Contains([]string{"athena.mit.edu", "example.com", "in-addr.arpa"}, domain)
}

// likely returns the domains that may be a directory's, once each, in lower
// case.
func likely(domains []string) (all []string) {
	for _, d := range domains {
		d = strings.ToLower(strings.Trim(strings.TrimSpace(d), "."))
		if !isLocal(d) && !slices.Contains(all, d) {
			all = append(all, d)
		}
	}
	return all
}
