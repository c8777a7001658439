package config

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
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
	const remedy = "write ldap://HOST or ldaps://HOST, with :PORT where it is not 389 or 636"
	for _, s := range c.Directory.URLs {
		u, err := url.Parse(s)
		switch {
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

func checkCAs(c *Config) (string, string) {
	for _, text := range c.SignIn.CACerts {
		if !hasPEM(text, "CERTIFICATE", "TRUSTED CERTIFICATE", "X509 CERTIFICATE") {
			return "the value holds no certificate in PEM form", "paste the text from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----"
		}
	}
	return "", ""
}

func checkCertificate(c *Config) (string, string) {
	if text := c.Keys.Certificate; text != "" && !hasPEM(text, "CERTIFICATE") {
		return "the value is not a certificate in PEM form", "write the whole content of the certificate's file, line ends included"
	}
	return "", ""
}

func checkPrivateKey(c *Config) (string, string) {
	if text := string(c.Keys.Key); text != "" && !hasPEM(text, "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY") {
		return "the value is not a private key in PEM form", "write the whole content of the key's file, line ends included"
	}
	return "", ""
}

func hasPEM(text string, types ...string) bool {
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return false
		}
		if slices.Contains(types, block.Type) {
			return true
		}
	}
}

func checkPFX(c *Config) (string, string) {
	s := strings.Join(strings.Fields(string(c.SignIn.PFX)), "")
	if s == "" {
		return "", ""
	}
	if _, err := base64.StdEncoding.DecodeString(s); err != nil {
		return "the value is not base64", "write the .pfx file as base64, or upload it in the console"
	}
	return "", ""
}

// checkCredentials looks at the two formats of a sealed password: hex, and
// $2$.SALT.IV.TEXT, each part hex.
func checkCredentials(c *Config) (string, string) {
	s := string(c.Directory.BindCredentials)
	parts := strings.Split(s, ".")
	if parts[0] == "$2$" {
		parts = parts[1:]
		if len(parts) != 3 {
			parts = []string{"cut off"}
		}
	}
	for _, p := range parts {
		if _, err := hex.DecodeString(p); err != nil {
			return "the value is not a sealed password", "unset it, and set LDAP_BIND_PASSWORD: it is sealed at the next start"
		}
	}
	return "", ""
}

func checkUnits(c *Config) (string, string) {
	if u := c.Mapper.OrganizationUnits; u != "dn" && u != "list" {
		return strconv.Quote(u) + " is neither dn nor list", "write dn or list"
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
	host := strings.TrimSuffix(strings.TrimPrefix(addr[:i], "["), "]")
	switch {
	case err != nil:
		return strconv.Quote(addr) + " has no valid port", remedy
	case !loopback(host):
		return strconv.Quote(addr) + " can be reached from other machines", remedy
	}
	return "", ""
}
