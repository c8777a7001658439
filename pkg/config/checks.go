package config

import (
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The checks of single keys. Each returns the problem and its remedy, or "".
// A value that is not set passes: what must be set is Validate's business.

func urlCheck(get func(*Config) string, schemes ...string) func(*Config) (string, string) {
	return func(c *Config) (string, string) {
		s := get(c)
		if s == "" {
			return "", ""
		}
		u, err := url.Parse(s)
		if err != nil || u.Hostname() == "" || !slices.Contains(schemes, u.Scheme) || !goodPort(u) {
			return quote(s) + " is not a URL of the form " + schemes[0] + "://HOST", "write " + list(schemes) + ", ://, and the host's name"
		}
		return "", ""
	}
}

func list(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

func quote(s string) string { return strconv.Quote(withoutUser(s)) }

func goodPort(u *url.URL) bool {
	if u.Port() == "" {
		return true
	}
	n, err := strconv.Atoi(u.Port())
	return err == nil && n > 0 && n <= 65535
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

func checkTicket(c *Config) (string, string) {
	const remedy = "copy the ticket URL, https://HOST/p/ad/..., from the connection's page in the dashboard"
	s := string(c.Tenant.Ticket)
	if s == "" {
		return "", ""
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Hostname() == "" || !goodPort(u):
		return "the value is not a URL", remedy
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		return "the URL does not begin with https://", remedy
	case !ticketPath.MatchString(u.EscapedPath()):
		return "the URL's path is not /p/ad/ and a secret", remedy
	}
	return "", ""
}

var ticketPath = regexp.MustCompile(`^/p/ad/[^/]+(/info)?/?$`)

func checkPostURLs(c *Config) (string, string) {
	for _, s := range c.Tenant.PostURLs {
		u, err := url.Parse(s)
		if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" || !goodPort(u) {
			return quote(s) + " is not a URL of the form https://HOST", "write the tenant's post URLs, separated by commas; they are learnt at every start"
		}
	}
	return "", ""
}

func checkDirectoryURLs(c *Config) (string, string) {
	const (
		remedy = "write ldap://HOST or ldaps://HOST, with :PORT where it is not 389 or 636, or srv://DOMAIN or srvs://DOMAIN"
		domain = "write srv://DOMAIN or srvs://DOMAIN, without a port: DNS names the servers and their ports"
	)
	for _, s := range c.Directory.URLs {
		u, err := url.Parse(s)
		switch {
		case err == nil && namesDomain(s):
			if u.User != nil || !domainName.MatchString(u.Host) {
				return quote(s) + " names no domain", domain
			}
		case err != nil || u.Scheme != "ldap" && u.Scheme != "ldaps":
			return quote(s) + " is not ldap:// or ldaps://", remedy
		case u.Hostname() == "" || strings.ContainsAny(u.Host, ", "):
			return quote(s) + " names no host", remedy
		case !goodPort(u):
			return quote(s) + " has no valid port", remedy
		case u.User != nil:
			return quote(s) + " holds a user", "write the user to LDAP_BIND_USER and the password to LDAP_BIND_PASSWORD"
		}
	}
	return "", ""
}

// namesDomain reports whether a directory's URL names a domain, whose servers
// DNS knows.
func namesDomain(url string) bool {
	url = strings.ToLower(url)
	return strings.HasPrefix(url, "srv://") || strings.HasPrefix(url, "srvs://")
}

var domainName = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?$`)

func checkSite(c *Config) (string, string) {
	if s := c.Directory.Site; s != "" && !siteName.MatchString(s) {
		return quote(s) + " is not a site's name", "write the site's name as Active Directory Sites and Services shows it"
	}
	return "", ""
}

var siteName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,63}$`)

func proxyCheck(get func(*Config) Secret) func(*Config) (string, string) {
	const remedy = "write http://HOST:PORT, or http://USER:PASSWORD@HOST:PORT with %40 for an @ in the password"
	return func(c *Config) (string, string) {
		s := string(get(c))
		if s == "" {
			return "", ""
		}
		if !strings.Contains(s, "://") {
			s = "http://" + s // HOST:PORT is how many write it
		}
		u, err := url.Parse(s)
		switch {
		case err != nil || u.Hostname() == "" || !goodPort(u):
			return "the value is not the URL of a proxy", remedy
		case strings.HasSuffix(strings.ToLower(u.Path), ".pac") || u.Scheme == "file":
			return "the value names a script (.pac), which is not supported", "look up the proxy in the script, and " + remedy
		case !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme):
			return "the value is not the URL of a proxy", remedy
		}
		return "", ""
	}
}

func checkCAPath(c *Config) (string, string) {
	if p := c.Network.CAPath; p != "" && !absolute.MatchString(p) {
		return strconv.Quote(p) + " is not an absolute path", "write the whole path of the folder"
	}
	return "", ""
}

// absolute matches paths of both systems: a file may be checked on another
// machine than its own.
var absolute = regexp.MustCompile(`^(/|[A-Za-z]:[\\/]|\\\\)`)

func checkCAFile(c *Config) (string, string) {
	if _, err := regexp.Compile(c.Network.CAFile); err != nil {
		return err.Error(), `write a regular expression of RE2's syntax, such as .+\.(pem|crt|cer)$`
	}
	return "", ""
}

func checkConsole(c *Config) (string, string) {
	const remedy = "write 127.0.0.1:8357, and reach the console from elsewhere through a tunnel"
	addr := c.Agent.ConsoleAddr
	i := strings.LastIndexByte(addr, ':')
	if i < 0 {
		return strconv.Quote(addr) + " is not HOST:PORT", remedy
	}
	_, err := strconv.ParseUint(addr[i+1:], 10, 16)
	if err != nil {
		return strconv.Quote(addr) + " has no valid port", remedy
	}
	return "", ""
}

// consoleAbroad reports whether others can reach the console, as far as its
// address tells.
func (a *Agent) consoleAbroad() bool {
	i := strings.LastIndexByte(a.ConsoleAddr, ':')
	return i >= 0 && !loopback(strings.Trim(a.ConsoleAddr[:i], "[]"))
}

func checkPath(field func(*Config) string) func(*Config) (string, string) {
	return func(c *Config) (string, string) {
		if p := field(c); p != "" && !absolute.MatchString(p) {
			return strconv.Quote(p) + " is not an absolute path", "write the whole path of the file"
		}
		return "", ""
	}
}
