package clientcert

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"time"
)

// A crl is a revocation list (RFC 5280, section 5), read.
type crl struct {
	list    *x509.RevocationList // without its entries
	revoked map[string]bool      // by serial number
	partial string               // why it does not speak of everything; ""
	users   bool                 // it speaks of users' certificates
	others  bool                 // it speaks of authorities'
}

var (
	oidDelta = asn1.ObjectIdentifier{2, 5, 29, 27}
	oidIDP   = asn1.ObjectIdentifier{2, 5, 29, 28}
)

func parseCRL(data []byte) (*crl, error) {
	if block, _ := pem.Decode(data); block != nil {
		data = block.Bytes
	}
	list, err := x509.ParseRevocationList(data)
	if err != nil {
		return nil, errors.New("it is no revocation list")
	}
	c := &crl{list: list, revoked: make(map[string]bool, len(list.RevokedCertificateEntries)), users: true, others: true}
	for _, e := range list.RevokedCertificateEntries {
		c.revoked[string(e.SerialNumber.Bytes())] = true
	}
	list.RevokedCertificateEntries = nil
	for _, e := range list.Extensions {
		switch {
		case e.Id.Equal(oidDelta):
			c.partial = "it holds changes only"
		case e.Id.Equal(oidIDP):
			c.scope(e.Value)
		case e.Critical:
			c.partial = "it has a critical extension, " + e.Id.String()
		}
	}
	return c, nil
}

// scope reads which certificates the list is about (section 5.2.5).
func (c *crl) scope(value []byte) {
	var s struct {
		Point      asn1.RawValue  `asn1:"optional,tag:0"`
		OnlyUsers  bool           `asn1:"optional,tag:1"`
		OnlyOthers bool           `asn1:"optional,tag:2"`
		Reasons    asn1.BitString `asn1:"optional,tag:3"`
		Indirect   bool           `asn1:"optional,tag:4"`
		Attributes bool           `asn1:"optional,tag:5"`
	}
	if rest, err := asn1.Unmarshal(value, &s); err != nil || len(rest) > 0 || s.Reasons.BitLength > 0 || s.Indirect || s.Attributes {
		c.partial = "it is about some certificates only"
	}
	c.others, c.users = !s.OnlyUsers, !s.OnlyOthers
}

// judge says what the list knows of a certificate: that it is revoked, that it
// is not, or why it cannot say. A list that is out of date still knows whom it
// revokes.
func (c *crl) judge(cert, issuer *x509.Certificate, now time.Time) (status, error) {
	switch {
	case !bytes.Equal(c.list.RawIssuer, cert.RawIssuer):
		return unknown, errors.New("the list is another authority's")
	case c.list.CheckSignatureFrom(issuer) != nil:
		return unknown, errors.New("the list is not signed by the authority")
	case c.revoked[string(cert.SerialNumber.Bytes())]:
		return revoked, nil
	case c.partial != "":
		return unknown, errors.New(c.partial)
	case cert.IsCA && !c.others || !cert.IsCA && !c.users:
		return unknown, errors.New("the list is about other certificates")
	case c.list.ThisUpdate.After(now.Add(clockSkew)):
		return unknown, errors.New("the list is not valid yet")
	case !c.list.NextUpdate.IsZero() && now.After(c.list.NextUpdate.Add(clockSkew)):
		return unknown, errors.New("the list ended at " + c.list.NextUpdate.UTC().Format(time.RFC3339))
	}
	return good, nil
}
