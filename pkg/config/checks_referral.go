package config

import (
	"net/url"
	"strings"
)

// checkReferralHosts looks at a list of hosts, each with or without a port.
func checkReferralHosts(c *Config) (string, string) {
	for _, host := range c.Directory.ReferralHosts {
		u, err := url.Parse("ldap://" + host)
		if err != nil || u.Host != host || u.Hostname() == "" || strings.ContainsAny(host, " ,*") || !goodPort(u) {
			return quote(host) + " is not a host", "write the host's name as the directory's references have it, like dc1.child.corp.example, with :PORT where it is not 389 or 636"
		}
	}
	return "", ""
}
