package keys

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// Bounds on what Parse reads. A certificate may be followed by its chain; a
// key of RSA 16384, the largest that OpenSSL accepts, takes 13 KiB of PEM.
const (
	maxCertPEM = 64 << 10
	maxKeyPEM  = 16 << 10
	minBits    = 1024 // below that the standard library does not sign
	maxBits    = 16384
)

// Parse reads a pair from PEM: a certificate, of which a chain may follow and
// is not looked at, and its private key of RSA in PKCS#1 or PKCS#8. The error
// says which of the two parts is wrong and why, and shows nothing of the key.
func Parse(certPEM, keyPEM []byte) (*Pair, error) {
	cert, err := parseCertificate(certPEM)
	if err != nil {
		return nil, fmt.Errorf("read the certificate: %w", err)
	}
	key, err := parseKey(keyPEM)
	if err != nil {
		return nil, fmt.Errorf("read the private key: %w", err)
	}
	if !key.PublicKey.Equal(cert.PublicKey) {
		return nil, errors.New("read the key pair: the private key does not belong to the certificate")
	}
	return &Pair{
		Signer:      key,
		Certificate: cert,
		certPEM:     bytes.Clone(certPEM),
		keyPEM:      bytes.Clone(keyPEM),
	}, nil
}

func parseCertificate(text []byte) (*x509.Certificate, error) {
	blocks, err := decode(text, maxCertPEM)
	if err != nil {
		return nil, err
	}
	var der []byte
	for _, b := range blocks {
		// The certificate is shown and sent to others; a key must not lie
		// where only public things are expected.
		if isKey(b) {
			return nil, errors.New("a private key lies beside it, where only certificates belong")
		}
		if der == nil && b.Type == "CERTIFICATE" {
			der = b.Bytes
		}
	}
	if der == nil {
		return nil, fmt.Errorf("it is a PEM of %s, not of a CERTIFICATE", types(blocks))
	}
	return x509.ParseCertificate(der)
}

func parseKey(text []byte) (*rsa.PrivateKey, error) {
	blocks, err := decode(text, maxKeyPEM)
	if err != nil {
		return nil, err
	}
	var found *pem.Block
	for _, b := range blocks {
		switch {
		case !isKey(b): // a certificate kept beside its key does no harm
		case found != nil:
			return nil, errors.New("there are several; leave one")
		default:
			found = b
		}
	}
	if found == nil {
		return nil, fmt.Errorf("it is a PEM of %s, not of a PRIVATE KEY", types(blocks))
	}
	if found.Type == "ENCRYPTED PRIVATE KEY" || found.Headers["DEK-Info"] != "" || strings.Contains(found.Headers["Proc-Type"], "ENCRYPTED") {
		return nil, errors.New("it is encrypted with a passphrase; remove the passphrase first (openssl rsa -in KEY -out NEW)")
	}
	key, err := privateKey(found)
	if err != nil {
		return nil, err
	}
	if bits := key.N.BitLen(); bits < minBits || bits > maxBits {
		return nil, fmt.Errorf("it has %d bits, and must have %d to %d", bits, minBits, maxBits)
	}
	return key, nil
}

// privateKey decodes a block. The causes given by the standard library are
// left out: they tell programmers about ASN.1, and need not be trusted to
// never quote what they read.
func privateKey(b *pem.Block) (*rsa.PrivateKey, error) {
	if b.Type == "RSA PRIVATE KEY" {
		key, err := x509.ParsePKCS1PrivateKey(b.Bytes)
		if err != nil {
			return nil, errors.New("its content is damaged, or no key of RSA (PKCS#1)")
		}
		return key, nil
	}
	if b.Type == "PRIVATE KEY" {
		parsed, err := x509.ParsePKCS8PrivateKey(b.Bytes)
		if err != nil {
			return nil, errors.New("its content is damaged, or no private key (PKCS#8)")
		}
		if key, ok := parsed.(*rsa.PrivateKey); ok {
			return key, nil
		}
	}
	// The tokens and assertions that the tenant expects are signed with RSA.
	return nil, errors.New("it is no key of RSA, and the tenant accepts no other")
}

// decode splits text into its PEM blocks.
func decode(text []byte, limit int) ([]*pem.Block, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, errors.New("it is empty")
	}
	if len(text) > limit {
		return nil, fmt.Errorf("it is larger than %d bytes", limit)
	}
	var blocks []*pem.Block
	for rest := text; ; {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			break
		}
		blocks = append(blocks, b)
	}
	begun := bytes.Count(text, []byte("-----BEGIN "))
	switch {
	case begun > 0 && bytes.Contains(text, []byte(`\n`)) && !bytes.Contains(text, []byte("\n")):
		return nil, errors.New(`it is one line with \n written out; give it real line ends`)
	case bytes.HasPrefix(text, []byte("\xef\xbb\xbf")):
		return nil, errors.New("it begins with a byte order mark; save it as plain UTF-8")
	case begun == 0:
		return nil, errors.New("it is not PEM: there is no line -----BEGIN ...-----")
	case len(blocks) < begun: // pem.Decode steps over what it cannot read
		return nil, errors.New("its PEM is damaged or cut short")
	}
	return blocks, nil
}

func isKey(b *pem.Block) bool { return strings.HasSuffix(b.Type, "PRIVATE KEY") }

// types names the kinds of block found, which are public text.
func types(blocks []*pem.Block) string {
	var names []string
	for _, b := range blocks {
		names = append(names, fmt.Sprintf("%.40q", b.Type))
	}
	return strings.Join(names, ", ")
}
