package doctor

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"
)

// An issuer can sign others.
type issuer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// issue makes a certificate; by itself when by is nil.
func issue(t *testing.T, by *issuer, change func(*x509.Certificate)) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "acme.example"}, DNSNames: []string{"acme.example"},
		NotBefore: noon.AddDate(0, -1, 0), NotAfter: noon.AddDate(1, 0, 0), BasicConstraintsValid: true,
	}
	change(c)
	parent, signer := c, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return &issuer{c, key}
}

func authorityOf(name pkix.Name) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.Subject, c.IsCA, c.DNSNames = name, true, nil
	}
}

func TestAuthority(t *testing.T) {
	corp := pkix.Name{CommonName: "Corp Inspection CA", Organization: []string{"Corp"}}
	ca := issue(t, nil, authorityOf(corp))
	leaf := issue(t, ca, func(*x509.Certificate) {})
	middle := issue(t, ca, authorityOf(pkix.Name{CommonName: "Corp Middle CA"}))
	below := issue(t, middle, func(*x509.Certificate) {})
	namesake := issue(t, nil, authorityOf(corp)) // another key
	ended := issue(t, nil, func(c *x509.Certificate) { authorityOf(corp)(c); c.NotAfter = noon.Add(-time.Hour) })
	posing := issue(t, nil, authorityOf(pkix.Name{CommonName: "R11", Organization: []string{"Let's Encrypt"}}))
	commoner := issue(t, nil, func(c *x509.Certificate) { c.Subject = corp })
	unknown := error(x509.UnknownAuthorityError{})
	for _, tt := range []struct {
		name  string
		host  string
		chain []*issuer
		err   error
		want  *issuer
		says  string
	}{
		{"shown", "acme.example", []*issuer{leaf, ca}, unknown, ca, ""},
		{"with one between", "acme.example", []*issuer{below, middle, ca}, unknown, ca, ""},
		{"the one between alone", "acme.example", []*issuer{below, middle}, unknown, middle, ""},
		{"not shown", "acme.example", []*issuer{leaf}, unknown, nil, "shows its own certificate alone"},
		{"itself", "acme.example", []*issuer{issue(t, nil, func(*x509.Certificate) {})}, unknown, nil, "shows its own certificate alone"},
		{"nothing", "acme.example", nil, unknown, nil, "not its CA"},
		{"another fault", "acme.example", []*issuer{leaf, ca}, x509.HostnameError{}, nil, "not its CA"},
		{"no fault", "acme.example", []*issuer{leaf, ca}, nil, nil, "not its CA"},
		{"another host", "other.example", []*issuer{leaf, ca}, unknown, nil, "would not help"},
		{"a namesake", "acme.example", []*issuer{leaf, namesake}, unknown, nil, "would not help"},
		{"ended", "acme.example", []*issuer{issue(t, ended, func(*x509.Certificate) {}), ended}, unknown, nil, "would not help"},
		{"a public name", "acme.example", []*issuer{issue(t, posing, func(*x509.Certificate) {}), posing}, unknown, nil, "bears the name of a public CA"},
		{"no CA", "acme.example", []*issuer{issue(t, commoner, func(*x509.Certificate) {}), commoner}, unknown, nil, "is no CA's"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := Shown{Server: "acme.example:443", Host: tt.host, Err: tt.err}
			for _, c := range tt.chain {
				s.Chain = append(s.Chain, c.cert)
			}
			got, err := s.authority(noon)
			if tt.want != nil && (err != nil || !got.Equal(tt.want.cert)) || tt.want == nil && (err == nil || !strings.Contains(err.Error(), tt.says)) {
				t.Errorf("%v, %v; want %s", got, err, tt.says)
			}
		})
	}
}

// What is asked for is pinned to what was shown, and that is what is trusted.
func TestTrustIsPinned(t *testing.T) {
	ca := issue(t, nil, authorityOf(pkix.Name{CommonName: "Corp\x1b[2J\nCA"}))
	leaf := issue(t, ca, func(*x509.Certificate) {})
	var trusted *x509.Certificate
	e := Env{Now: func() time.Time { return noon }}
	e.Network.Handshake = func(context.Context) (Handshake, error) {
		return Handshake{Server: "acme.example:443", Version: 0x304, Chain: []*x509.Certificate{leaf.cert, ca.cert}, Err: x509.UnknownAuthorityError{Cert: leaf.cert}}, nil
	}
	c, err := Lookup("tls.tenant")
	if err != nil {
		t.Fatal(err)
	}
	r := Run(t.Context(), &e, []Check{*c}, nil, nil)
	if got, err := Mend(t.Context(), &e, r, nil); err != nil || len(got) != 1 || !strings.Contains(got[0].Error, "no home") {
		t.Errorf("without a home: %+v, %v", got, err)
	}
	e.Network.Trust = func(c *x509.Certificate) error { trusted = c; return nil }
	for _, no := range []func(Check, Planned) (bool, error){
		func(Check, Planned) (bool, error) { return false, nil },
		func(Check, Planned) (bool, error) { return false, Refused("nobody can be asked") },
	} {
		if got, err := Mend(t.Context(), &e, r, no); err != nil || trusted != nil || got[0].Done {
			t.Errorf("%+v, %v", got, err)
		}
	}
	got, err := Mend(t.Context(), &e, r, func(_ Check, p Planned) (bool, error) {
		if p.Pin != Fingerprint(ca.cert) || strings.ContainsAny(p.Says, "\x1b\n") {
			t.Errorf("it asks %q for %s", p.Says, p.Pin)
		}
		for _, part := range []string{p.Pin, "2026-02-01 to 2027-03-01", "issued by itself", "acme.example:443"} {
			if !strings.Contains(p.Says, part) {
				t.Errorf("%q does not say %q", p.Says, part)
			}
		}
		return true, nil
	})
	if err != nil || !got[0].Done || !trusted.Equal(ca.cert) {
		t.Errorf("%+v, %v", got, err)
	}
	e.Network.Trust = func(*x509.Certificate) error { return errors.New("read-only file system") }
	if got, err := Mend(t.Context(), &e, r, func(Check, Planned) (bool, error) { return true, nil }); err != nil || got[0].Error != "read-only file system" {
		t.Errorf("%+v, %v", got, err)
	}
}
