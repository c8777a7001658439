package clientcert

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// issuerSerial is a certificate as altSecurityIdentities has it
// (KB5014754): X509:<I>ISSUER<SR>SERIAL, the issuer from its root on and the
// serial number with its last octet first.
func issuerSerial(c *x509.Certificate) string {
	serial := c.SerialNumber.Bytes()
	if len(serial) > 0 && serial[0] >= 0x80 {
		serial = append([]byte{0}, serial...) // as it is encoded
	}
	slices.Reverse(serial)
	return "X509:<I>" + windowsName(c.RawIssuer) + "<SR>" + hex.EncodeToString(serial)
}

// The attributes that Windows abbreviates (CertNameToStr, CERT_X500_NAME_STR).
var abbreviations = map[string]string{
	"2.5.4.3": "CN", "2.5.4.4": "SN", "2.5.4.5": "SERIALNUMBER", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "S",
	"2.5.4.9": "STREET", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.12": "T", "2.5.4.42": "G", "2.5.4.43": "I",
	"0.9.2342.19200300.100.1.25": "DC", "1.2.840.113549.1.9.1": "E",
}

// windowsName writes a name as Windows does, in its encoded order.
func windowsName(raw []byte) string {
	var name pkix.RDNSequence
	if rest, err := asn1.Unmarshal(raw, &name); err != nil || len(rest) > 0 {
		return ""
	}
	var parts []string
	for _, set := range name {
		var values []string
		for _, a := range set {
			kind, known := abbreviations[a.Type.String()]
			if !known {
				kind = "OID." + a.Type.String()
			}
			values = append(values, kind+"="+quoted(fmt.Sprint(a.Value)))
		}
		parts = append(parts, strings.Join(values, " + "))
	}
	return strings.Join(parts, ",")
}

func quoted(value string) string {
	if value != "" && !strings.ContainsAny(value, ",+=\"\n<>#;") && strings.TrimSpace(value) == value {
		return value
	}
	return `"` + strings.ReplaceAll(value, `"`, `""`) + `"`
}
