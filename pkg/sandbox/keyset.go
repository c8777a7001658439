package sandbox

import (
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"math/big"
	"net/http"
)

// published reports whether agents find the connection's key among those that
// the tenant publishes.
func (cc *cloudConnection) published(o CloudOptions) bool { return o.JWKS && cc.keyID != "" }

// serveKeys publishes the keys of all connections as a JWK set (RFC 7517). A
// tenant that publishes none has no such page.
func (c *Cloud) serveKeys(w http.ResponseWriter, _ *http.Request) {
	if !c.options.JWKS {
		answerError(w, http.StatusNotFound, errors.New("this tenant sends its signing keys to the agents, and publishes none"))
		return
	}
	keys := []map[string]string{}
	for _, cc := range c.list() {
		pair, ok := cc.signer.(*rsa.PrivateKey)
		if !ok {
			continue
		}
		keys = append(keys, map[string]string{
			"kty": "RSA", "use": "sig", "alg": "RS256", "kid": cc.keyID,
			"n": base64.RawURLEncoding.EncodeToString(pair.N.Bytes()),
			"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(pair.E)).Bytes()),
		})
	}
	answerJSON(w, http.StatusOK, map[string]any{"keys": keys})
}

// serveNewKey exchanges the signing key of a connection, as an administrator
// of the tenant can.
func (c *Cloud) serveNewKey(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	cc := c.find(name)
	if cc == nil {
		answerError(w, http.StatusNotFound, ErrUnknownConnection)
		return
	}
	if err := c.SetSigning(cc.Name, cc.Algorithm); err != nil {
		answerError(w, http.StatusInternalServerError, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
