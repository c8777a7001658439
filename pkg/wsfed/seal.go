package wsfed

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
)

// leastSecret is how much Options.Secret must hold, in octets.
const leastSecret = 32

// A sealer encrypts and authenticates what browsers keep for us. Nodes with the
// same secret open each other's.
type sealer struct {
	id   [4]byte // of the key: tells an exchanged key from a forged cookie
	aead cipher.AEAD
}

var (
	// errOtherKey says that something was sealed with another key than ours.
	errOtherKey = errors.New("it was sealed with another key")
	errForged   = errors.New("it is damaged or forged")
)

// newSealer derives the key for one purpose from the secret (RFC 5869).
func newSealer(secret []byte, purpose string) (*sealer, error) {
	if len(secret) < leastSecret {
		return nil, fmt.Errorf("derive the key that seals cookies: the secret has %d octets of at least %d", len(secret), leastSecret)
	}
	derived, err := hkdf.Key(sha256.New, secret, nil, "ad-ldap-connector sign-in: "+purpose, 36)
	if err != nil {
		return nil, fmt.Errorf("derive the key that seals cookies: %w", err)
	}
	block, err := aes.NewCipher(derived[4:])
	if err != nil {
		return nil, err
	}
	s := &sealer{}
	copy(s.id[:], derived)
	s.aead, err = cipher.NewGCMWithRandomNonce(block)
	return s, err
}

// seal returns v as text that a cookie or a form can hold.
func (s *sealer) seal(v any) (string, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(s.id[:], nil, plain, s.id[:])), nil //nolint:gosec // it makes a nonce itself
}

// open reads what seal made. The error is errOtherKey or errForged.
func (s *sealer) open(text string, v any) error {
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(data) < len(s.id)+s.aead.Overhead() {
		return errForged
	}
	if [4]byte(data[:4]) != s.id {
		return errOtherKey
	}
	plain, err := s.aead.Open(nil, nil, data[4:], s.id[:])
	if err != nil || json.Unmarshal(plain, v) != nil {
		return errForged
	}
	return nil
}

// newNonce is a text of 128 bits that nobody can guess.
func newNonce() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // crypto/rand.Read never fails
	return base64.RawURLEncoding.EncodeToString(b)
}
