package tenant

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
)

// A Registration is what the agent tells the tenant of itself.
type Registration struct {
	Certificate *x509.Certificate // whose key signs the agent's tokens
	SignIn      string            // the URL that browsers are sent to, http://HOST:4000/wsfed
	Version     string            // the agent's
	// Also are further certificates of the connection, which other nodes may
	// still have; nil: none.
	Also []*x509.Certificate
}

// Register posts the agent's certificate to the ticket and returns the key that
// the tenant signs its requests with; "" when the tenant gives none, because
// newer ones publish it (see KeySet), to agents that say that they look there. The existing connector takes any answer of status 200
// for a success, and then refuses every login for want of a key; here an answer
// that is not JSON is an *Error, as is all else.
func (c *Client) Register(ctx context.Context, t Ticket, r Registration) (signingKey string, err error) {
	const doing = "register the agent"
	if r.Certificate == nil {
		return "", &Error{Doing: doing, Host: t.Host(), Cause: CauseOther, Err: errors.New("there is no certificate")}
	}
	body, err := r.encode()
	if err != nil {
		return "", &Error{Doing: doing, Host: t.Host(), Cause: CauseOther, Err: err}
	}
	a, err := c.do(ctx, doing, t, http.MethodPost, t.Reveal(), body)
	if err != nil {
		return "", err
	}
	var said struct {
		SigningKey string `json:"signingKey"`
	}
	if err := a.decode(doing, t, &said); err != nil {
		return "", err
	}
	return said.SigningKey, nil
}

// encode writes the members in the order, and with the escapes, of the existing
// connector, and the capabilities of its newer line.
func (r Registration) encode() ([]byte, error) {
	certs := []string{base64.StdEncoding.EncodeToString(r.Certificate.Raw)}
	for _, c := range r.Also {
		certs = append(certs, base64.StdEncoding.EncodeToString(c.Raw))
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(struct {
		Certs          []string `json:"certs"`
		SignInEndpoint string   `json:"signInEndpoint"`
		AgentMode      bool     `json:"agentMode"`
		AgentVersion   string   `json:"agentVersion"`
		Capabilities   struct {
			UseJWKS bool `json:"useJWKS"`
		} `json:"capabilities"`
	}{
		certs, r.SignIn, true, r.Version,
		struct {
			UseJWKS bool `json:"useJWKS"`
		}{true},
	})
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
