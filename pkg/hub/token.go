package hub

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// leeway is by how much the tenant's clock may differ from ours.
const leeway = 60 * time.Second

// A verifier tells the tenant's tokens from all others.
type verifier struct {
	parser *jwt.Parser
	key    any      // []byte, *rsa.PublicKey or *ecdsa.PublicKey
	ring   *keyring // instead of key, when the tenant publishes its keys; else nil
	broken error    // why no token can be verified at all
	now    func() time.Time
	seen   *memory
}

// newVerifier makes a verifier that takes only the algorithms that belong to
// the kind of key: a token must not choose them (RFC 8725, section 3.1). The
// claims exp, nbf and iat hold when they are present.
func newVerifier(signingKey string, now func() time.Time) *verifier {
	v := &verifier{now: now, seen: newMemory(maxRemembered)}
	var methods []string
	v.key, methods, v.broken = parseSigningKey(signingKey)
	v.parser = jwt.NewParser(jwt.WithValidMethods(methods), jwt.WithLeeway(leeway), jwt.WithTimeFunc(now), jwt.WithIssuedAt())
	return v
}

// newPublishedVerifier makes a verifier that takes the keys which the tenant
// publishes, whatever their kind, and never a shared secret.
func newPublishedVerifier(read func(context.Context) ([]byte, error), now func() time.Time) *verifier {
	methods := []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"}
	return &verifier{
		now: now, seen: newMemory(maxRemembered), ring: newKeyring(read),
		parser: jwt.NewParser(jwt.WithValidMethods(methods), jwt.WithLeeway(leeway), jwt.WithTimeFunc(now), jwt.WithIssuedAt()),
	}
}

// parseSigningKey returns the tenant's key and the algorithms that it can
// verify. Text that looks like PEM but is not a public key is an error, never a
// shared secret: whoever knows a public key could sign with it.
func parseSigningKey(text string) (key any, methods []string, err error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil, errors.New("the tenant's signing key is missing: every command is refused; register the agent again")
	}
	if !strings.Contains(text, "-----BEGIN") {
		return []byte(text), []string{"HS256", "HS384", "HS512"}, nil
	}
	if key, err = parsePublicKey(text); err != nil {
		return nil, nil, fmt.Errorf("the tenant's signing key is not usable, every command is refused: %w", err)
	}
	switch key.(type) {
	case *rsa.PublicKey:
		return key, []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}, nil
	case *ecdsa.PublicKey:
		return key, []string{"ES256", "ES384", "ES512"}, nil
	}
	return nil, nil, fmt.Errorf("the tenant's signing key is not usable, every command is refused: it is %T, not RSA or EC", key)
}

func parsePublicKey(text string) (any, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("it begins as PEM and does not go on so")
	}
	switch block.Type {
	case "CERTIFICATE":
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("parse certificate: %w", err)
		}
		return cert.PublicKey, nil
	case "RSA PUBLIC KEY":
		key, err := x509.ParsePKCS1PublicKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("parse RSA public key: %w", err)
		}
		return key, nil
	case "PUBLIC KEY":
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("parse public key: %w", err)
		}
		return key, nil
	}
	return nil, fmt.Errorf("the PEM block is a %s, not a public key or certificate", strconv.Quote(block.Type))
}

// fault says why no token can be verified at all; nil when some can.
func (v *verifier) fault() error {
	if v.ring != nil {
		return v.ring.fault()
	}
	return v.broken
}

// renew has the tenant's keys read anew, if it publishes them.
func (v *verifier) renew() {
	if v.ring != nil {
		v.ring.want()
	}
}

// await returns nil when check can judge the token now, else what to wait for.
func (v *verifier) await(token string) <-chan struct{} {
	if v.ring == nil {
		return nil
	}
	return v.ring.await(token)
}

func (v *verifier) keyOf(t *jwt.Token) (any, error) {
	if v.ring != nil {
		return v.ring.key(t)
	}
	return v.key, nil
}

// check returns the claims of a token that the tenant has signed, that is
// valid now, and whose pid was not seen before. The errors say nothing of the
// token's content.
func (v *verifier) check(token string) (claims, error) {
	if v.broken != nil {
		return nil, v.broken
	}
	c := claims{}
	if _, err := v.parser.ParseWithClaims(token, &c, v.keyOf); err != nil {
		return nil, reason(err)
	}
	pid := c.pid()
	if pid == "" {
		return nil, errors.New("the token has no pid")
	}
	now := v.now()
	until := now.Add(rememberFor)
	if exp, err := c.GetExpirationTime(); err == nil && exp != nil {
		until = exp.Add(leeway)
	}
	if !v.seen.first(pid, now, until) {
		return nil, errors.New("the token was used before")
	}
	return c, nil
}

// reason puts golang-jwt's errors into our words: theirs quote parts of the
// token.
func reason(err error) error {
	for _, known := range []struct {
		err  error
		text string
	}{
		{jwt.ErrTokenExpired, "the token has expired"},
		{jwt.ErrTokenNotValidYet, "the token is not valid yet"},
		{jwt.ErrTokenUsedBeforeIssued, "the token was issued in the future"},
		{errDate, "a date in the token is not a number"},
		{errNoKeys, errNoKeys.Error()},
		{errUnknownKey, errUnknownKey.Error()},
		{jwt.ErrTokenSignatureInvalid, "the token's signature or algorithm is not the tenant's"},
		{jwt.ErrTokenMalformed, "not a token"},
	} {
		if errors.Is(err, known.err) {
			return errors.New(known.text)
		}
	}
	return errors.New("the token does not verify")
}

// claims are the content of a token: a command's arguments, still as JSON.
// The issuer and the audience are not looked at, because what the tenant puts
// there is not documented; the signature says who issued it.
type claims map[string]json.RawMessage

var errDate = errors.New("a date is not a number")

func (c claims) date(name string) (*jwt.NumericDate, error) {
	raw, ok := c[name]
	if !ok {
		return nil, nil
	}
	var seconds *float64
	if json.Unmarshal(raw, &seconds) != nil || seconds == nil {
		return nil, errDate
	}
	// Beyond this the conversion to a time.Time would overflow.
	const most = 1 << 40
	return jwt.NewNumericDate(time.Unix(int64(min(max(*seconds, -most), most)), 0)), nil
}

// GetExpirationTime returns exp, or nil; the six methods are jwt.Claims.
func (c claims) GetExpirationTime() (*jwt.NumericDate, error) { return c.date("exp") }

// GetIssuedAt returns iat, or nil.
func (c claims) GetIssuedAt() (*jwt.NumericDate, error) { return c.date("iat") }

// GetNotBefore returns nbf, or nil.
func (c claims) GetNotBefore() (*jwt.NumericDate, error) { return c.date("nbf") }

// GetIssuer returns nothing: it is not checked.
func (claims) GetIssuer() (string, error) { return "", nil }

// GetSubject returns nothing: it is not checked.
func (claims) GetSubject() (string, error) { return "", nil }

// GetAudience returns nothing: it is not checked.
func (claims) GetAudience() (jwt.ClaimStrings, error) { return nil, nil }
