package hub

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
)

const (
	maxKeys    = 100
	minModulus = 2048 // bits (RFC 7518, section 3.3)
	maxModulus = 8192 // verifying takes time that grows with the square
)

// A publicKey is one that the tenant signs with, and the algorithms that it
// may be used for.
type publicKey struct {
	id      string
	key     any // *rsa.PublicKey or *ecdsa.PublicKey
	methods []string
}

// parseKeySet reads a JWK set (RFC 7517, section 5). Keys of other kinds, for
// other uses, or that are damaged are passed over, as the RFC wants it; without
// a single good one it is an error. A shared secret has no place in a published
// set, and is never taken from one.
func parseKeySet(data []byte) ([]publicKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, errors.New("it is not a JWK set")
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("it has %d keys, more than %d", len(set.Keys), maxKeys)
	}
	var keys []publicKey
	reason := errors.New("it has no keys")
	for i, raw := range set.Keys {
		key, err := parseKey(raw)
		if err != nil {
			reason = fmt.Errorf("it has no usable key; number %d: %w", i+1, err)
			continue
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, reason
	}
	return keys, nil
}

// parseKey reads one JWK (RFC 7517, section 4; RFC 7518, section 6).
func parseKey(data []byte) (publicKey, error) {
	var k struct {
		Kind       string          `json:"kty"`
		ID         string          `json:"kid"`
		Use        string          `json:"use"`
		Operations []string        `json:"key_ops"`
		Algorithm  string          `json:"alg"`
		Private    json.RawMessage `json:"d"`
		N          string          `json:"n"`
		E          string          `json:"e"`
		Curve      string          `json:"crv"`
		X          string          `json:"x"`
		Y          string          `json:"y"`
	}
	if json.Unmarshal(data, &k) != nil || !bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")) {
		return publicKey{}, errors.New("it is not a JWK")
	}
	switch {
	case k.Private != nil: // whoever reads it could sign with it
		return publicKey{}, errors.New("its private half is published")
	case k.Use != "" && k.Use != "sig", k.Operations != nil && !slices.Contains(k.Operations, "verify"):
		return publicKey{}, errors.New("it is not for signatures")
	}
	key := publicKey{id: k.ID}
	var err error
	switch k.Kind {
	case "RSA":
		key.methods = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
		key.key, err = rsaKey(k.N, k.E)
	case "EC":
		key.key, key.methods, err = ecKeyOf(k.Curve, k.X, k.Y)
	default:
		err = errors.New("its kind is neither RSA nor EC")
	}
	if err != nil {
		return publicKey{}, err
	}
	if k.Algorithm != "" {
		if !slices.Contains(key.methods, k.Algorithm) {
			return publicKey{}, errors.New("its algorithm does not fit its kind")
		}
		key.methods = []string{k.Algorithm}
	}
	return key, nil
}

func rsaKey(n, e string) (*rsa.PublicKey, error) {
	modulus, err := base64.RawURLEncoding.DecodeString(n)
	if err != nil {
		return nil, errors.New("its modulus is not base64url")
	}
	exponent, err := base64.RawURLEncoding.DecodeString(e)
	if err != nil || len(exponent) > 8 {
		return nil, errors.New("its exponent is not a small number as base64url")
	}
	if len(modulus) > maxModulus/8+1 { // a sign octet is let pass
		return nil, errors.New("its modulus is too long")
	}
	key := &rsa.PublicKey{N: new(big.Int).SetBytes(modulus)}
	size := new(big.Int).SetBytes(exponent)
	switch bits := key.N.BitLen(); {
	case bits < minModulus || bits > maxModulus || key.N.Bit(0) == 0:
		return nil, fmt.Errorf("its modulus is not an odd number of %d to %d bits", minModulus, maxModulus)
	case size.Cmp(big.NewInt(3)) < 0 || size.BitLen() > 31 || size.Bit(0) == 0:
		return nil, errors.New("its exponent is not an odd number of 2 to 31 bits")
	}
	key.E = int(size.Int64())
	return key, nil
}

func ecKeyOf(name, x, y string) (*ecdsa.PublicKey, []string, error) {
	var curve elliptic.Curve
	var method string
	switch name { // each has its own algorithm (RFC 7518, section 3.4)
	case "P-256":
		curve, method = elliptic.P256(), "ES256"
	case "P-384":
		curve, method = elliptic.P384(), "ES384"
	case "P-521":
		curve, method = elliptic.P521(), "ES512"
	default:
		return nil, nil, errors.New("its curve is not P-256, P-384 or P-521")
	}
	size := (curve.Params().BitSize + 7) / 8
	point := make([]byte, 1+2*size)
	point[0] = 4 // not compressed (SEC 1, section 2.3.3)
	for i, text := range []string{x, y} {
		octets, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil || len(octets) == 0 || len(octets) > size {
			return nil, nil, errors.New("its point is not base64url of the curve's size")
		}
		copy(point[1+(i+1)*size-len(octets):], octets)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return nil, nil, errors.New("its point is not on the curve")
	}
	return key, []string{method}, nil
}
