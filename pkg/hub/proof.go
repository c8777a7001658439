package hub

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"
)

// proofLife is how long the agent's own token is valid.
const proofLife = 60 * time.Second

// proof returns the token by which the agent shows who it is (behaviour of the
// existing connector): RS256, no key ID, and the four claims in this order.
// golang-jwt signs with an *rsa.PrivateKey only; a key in a store of the
// operating system is a crypto.Signer.
func proof(signer crypto.Signer, connection, realm string, now time.Time) (string, error) {
	var b []byte
	b = fmt.Appendf(b, `{"iat":%d,"exp":%d,"aud":`, now.Unix(), now.Add(proofLife).Unix())
	b = appendString(b, realm)
	b = append(b, `,"iss":`...)
	b = appendString(b, connection)
	b = append(b, '}')

	enc := base64.RawURLEncoding
	token := enc.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + enc.EncodeToString(b)
	sum := sha256.Sum256([]byte(token))
	signature, err := signer.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("sign the agent's token: %w", err)
	}
	return token + "." + enc.EncodeToString(signature), nil
}

// authenticateFrame is the first frame on a link.
func authenticateFrame(token string) []byte {
	return fmt.Appendf(nil, `{"n":"authenticate","p":{"jwt":"%s"}}`, token) // base64url and dots need no escaping
}
