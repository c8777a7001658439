//go:build unix

package main

import (
	"os"
	"strings"
)

// hostDomains returns the domains this host may belong to, likeliest first:
// the search list of its resolver, then the rest of its own name.
func hostDomains() []string {
	var domains []string
	data, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		data = nil // no resolver configuration: only the name is left
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 1 && (f[0] == "search" || f[0] == "domain") {
			domains = append(domains, f[1:]...)
		}
	}
	return append(domains, nameDomain()...)
}
