package clientcert

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// ParseAuthorities reads the PEM texts of CA_CERT.
func ParseAuthorities(texts []string) (all []*x509.Certificate, err error) {
	for n, text := range texts {
		found := 0
		for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
			switch block.Type {
			case "CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE":
			default:
				return nil, fmt.Errorf("entry %d holds a %.40s, and only certificates belong there", n+1, block.Type)
			}
			c, err := parseTrusted(block)
			if err != nil {
				return nil, fmt.Errorf("entry %d: read a certificate: %w", n+1, err)
			}
			if !c.BasicConstraintsValid || !c.IsCA {
				return nil, fmt.Errorf("entry %d: %q is no authority: its certificate may not issue others", n+1, c.Subject)
			}
			all, found = append(all, c), found+1
		}
		if found == 0 {
			return nil, fmt.Errorf("entry %d holds no certificate in PEM form", n+1)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("there is no certificate")
	}
	return all, nil
}

// parseTrusted parses a certificate, behind which OpenSSL's own form has notes.
func parseTrusted(block *pem.Block) (*x509.Certificate, error) {
	der := block.Bytes
	if block.Type == "TRUSTED CERTIFICATE" {
		var own rawValue
		if _, err := unmarshal(der, &own); err != nil {
			return nil, err
		}
		der = own.FullBytes
	}
	return x509.ParseCertificate(der)
}

// anchor reports whether chains end at an authority: it has issued itself, or
// who issued it is not among them.
func anchor(c *x509.Certificate, all []*x509.Certificate) bool {
	if bytes.Equal(c.RawSubject, c.RawIssuer) {
		return true
	}
	for _, issuer := range all {
		if bytes.Equal(issuer.RawSubject, c.RawIssuer) && c.CheckSignatureFrom(issuer) == nil {
			return false
		}
	}
	return true
}
