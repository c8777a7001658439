// Package clientcert proves a browser's user by the certificate that the
// browser shows: it has to lead to an authority that the operator names, to be
// for this use, to be valid and not revoked, and it names the user.
package clientcert

import (
	"context"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"log/slog"
	"net"
	"slices"
	"time"

	"ad-ldap-connector/pkg/identity"
)

// Options say whose certificates are believed, and how they name their users.
type Options struct {
	Authorities []*x509.Certificate // of CA_CERT, roots and others, in any order
	Rules       []Rule              // the first that a certificate has something for counts; none: CommonName
	Revocation  Revocation          // "" is RevocationSoft
	// CRLs are revocation lists that are looked at first: paths, or URLs of
	// http or https.
	CRLs []string

	// Dial reaches whom certificates name for questions of revocation; nil: as
	// the system does.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	Now  func() time.Time // nil: time.Now
	Log  *slog.Logger
}

// A Revocation says what counts as not revoked.
type Revocation string

// The policies there are.
const (
	RevocationOff  Revocation = "off"  // everything
	RevocationSoft Revocation = "soft" // what nobody says is revoked
	RevocationHard Revocation = "hard" // what somebody says is not
)

// A Judge judges certificates. It is safe for concurrent use.
type Judge struct {
	o       Options
	anchors *x509.CertPool
	others  []*x509.Certificate
	revoked *revocations
}

// New returns a Judge. It does no I/O.
func New(o Options) *Judge {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Revocation == "" {
		o.Revocation = RevocationSoft
	}
	if len(o.Rules) == 0 {
		o.Rules = []Rule{{Field: CommonName}}
	}
	j := &Judge{o: o, anchors: x509.NewCertPool(), revoked: newRevocations(o)}
	for _, c := range o.Authorities {
		if anchor(c, o.Authorities) {
			j.anchors.AddCert(c)
		} else {
			j.others = append(j.others, c)
		}
	}
	return j
}

// maxChain is more certificates than any browser has reason to send.
const maxChain = 10

// Accept proves the user of a certificate. The chain begins with the user's
// own, and may lack what CA_CERT has. Whoever sent it has shown to have its key.
// A *Denial is a certificate that proves nobody.
func (j *Judge) Accept(ctx context.Context, chain []*x509.Certificate) (identity.Principal, error) {
	if len(chain) == 0 {
		return identity.Principal{}, errors.New("there is no certificate") // a caller's mistake
	}
	if len(chain) > maxChain {
		return identity.Principal{}, deny(Malformed, chain[0], "%d certificates came along", len(chain)-1)
	}
	leaf := chain[0]
	chains, err := j.verify(chain)
	if err != nil {
		return identity.Principal{}, err
	}
	if err := j.revoked.check(ctx, chains); err != nil {
		return identity.Principal{}, err
	}
	for _, r := range j.o.Rules {
		switch p, ok, err := r.principal(leaf); {
		case err != nil:
			return identity.Principal{}, err
		case ok:
			return p, nil
		}
	}
	return identity.Principal{}, deny(Nameless, leaf, "it has none of what CLIENT_CERT_MAPPING asks for")
}

// verify returns the chains from the user's certificate to an authority.
func (j *Judge) verify(chain []*x509.Certificate) ([][]*x509.Certificate, error) {
	leaf := handled(chain[0])
	now := j.o.Now()
	v := x509.VerifyOptions{
		Roots: j.anchors, Intermediates: x509.NewCertPool(), CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, c := range slices.Concat(j.others, chain[1:]) {
		v.Intermediates.AddCert(c)
	}
	chains, err := leaf.Verify(v)
	if err != nil {
		return nil, unverified(leaf, now, err)
	}
	// A certificate for e-mail or for signing others is no login.
	if leaf.KeyUsage != 0 && leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		return nil, deny(WrongUse, leaf, "its key is not for signatures, which TLS asks for")
	}
	return chains, nil
}

func unverified(leaf *x509.Certificate, now time.Time, err error) error {
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) {
		switch {
		case invalid.Reason == x509.IncompatibleUsage:
			return deny(WrongUse, leaf, "it is not for client authentication")
		case invalid.Reason == x509.Expired && now.Before(invalid.Cert.NotBefore):
			return deny(Expired, leaf, "%.120q is not valid before %s", invalid.Cert.Subject, invalid.Cert.NotBefore.UTC().Format(time.RFC3339))
		case invalid.Reason == x509.Expired:
			return deny(Expired, leaf, "%.120q ended at %s", invalid.Cert.Subject, invalid.Cert.NotAfter.UTC().Format(time.RFC3339))
		}
	}
	return deny(Untrusted, leaf, "%.300s", err.Error())
}

// handled returns the certificate for x509, which does not know that we read
// alternative names it has no use for.
func handled(c *x509.Certificate) *x509.Certificate {
	i := slices.IndexFunc(c.UnhandledCriticalExtensions, func(oid asn1.ObjectIdentifier) bool { return oid.Equal(oidSAN) })
	if i < 0 {
		return c
	}
	clone := *c
	clone.UnhandledCriticalExtensions = slices.Delete(slices.Clone(c.UnhandledCriticalExtensions), i, i+1)
	return &clone
}
