package config

import (
	"encoding/hex"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// SignInTLS reports whether PORT speaks TLS: where there is a certificate for
// it. One in SSL_PFX never had an effect beside Kerberos, and has one there only
// where browsers come over https.
func (c Config) SignInTLS() bool {
	s := c.SignIn
	return s.TLSCert != "" || s.PFX != "" && (!c.Tenant.Kerberos || strings.HasPrefix(strings.ToLower(c.Tenant.ServerURL), "https://"))
}

var principalName = regexp.MustCompile(`^[A-Za-z0-9_.$-]+(/[A-Za-z0-9_.:-]+)?(@[A-Za-z0-9_.-]+)?$`)

func checkPrincipals(c *Config) (string, string) {
	for _, p := range c.SignIn.Principals {
		if !principalName.MatchString(p) {
			return quote(p) + " is not a service principal", "write HTTP/HOST, the host as browsers name it, with @REALM where it matters"
		}
	}
	return "", ""
}

// entries are the parts of a value that semicolons or line ends separate.
func entries(text string) []string {
	parts := strings.FieldsFunc(text, func(r rune) bool { return r == ';' || r == '\n' || r == '\r' })
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return slices.DeleteFunc(parts, func(s string) bool { return s == "" })
}

func checkRealms(c *Config) (string, string) {
	const remedy = "write REALM or REALM=DOMAIN, several separated by semicolons: CORP.EXAMPLE; CHILD.CORP.EXAMPLE=child.corp.example"
	for _, e := range entries(c.SignIn.Realms) {
		name, at, placed := strings.Cut(e, "=")
		switch at = strings.TrimSpace(at); {
		case !domainName.MatchString(strings.TrimSpace(name)):
			return strconv.Quote(e) + " does not begin with a Kerberos realm", remedy
		case placed && at == "":
			return strconv.Quote(e) + " names no place", remedy
		case strings.HasPrefix(at, "(") && !strings.Contains(at, "{0}"):
			return strconv.Quote(e) + " has a filter without {0}", "write {0} where the user's name belongs"
		}
	}
	return "", ""
}

func checkCertMapping(c *Config) (string, string) {
	for _, e := range entries(c.SignIn.CertMapping) {
		name, filter, given := strings.Cut(e, "=")
		known := slices.Contains([]string{"cn", "upn", "email", "issuer-serial", "sid"}, strings.ToLower(strings.TrimSpace(name)))
		if !known || given && (!strings.HasPrefix(strings.TrimSpace(filter), "(") || !strings.Contains(filter, "{0}")) {
			return strconv.Quote(e) + " is no rule", "write cn, upn, email, issuer-serial or sid, several separated by semicolons, or one with a filter: upn=(userPrincipalName={0})"
		}
	}
	return "", ""
}

func checkProxies(c *Config) (string, string) {
	for _, p := range c.SignIn.Proxies {
		net, err := netip.ParsePrefix(p)
		_, addrErr := netip.ParseAddr(p)
		switch {
		case err != nil && addrErr != nil:
			return quote(p) + " is neither an address nor a network", "write the proxy's address as it is seen here, like 10.1.2.3, or its network, like 10.1.2.0/24"
		case err == nil && net.Bits() == 0:
			return quote(p) + " is everybody", "write the proxies' own addresses: whoever is trusted can be any user"
		}
	}
	return "", ""
}

func checkProxySecret(c *Config) (string, string) {
	s := string(c.SignIn.ProxySecret)
	if s != "" && (len(s) < 32 || strings.TrimSpace(s) != s || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })) {
		return "the value can be guessed, or cannot be sent in a header", "write a random text of at least 32 letters and digits"
	}
	return "", ""
}

func checkProxyCerts(c *Config) (string, string) {
	for _, f := range c.SignIn.ProxyCerts {
		if b, err := hex.DecodeString(strings.ReplaceAll(f, ":", "")); err != nil || len(b) != 32 {
			return quote(f) + " is not a SHA-256 fingerprint", "write what openssl x509 -noout -fingerprint -sha256 -in PROXY.pem prints"
		}
	}
	return "", ""
}

var headerName = regexp.MustCompile(`^[A-Za-z0-9-]+$`)

func checkCertHeader(c *Config) (string, string) {
	if h := c.SignIn.CertHeader; h != "" && !headerName.MatchString(h) {
		return strconv.Quote(h) + " is not the name of a header", "write the header's name alone, like x-ssl-client-cert"
	}
	return "", ""
}

func checkCRLs(c *Config) (string, string) {
	for _, s := range c.SignIn.CRLs {
		if !strings.Contains(s, "://") {
			continue // a path
		}
		if u, err := url.Parse(s); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || !goodPort(u) {
			return quote(s) + " is neither a path nor a URL of http or https", "write http://HOST/NAME.crl, or the path of a file"
		}
	}
	return "", ""
}
