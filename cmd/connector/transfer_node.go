package main

import (
	"strings"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/directory"
)

// strangeToNode says what of a configuration the Node connector passes over or
// cannot use, for whoever takes a plain archive to one.
func strangeToNode(c config.Config) (all []string) {
	d := c.Directory
	if len(d.URLs) > 1 {
		all = append(all, "LDAP_URL names several servers, and it takes one")
	}
	for _, u := range d.URLs {
		scheme, _, _ := strings.Cut(strings.ToLower(u), "://")
		if scheme != "ldap" && scheme != "ldaps" {
			all = append(all, "LDAP_URL begins with "+scheme+"://, and it knows ldap:// and ldaps:// only")
			break
		}
	}
	if d.StartTLS {
		all = append(all, "it knows nothing of LDAP_STARTTLS and would send passwords in the clear: give it an ldaps:// address")
	}
	if d.BindMethod != string(directory.Simple) {
		all = append(all, "it knows nothing of LDAP_BIND_METHOD and binds by a password only")
	}
	if c.Network.HTTPSProxy != "" {
		all = append(all, "it knows nothing of HTTPS_PROXY and takes HTTP_PROXY for everything")
	}
	return all
}
