package clientcert

import (
	"crypto/x509"
	"encoding/asn1"
	"regexp"
	"strings"
)

var (
	oidSAN       = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidSID       = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 25, 2}    // szOID_NTDS_CA_SECURITY_EXT (MS-WCCE, section 2.2.2.7.7.4)
	oidObjectSID = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 25, 2, 1} // szOID_NTDS_OBJECTSID
	oidUPN       = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 20, 2, 3} // szOID_NT_PRINCIPAL_NAME
	oidCN        = asn1.ObjectIdentifier{2, 5, 4, 3}
	oidEmail     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}
)

type rawValue = asn1.RawValue

func unmarshal(b []byte, to any) ([]byte, error) { return asn1.Unmarshal(b, to) }

// otherNames returns the values of a kind among the other names of GeneralNames
// (RFC 5280, section 4.2.1.6): texts, whatever kind of string they are.
func otherNames(general []byte, kind asn1.ObjectIdentifier) (values []string) {
	var names rawValue
	if rest, err := asn1.Unmarshal(general, &names); err != nil || len(rest) > 0 || names.Tag != asn1.TagSequence || names.Class != asn1.ClassUniversal {
		return nil
	}
	for rest := names.Bytes; len(rest) > 0; {
		var name rawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &name); err != nil {
			return nil
		}
		if name.Class != asn1.ClassContextSpecific || name.Tag != 0 {
			continue
		}
		var oid asn1.ObjectIdentifier
		var outer, inner rawValue
		tail, err := asn1.Unmarshal(name.Bytes, &oid)
		if err != nil || !oid.Equal(kind) {
			continue
		}
		if _, err := asn1.Unmarshal(tail, &outer); err != nil || outer.Class != asn1.ClassContextSpecific || outer.Tag != 0 {
			continue
		}
		if _, err := asn1.Unmarshal(outer.Bytes, &inner); err != nil || inner.IsCompound || inner.Class != asn1.ClassUniversal {
			continue
		}
		switch inner.Tag {
		case asn1.TagUTF8String, asn1.TagOctetString, asn1.TagIA5String, asn1.TagPrintableString:
			values = append(values, string(inner.Bytes))
		}
	}
	return values
}

func extension(c *x509.Certificate, oid asn1.ObjectIdentifier) []byte {
	for _, e := range c.Extensions {
		if e.Id.Equal(oid) {
			return e.Value
		}
	}
	return nil
}

var sid = regexp.MustCompile(`^S-1(-[0-9]{1,10}){2,15}$`)

// sidURI begins an alternative name that holds a SID, for requests that name
// their subject themselves.
const sidURI = "tag:microsoft.com,2022-09-14:sid:"

// sids returns the security identifiers of a certificate's account.
func sids(c *x509.Certificate) []string {
	all := otherNames(extension(c, oidSID), oidObjectSID)
	for _, uri := range c.URIs {
		if text, ok := strings.CutPrefix(uri.String(), sidURI); ok {
			all = append(all, text)
		}
	}
	return all
}

func upns(c *x509.Certificate) []string { return otherNames(extension(c, oidSAN), oidUPN) }

// subjectNames returns the values of one attribute of the subject.
func subjectNames(c *x509.Certificate, oid asn1.ObjectIdentifier) (values []string) {
	for _, n := range c.Subject.Names {
		if text, ok := n.Value.(string); ok && n.Type.Equal(oid) {
			values = append(values, text)
		}
	}
	return values
}

func emails(c *x509.Certificate) []string {
	if len(c.EmailAddresses) > 0 {
		return c.EmailAddresses
	}
	return subjectNames(c, oidEmail) // where they were before there were alternative names
}
