package tenant

import (
	"context"
	"net/http"
	"time"
)

// keySetPatience bounds the reading of the keys, behind which logins wait.
const keySetPatience = 10 * time.Second

// KeySet reads the keys that the tenant publishes, and signs its requests with
// when it gave none at the registration: GET https://HOST/.well-known/jwks.json.
// What is returned is a JSON object of up to 1 MiB that nobody has looked into.
// The error is an *Error.
func (c *Client) KeySet(ctx context.Context, t Ticket) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, keySetPatience)
	defer cancel()
	a, err := c.do(ctx, "read the keys that the tenant publishes", t, http.MethodGet, t.keySet(), nil)
	return a.body, err
}
