package main

import (
	"os"
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
