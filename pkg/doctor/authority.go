package doctor

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"
)

// trustFix adds the authority that a server shows.
func trustFix(chain func(context.Context, *Env) (Shown, error)) *Fix {
	return &Fix{Says: "Trust the CA that is behind the certificate, after its thumbprint has been compared", Plan: func(ctx context.Context, e *Env) (Planned, error) {
		s, err := chain(ctx, e)
		if err != nil {
			return Planned{}, err
		}
		ca, err := s.authority(e.now())
		if err != nil {
			return Planned{}, err
		}
		if e.Network.Trust == nil {
			return Planned{}, errors.New("there is no home that could keep the CA's certificate; give it to install by --ca-file")
		}
		by := "issued by itself"
		if !bytes.Equal(ca.RawIssuer, ca.RawSubject) {
			by = "issued by " + who(ca.Issuer)
		}
		pin := Fingerprint(ca)
		return Planned{
			Says: fmt.Sprintf("Trust the CA %s from now on, SHA-256 %s, valid from %s to %s, %s, as %s shows it; whoever has its key can read and change what passes between the connector and any server",
				who(ca.Subject), pin, ca.NotBefore.UTC().Format(time.DateOnly), ca.NotAfter.UTC().Format(time.DateOnly), by, s.Server),
			Pin: pin,
			Do:  func(context.Context) error { return e.Network.Trust(ca) },
		}, nil
	}}
}

// Shown is what a server has shown.
type Shown struct {
	Server string // HOST:PORT, for people
	Host   string // whom its certificate must be for
	Chain  []*x509.Certificate
	Err    error // why it is not trusted
}

func (s Shown) trusted() bool { return s.Err == nil }

// authority returns the certificate that would make the chain trusted, and is
// one that a private authority or an inspecting proxy may have. Which one is
// behind a chain is known by its certificate alone, not by its name.
func (s Shown) authority(now time.Time) (*x509.Certificate, error) {
	if unknown := (x509.UnknownAuthorityError{}); !errors.As(s.Err, &unknown) || len(s.Chain) == 0 {
		return nil, errors.New("what is wrong with the certificate of " + s.Server + " is not its CA")
	}
	top := s.Chain[len(s.Chain)-1]
	switch {
	case public(top.Issuer) || public(top.Subject):
		return nil, fmt.Errorf("%s bears the name of a public CA, which this machine does not know it for: bring the system's CA certificates up to date", root(s.Chain))
	case len(s.Chain) == 1:
		return nil, fmt.Errorf("%s shows its own certificate alone, and not that of %s: get that from whoever runs it, compare its thumbprint, and put it into SSL_CA_PATH", s.Server, root(s.Chain))
	case !top.IsCA || !top.BasicConstraintsValid:
		return nil, fmt.Errorf("the certificate of %s that %s shows is no CA's", who(top.Subject), s.Server)
	}
	o := x509.VerifyOptions{DNSName: s.Host, CurrentTime: now, Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool()}
	o.Roots.AddCert(top)
	for _, c := range s.Chain[1 : len(s.Chain)-1] {
		o.Intermediates.AddCert(c)
	}
	if _, err := s.Chain[0].Verify(o); err != nil {
		return nil, fmt.Errorf("to trust %s would not help: %w", who(top.Subject), err)
	}
	return top, nil
}

// Fingerprint is how people compare certificates: SHA-256, in hexadecimal, an
// octet at a time.
func Fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return strings.ReplaceAll(fmt.Sprintf("% X", sum[:]), " ", ":")
}

// shownByTenant is what the tenant, or who answers in its place, has shown.
func shownByTenant(ctx context.Context, e *Env) (Shown, error) {
	if e.Network.Handshake == nil {
		return Shown{}, errors.New(noTenant)
	}
	h, err := e.Network.Handshake(ctx)
	return Shown{Server: h.Server, Host: hostOf("https://" + h.Server), Chain: h.Chain, Err: h.Err}, err
}

// shownByDirectory is what the first server has shown that is not trusted.
func shownByDirectory(ctx context.Context, e *Env) (Shown, error) {
	if e.Directory.Servers == nil || e.Directory.Peer == nil {
		return Shown{}, errors.New(noDirectory)
	}
	servers, err := e.Directory.Servers(ctx)
	if err != nil {
		return Shown{}, err
	}
	for _, s := range servers {
		if !s.TLS {
			continue
		}
		p, err := e.Directory.Peer(ctx, s)
		if err != nil {
			continue // it is no matter of trust
		}
		shown := Shown{Server: s.URL, Host: hostOf(s.URL), Chain: p.Certificates, Err: p.Fault}
		if !shown.trusted() {
			return shown, nil
		}
	}
	return Shown{}, errors.New("no server shows a certificate that is not trusted")
}
