package sandbox

import (
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// cloudLeeway is how far clocks may be apart when a token is judged.
	cloudLeeway = time.Minute
	// cloudTokenLife is how long a token to an agent is valid.
	cloudTokenLife = time.Minute
)

// judge verifies the token by which an agent says who it is: RS256 by a
// certificate its connection is bound to, iss the connection, aud the realm,
// exp present and not past, iat and nbf, when present, not to come.
func (c *Cloud) judge(token string) (connection *cloudConnection, thumbprint string, err error) {
	var claims jwt.RegisteredClaims
	if _, _, err := jwt.NewParser().ParseUnverified(token, &claims); err != nil {
		return nil, "", fmt.Errorf("read the token: %w", err)
	}
	// "" is nobody's name, but the first connection's when asked for by people.
	if claims.Issuer == "" {
		return nil, "", errors.New("the token names no connection")
	}
	if connection = c.find(claims.Issuer); connection == nil {
		return nil, "", ErrUnknownConnection
	}
	err = errors.New("no certificate is registered for the connection")
	for _, pinned := range connection.pinned {
		parser := jwt.NewParser(
			jwt.WithValidMethods([]string{"RS256"}),
			jwt.WithIssuer(connection.Name),
			jwt.WithAudience(cloudRealm),
			jwt.WithExpirationRequired(),
			jwt.WithIssuedAt(),
			jwt.WithLeeway(cloudLeeway),
			jwt.WithTimeFunc(c.now),
		)
		if _, err = parser.Parse(token, func(*jwt.Token) (any, error) { return pinned.key, nil }); err == nil {
			return connection, pinned.thumbprint, nil
		}
	}
	return nil, "", fmt.Errorf("verify the token: %w", err)
}

// sign makes the token of one request to an agent.
func (c *Cloud) sign(cc *cloudConnection, pid, command string, r Request) (string, error) {
	now := c.now()
	claims := jwt.MapClaims{"pid": pid, "iat": now.Unix(), "exp": now.Add(cloudTokenLife).Unix()}
	switch command {
	case "authenticate_user", "change_password":
		claims["username"], claims["password"] = r.Username, r.Password
	case "search_users", "list_groups":
		if r.Limit != 0 {
			claims["limit"] = r.Limit
		}
	}
	if command == "search_users" && r.Search != "" {
		claims["search"] = r.Search
	}
	if command != "list_groups" && r.Escaped {
		claims["escaped"] = true
	}
	var method jwt.SigningMethod = jwt.SigningMethodHS256
	if cc.Algorithm == "RS256" {
		method = jwt.SigningMethodRS256
	}
	unsigned := jwt.NewWithClaims(method, claims)
	if cc.published(c.options) {
		unsigned.Header["kid"] = cc.keyID
	}
	token, err := unsigned.SignedString(cc.signer)
	if err != nil {
		return "", fmt.Errorf("sign the request: %w", err)
	}
	return token, nil
}
