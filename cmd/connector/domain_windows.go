package main

// hostDomains returns the domains this host may belong to, likeliest first.
func hostDomains(environ []string) []string {
	return likely(append([]string{lookup(environ, "USERDNSDOMAIN")}, nameDomain()...))
}
