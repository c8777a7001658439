package tenant

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strconv"
	"strings"
	"time"
)

// certificate explains why a certificate is not trusted; nil when the error is
// about something else.
func certificate(err error) (Cause, error) {
	var (
		chain     []*x509.Certificate
		failed    *tls.CertificateVerificationError
		authority x509.UnknownAuthorityError
		invalid   x509.CertificateInvalidError
		host      x509.HostnameError
		roots     x509.SystemRootsError
	)
	if errors.As(err, &failed) {
		chain = failed.UnverifiedCertificates
	}
	switch {
	case errors.As(err, &host):
		return CauseTLSName, failuref(err, "its certificate is for %s, not for %q", names(host.Certificate), host.Host)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil:
		return period(err, invalid)
	case errors.As(err, &authority):
		if len(chain) == 0 && authority.Cert != nil {
			chain = []*x509.Certificate{authority.Cert}
		}
		return untrusted(err, chain)
	case errors.As(err, &invalid), errors.As(err, &roots):
		return CauseTLS, failuref(err, "its certificate: %s", strings.TrimPrefix(err.Error(), "tls: failed to verify certificate: "))
	case failed != nil:
		return CauseTLS, failuref(err, "its certificate: %v", failed.Err)
	}
	return "", nil
}

func period(err error, e x509.CertificateInvalidError) (Cause, error) {
	// The check's clock is not ours to ask; its words say which end it means.
	if strings.Contains(e.Detail, " is before ") {
		return CauseTLSEarly, failuref(err, "the certificate of %s is valid only from %s", subject(e.Cert), day(e.Cert.NotBefore))
	}
	return CauseTLSExpired, failuref(err, "the certificate of %s expired at %s", subject(e.Cert), day(e.Cert.NotAfter))
}

func untrusted(err error, chain []*x509.Certificate) (Cause, error) {
	if len(chain) == 0 {
		return CauseTLSAuthority, failuref(err, "its certificate is signed by an authority that this machine does not trust")
	}
	if leaf := chain[0]; bytes.Equal(leaf.RawIssuer, leaf.RawSubject) {
		return CauseTLSSelfSigned, failuref(err, "its certificate is signed by itself (%s), and this machine does not trust it", subject(leaf))
	}
	// The last one's issuer is whom to trust: the others were handed to us.
	top := chain[len(chain)-1]
	return CauseTLSAuthority, failuref(err, "its certificate is signed by %s, which this machine does not trust",
		title(top.Issuer.CommonName, top.Issuer.Organization, top.Issuer.String()))
}

func subject(c *x509.Certificate) string {
	return title(c.Subject.CommonName, c.Subject.Organization, names(c))
}

// title picks the shortest name that says who it is.
func title(common string, organisation []string, otherwise string) string {
	switch {
	case common != "":
		return strconv.Quote(short(common))
	case len(organisation) > 0 && organisation[0] != "":
		return strconv.Quote(short(organisation[0]))
	}
	return otherwise
}

// names lists the hosts that a certificate is made out to.
func names(c *x509.Certificate) string {
	if c == nil {
		return "another host"
	}
	var all []string
	for _, n := range c.DNSNames {
		all = append(all, strconv.Quote(short(n)))
	}
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	const most = 5
	switch {
	case len(all) == 0:
		return "no host at all"
	case len(all) > most:
		all = append(all[:most], "others")
	}
	return strings.Join(all, ", ")
}

// short keeps a stranger's text from filling a screen.
func short(s string) string {
	const most = 100
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "..."
	}
	return s
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
