package directory

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// An advised error carries its own hint.
type advised struct {
	error
	hint string
}

func (e *advised) Unwrap() error { return e.error }

// Hint says what to do about it.
func (e *advised) Hint() string { return e.hint }

// tlsHint returns what to do about a connection that could not be secured, or
// "" when err is something else.
func tlsHint(err error) string {
	var (
		unknown   x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		algorithm x509.InsecureAlgorithmError
		notTLS    tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &unknown):
		return untrusted(err)
	case errors.As(err, &name):
		return misnamed(name)
	case errors.As(err, &invalid):
		return unfit(invalid)
	case errors.As(err, &algorithm):
		return "the certificate is signed with SHA-1 or MD5, which anybody can forge: give the server a new one"
	case errors.As(err, &notTLS):
		return "the port does not speak TLS: use ldap:// with LDAP_STARTTLS, or ldaps:// with port 636"
	}
	return alertHint(err.Error())
}

// untrusted is the hint for a chain that ends at nobody this machine trusts.
func untrusted(err error) string {
	var verify *tls.CertificateVerificationError
	if !errors.As(err, &verify) || len(verify.UnverifiedCertificates) == 0 {
		return "put the certificate of the authority that issued the server's into the SSL_CA_PATH folder"
	}
	chain := verify.UnverifiedCertificates
	if leaf := chain[0]; selfSigned(leaf) {
		return clean(fmt.Sprintf("the server's certificate %q is self-signed: if its SHA-256 fingerprint %X is the right one, put that certificate into the SSL_CA_PATH folder; better, have an authority issue one",
			leaf.Subject, sha256.Sum256(leaf.Raw)))
	}
	last := chain[len(chain)-1]
	advice := "put that authority's certificate into the SSL_CA_PATH folder"
	if len(chain) == 1 {
		advice += ", or have the server send the certificates between, if it is an intermediate one"
	}
	return clean(fmt.Sprintf("the server's certificate was issued by %q, which this machine does not trust: ", last.Issuer)) + advice
}

func selfSigned(cert *x509.Certificate) bool {
	return string(cert.RawIssuer) == string(cert.RawSubject) &&
		cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) == nil
}

// misnamed is the hint for a certificate that is made out to somebody else.
func misnamed(e x509.HostnameError) string {
	found := names(e.Certificate)
	if len(found) == 0 {
		return clean(fmt.Sprintf("the server's certificate %q has no subject alternative name, and a common name is none: issue one that is made out to %s", e.Certificate.Subject, e.Host))
	}
	const most = 10
	more := ""
	if n := len(found) - most; n > 0 {
		found, more = found[:most], fmt.Sprintf(" and %d more", n)
	}
	return clean("put a name into LDAP_URL that the server's certificate is made out to: " + strings.Join(found, ", ") + more)
}

// names are what a certificate is made out to (RFC 6125, section 6.4.4: a
// common name does not count).
func names(cert *x509.Certificate) []string {
	all := slices.Clone(cert.DNSNames)
	for _, ip := range cert.IPAddresses {
		all = append(all, ip.String())
	}
	return all
}

// unfit is the hint for a certificate that does not serve, or not now.
func unfit(e x509.CertificateInvalidError) string {
	day := func(t time.Time) string { return t.UTC().Format(time.DateOnly) }
	from, to := e.Cert.NotBefore, e.Cert.NotAfter
	switch e.Reason {
	case x509.Expired:
		return clean(fmt.Sprintf("the certificate %q is valid from %s to %s: renew it, or set this machine's clock", e.Cert.Subject, day(from), day(to)))
	case x509.IncompatibleUsage:
		return "the certificate is not for a server's use (extended key usage serverAuth): give the server another"
	case x509.NotAuthorizedToSign:
		return clean(fmt.Sprintf("the certificate %q may not issue others: put the right authority's certificate into the SSL_CA_PATH folder", e.Cert.Subject))
	}
	return ""
}

// alerts are what a server says before it hangs up (RFC 8446, section 6.2), in
// crypto/tls's words, and what to do about it. With TLS 1.3 a server's no to a
// client certificate arrives only with the answer to the first request.
var alerts = []struct{ says, hint string }{
	{"protocol version not supported", "the server knows no TLS 1.2 or newer, and older ones are not safe: update or configure the server"},
	{"server selected unsupported protocol version", "the server knows no TLS 1.2 or newer, and older ones are not safe: update or configure the server"},
	{"certificate required", "the server wants a client certificate: set LDAP_CLIENT_CERT and LDAP_CLIENT_KEY"},
	{"handshake failure", "the server and this program have no TLS method in common, or the server wants a client certificate: LDAP_CLIENT_CERT"},
	{"unknown certificate authority", "the server does not trust the authority that issued LDAP_CLIENT_CERT: let it, and have LDAP_CLIENT_CERT hold the certificates between as well"},
	{"expired certificate", "the server says that LDAP_CLIENT_CERT has expired: renew it, or set the clocks"},
	{"revoked certificate", "the server says that LDAP_CLIENT_CERT was revoked: replace it"},
	{"bad certificate", "the server does not take LDAP_CLIENT_CERT: it must be made out to a client (extended key usage clientAuth) by an authority that the server trusts"},
	{"unsupported certificate", "the server does not take LDAP_CLIENT_CERT: it must be made out to a client (extended key usage clientAuth)"},
	{"certificate unknown", "the server does not take LDAP_CLIENT_CERT: its log says why"},
}

func alertHint(text string) string {
	_, said, ok := strings.Cut(text, "tls: ")
	if !ok {
		return ""
	}
	for _, a := range alerts {
		if strings.Contains(said, a.says) {
			return a.hint
		}
	}
	return ""
}
