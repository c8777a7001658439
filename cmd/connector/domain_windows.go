package main

import "os"

// hostDomains returns the domains this host may belong to, likeliest first.
func hostDomains() []string {
	if d := os.Getenv("USERDNSDOMAIN"); d != "" {
		return append([]string{d}, nameDomain()...)
	}
	return nameDomain()
}
