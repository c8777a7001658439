package clientcert

import (
	"crypto/x509"
	"fmt"
)

// A Reason says why a certificate proves nobody.
type Reason string

// The reasons there are.
const (
	Malformed Reason = "malformed" // it is no certificate, or no usual one
	Untrusted Reason = "untrusted" // it leads to no authority of CA_CERT
	Expired   Reason = "expired"   // it, or an authority above it, is not valid now
	WrongUse  Reason = "wrong_use" // it is for something else
	Revoked   Reason = "revoked"   // its authority has taken it back
	Unknown   Reason = "unknown"   // nobody says whether it has, and that is asked for
	Nameless  Reason = "nameless"  // it does not name a user as the rules have it
)

// A Denial says that a certificate proves nobody.
type Denial struct {
	Reason  Reason
	Subject string // of the certificate
	Detail  string
}

func deny(r Reason, c *x509.Certificate, format string, args ...any) error {
	d := &Denial{Reason: r, Detail: fmt.Sprintf(format, args...)}
	if c != nil {
		d.Subject = fmt.Sprintf("%.200s", c.Subject.String())
	}
	return d
}

var said = map[Reason]string{
	Malformed: "the client certificate is malformed",
	Untrusted: "the client certificate leads to no authority of CA_CERT",
	Expired:   "the client certificate is not valid now",
	WrongUse:  "the client certificate is for another use",
	Revoked:   "the client certificate has been revoked",
	Unknown:   "nobody says whether the client certificate has been revoked",
	Nameless:  "the client certificate does not name its user",
}

func (d *Denial) Error() string {
	s := said[d.Reason]
	if d.Subject != "" {
		s += fmt.Sprintf(", %q", d.Subject)
	}
	if d.Detail != "" {
		s += ": " + d.Detail
	}
	return s
}

// Hint says what usually mends it.
func (d *Denial) Hint() string {
	switch d.Reason {
	case Untrusted:
		return "put the authority that issues the users' certificates into CA_CERT, with those above it that browsers do not send"
	case Unknown:
		return "let this machine reach what the certificate names for revocation, list the CRL in CLIENT_CERT_CRL, or set CLIENT_CERT_REVOCATION to soft"
	case Nameless:
		return "set CLIENT_CERT_MAPPING to what the users' certificates have: connector help client-certificates"
	case WrongUse:
		return "issue certificates with the extended key usage clientAuth"
	}
	return ""
}
