package keys

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
)

// fingerprintSize is in bytes: enough that two secrets never have one by chance.
const fingerprintSize = 8

// Fingerprint returns 16 hex digits that tell secrets apart, and show nothing of
// them to anybody without the private key, not even by guessing. The nodes of a
// connection have one key, and so find one fingerprint; that of "" is "".
func (p *Pair) Fingerprint(secret string) string {
	if secret == "" {
		return ""
	}
	sum, err := p.derive("fingerprint", secret, fingerprintSize)
	if err != nil {
		return ""
	}
	return hex.EncodeToString(sum)
}

// derive makes at most 32 bytes of a text with the private key, for one purpose.
// The line ends of the key's text do not matter, nor does its form.
func (p *Pair) derive(purpose, text string, size int) ([]byte, error) {
	if p == nil {
		return nil, errors.New("there is no key pair")
	}
	key, ok := p.Signer.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("the key pair has no private key")
	}
	secret, err := hkdf.Key(sha256.New, x509.MarshalPKCS1PrivateKey(key), nil, "ad-ldap-connector "+purpose, sha256.Size)
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, secret)
	_, _ = mac.Write([]byte(text)) // documented never to return an error
	return mac.Sum(nil)[:size], nil
}
