package clientcert

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/url"
	"strings"
)

// maxHeader is more than any chain in a header, in characters.
const maxHeader = 64 << 10

// ParseHeader reads the certificate that a server in front passes on, in any of
// their forms: RFC 9440 (:BASE64:), PEM, as it is, with blanks for its line
// ends or with percent signs (Apache, nginx, AWS), base64 (HAProxy, Azure,
// Traefik), or Envoy's list of fields. It returns none for a header that says
// so. What follows the user's own certificate is its chain.
func ParseHeader(value string) ([]*x509.Certificate, error) {
	value = strings.TrimSpace(value)
	switch {
	case value == "" || value == "(null)" || value == "-":
		return nil, nil
	case len(value) > maxHeader:
		return nil, deny(Malformed, nil, "the header has %d characters", len(value))
	}
	if field, ok := envoy(value); ok {
		value = field
	}
	if strings.Contains(value, "%") {
		plain, err := url.PathUnescape(value) // a + is one of base64's
		if err != nil {
			return nil, deny(Malformed, nil, "the header's percent signs are not right")
		}
		value = plain
	}
	der, err := headerDER(value)
	if err != nil {
		return nil, err
	}
	var chain []*x509.Certificate
	for _, d := range der {
		c, err := x509.ParseCertificate(d)
		if err != nil {
			return nil, deny(Malformed, nil, "the header holds no certificate")
		}
		chain = append(chain, c)
	}
	return chain, nil
}

// envoy returns the certificate of the last hop in an x-forwarded-client-cert,
// which is the one that wrote it for us.
func envoy(value string) (string, bool) {
	i := strings.LastIndex(value, `Cert="`)
	if i < 0 || i > 0 && !strings.ContainsRune(";,", rune(value[i-1])) {
		return "", false
	}
	field, _, closed := strings.Cut(value[i+len(`Cert="`):], `"`)
	if !closed {
		field = ""
	}
	return field, true
}

const (
	pemBegin = "-----BEGIN CERTIFICATE-----"
	pemEnd   = "-----END CERTIFICATE-----"
)

func headerDER(value string) (der [][]byte, err error) {
	if !strings.Contains(value, pemBegin) {
		value = strings.TrimSuffix(strings.TrimPrefix(value, ":"), ":")
		for part := range strings.SplitSeq(value, ",") {
			d, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(part), ""))
			if err != nil || len(d) == 0 {
				return nil, deny(Malformed, nil, "the header is of no known form")
			}
			der = append(der, d)
		}
		return der, tooMany(der)
	}
	for rest := value; strings.Contains(rest, pemBegin); {
		var body string
		_, rest, _ = strings.Cut(rest, pemBegin)
		body, after, closed := strings.Cut(rest, pemEnd)
		if !closed {
			return nil, deny(Malformed, nil, "the header's certificate is cut off")
		}
		block, _ := pem.Decode([]byte(pemBegin + "\n" + strings.Join(strings.Fields(body), "\n") + "\n" + pemEnd + "\n"))
		if block == nil || bytes.Equal(block.Bytes, nil) {
			return nil, deny(Malformed, nil, "the header's PEM is not right")
		}
		der, rest = append(der, block.Bytes), after
	}
	return der, tooMany(der)
}

func tooMany(der [][]byte) error {
	if len(der) > maxChain {
		return deny(Malformed, nil, "the header holds %d certificates", len(der))
	}
	return nil
}
