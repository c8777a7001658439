// Package keys holds the connector's key pair and the secrets sealed with it:
// it makes pairs, reads them from PEM, and encrypts the service account's
// password in the formats that the existing connector reads and writes. It
// works on bytes alone; package home keeps them on disk.
package keys

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// A Pair is a private key and the self-signed certificate that the tenant
// knows it by. Make one with Generate or Parse: only those know the PEM text
// of the key, which Seal and Open use as their passphrase. A Pair does not
// change and is safe for concurrent use.
type Pair struct {
	Signer      crypto.Signer
	Certificate *x509.Certificate

	certPEM, keyPEM []byte
}

const (
	keyBits = 2048
	// validity is long on purpose. The tenant pins the certificate that the
	// first node of a connection registers, every other node holds a copy of
	// it, and nobody renews it unasked: an expiry date would be an outage with a date.
	validity = 10 // years
	// A tenant whose clock is a little behind ours must not find a
	// certificate that begins in its future.
	backdate = time.Hour

	organization = "auth0/ad-ldap-connector" // as in every certificate the existing connector made
)

// Generate makes a key of RSA 2048 and a certificate for it, signed with
// SHA-256 and valid for ten years from now, whose subject names the tenant's
// connection (CN), the directory's domain (OU, left out when empty) and the
// product (O).
func Generate(connection, domain string, now time.Time) (*Pair, error) {
	if connection == "" {
		return nil, errors.New("generate a key pair: the connection's name is empty")
	}
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, fmt.Errorf("generate a key of RSA %d: %w", keyBits, err)
	}
	subject := pkix.Name{CommonName: connection, Organization: []string{organization}}
	if domain != "" {
		subject.OrganizationalUnit = []string{domain}
	}
	return certify(key, x509.Certificate{Subject: subject}, now,
		pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}

// Renew makes another certificate for the same key, with the same subject and
// as long a life as Generate gives one. The text of the key stays byte for byte,
// and so all that Seal made can still be opened.
func (p *Pair) Renew(now time.Time) (*Pair, error) {
	if p == nil || p.Certificate == nil || len(p.keyPEM) == 0 {
		return nil, errors.New("renew a certificate: there is no key pair")
	}
	return certify(p.Signer, x509.Certificate{RawSubject: p.Certificate.RawSubject}, now, p.keyPEM)
}

// certify makes the certificate of a subject that template names.
func certify(key crypto.Signer, template x509.Certificate, now time.Time, keyPEM []byte) (*Pair, error) {
	// Without a serial number in the template a random one is made (RFC 5280,
	// section 4.1.2.2).
	full := &x509.Certificate{
		Subject:               template.Subject,
		RawSubject:            template.RawSubject,
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.AddDate(validity, 0, 0),
		SignatureAlgorithm:    x509.SHA256WithRSA,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true, // CA:FALSE, said aloud
	}
	der, err := x509.CreateCertificate(rand.Reader, full, full, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	return Parse(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), keyPEM)
}

// PEM returns the certificate and the private key byte for byte as they were
// parsed. Whoever stores the key must keep every byte of it, line ends
// included: they are the passphrase of what Seal made.
func (p *Pair) PEM() (cert, key []byte) {
	return bytes.Clone(p.certPEM), bytes.Clone(p.keyPEM)
}

// Thumbprint returns the SHA-1 of the certificate's DER in lower-case hex, the
// form in which the tenant lists certificates and LAST_SENT_THUMBPRINT keeps
// one. It identifies; nothing is secured by it.
func (p *Pair) Thumbprint() string {
	if p == nil || p.Certificate == nil {
		return ""
	}
	sum := sha1.Sum(p.Certificate.Raw)
	return hex.EncodeToString(sum[:])
}

// Format writes the thumbprint for every verb, so that no log line or error
// shows the private key.
func (p Pair) Format(w fmt.State, _ rune) {
	_, _ = io.WriteString(w, "key pair "+p.Thumbprint()) // fmt keeps no errors either
}

// LogValue hides the private key from slog.
func (p Pair) LogValue() slog.Value { return slog.StringValue("key pair " + p.Thumbprint()) }

// MarshalText hides the private key from encoders such as JSON.
func (p Pair) MarshalText() ([]byte, error) { return []byte("key pair " + p.Thumbprint()), nil }
