package home

import (
	"fmt"
	"net"
	"net/url"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// Adapt changes what belongs to the machine that the archive came from to suit
// the one named hostname, where it is to lie in the home dir, and returns a
// sentence for each change. SERVER_URL is changed only when it is what a
// connector chooses by itself, http://HOST:PORT; any other is the address of a
// load balancer, and the same on all nodes. PORT stays. The authorities that
// come with the archive are found where they will lie.
func (a *Archive) Adapt(hostname, dir string) []string {
	var said []string
	if old := a.Config.Tenant.ServerURL; hostname != "" && isOwnAddress(old, hostname, a.Config.SignIn.Port) {
		a.Config.Tenant.ServerURL = "http://" + net.JoinHostPort(hostname, strconv.Itoa(a.Config.SignIn.Port))
		said = append(said, fmt.Sprintf("SERVER_URL was %s, another machine's own address, and is now %s; set it back if a load balancer answers there.", old, a.Config.Tenant.ServerURL))
	}
	const rule = "FIREWALL_RULE_CREATED"
	if a.Config.Source(rule) == "file" {
		if err := a.Config.Unset(rule); err == nil { // the key may be in a file, so this cannot fail
			said = append(said, rule+" was removed: the firewall of this machine has no such rule yet.")
		}
	}
	if a.Config.Source("SECRETS") == "file" {
		if err := a.Config.Unset("SECRETS"); err == nil { // likewise
			said = append(said, "SECRETS was removed: the store that it named is another machine's.")
		}
	}
	if a.Config.Source("INSTANCE_NAME") == "file" {
		if err := a.Config.Unset("INSTANCE_NAME"); err == nil { // likewise
			said = append(said, "INSTANCE_NAME was removed: it is another node's.")
		}
	}
	if n, own := &a.Config.Network, filepath.Join(dir, caFolder); a.CA != nil && isOwnCA(n.CAPath) && n.CAPath != own {
		said = append(said, fmt.Sprintf("SSL_CA_PATH was %s, the first node's own folder, and is now %s.", n.CAPath, own))
		n.CAPath = own
	}
	return said
}

// isOwnCA reports whether a path is that of a home's folder for the authorities
// that an install was given, on any system.
func isOwnCA(name string) bool {
	return path.Base(strings.ReplaceAll(name, `\`, "/")) == caFolder
}

// isOwnAddress reports whether address is the one that a connector on another
// host gives itself. A host name never is an IP address.
func isOwnAddress(address, hostname string, port int) bool {
	u, err := url.Parse(address)
	return err == nil && u.Scheme == "http" && u.User == nil && u.RawQuery == "" && u.Fragment == "" &&
		(u.Path == "" || u.Path == "/") && u.Port() == strconv.Itoa(port) &&
		u.Hostname() != "" && net.ParseIP(u.Hostname()) == nil && !strings.EqualFold(u.Hostname(), hostname)
}
