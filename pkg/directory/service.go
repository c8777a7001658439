package directory

import (
	"context"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// deniedFor is how long a refused service account is not tried again.
const deniedFor = 30 * time.Second

// dialBound opens a connection to s and binds it as the service account.
func (c *Client) dialBound(ctx context.Context, s *server) (*conn, error) {
	cn, err := c.dial(ctx, s)
	if err != nil || c.o.BindUser == "" {
		return cn, err
	}
	_, err = alone(ctx, cn, func(l *ldap.Conn) (*ldap.SimpleBindResult, error) {
		return l.SimpleBind(ldap.NewSimpleBindRequest(c.o.BindUser, string(c.o.BindPassword), nil))
	})
	if err == nil {
		return cn, nil
	}
	cn.kill()
	e := &Error{Doing: "bind as " + c.o.BindUser, Server: s.url, Err: inTime(ctx, err)}
	if isDenial(err) {
		e.hint = "check LDAP_BIND_USER and LDAP_BIND_PASSWORD"
	}
	return nil, e
}

// isDenial reports whether a server does not take the service account.
func isDenial(err error) bool {
	code, _, ok := result(err)
	return ok && code == ldap.LDAPResultInvalidCredentials
}

// deny remembers a refused service account.
func (c *Client) deny(err error) error {
	if !isDenial(err) {
		return err
	}
	c.denied.Lock()
	defer c.denied.Unlock()
	c.denied.until, c.denied.err = c.o.Now().Add(deniedFor), err
	return err
}

func (c *Client) recentlyDenied() error {
	c.denied.Lock()
	defer c.denied.Unlock()
	if c.o.Now().Before(c.denied.until) {
		return c.denied.err
	}
	return nil
}

// forgive lets a refused service account be tried at once.
func (c *Client) forgive() {
	c.denied.Lock()
	defer c.denied.Unlock()
	c.denied.until = time.Time{}
}
