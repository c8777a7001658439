package directory

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync/atomic"

	"github.com/go-ldap/ldap/v3"
)

// A server is one of the URLs of a directory.
type server struct {
	url    string // without what a URL of the operator's may hold besides: path, user
	host   string
	addr   string
	tls    *tls.Config // nil: in clear
	start  bool        // StartTLS
	traits atomic.Pointer[traits]
}

// traits are what a server says it can do (RFC 4512, section 5.1).
type traits struct {
	noPaging bool // not RFC 2696
	policy   bool // draft-behera-ldap-password-policy
}

// parseURL reads ldap://host[:port] or ldaps://host[:port].
func parseURL(text string, o Options) (*server, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("not a URL") // url.Error would quote a password in it
	}
	port := ldap.DefaultLdapPort
	if u.Scheme == "ldaps" {
		port = ldap.DefaultLdapsPort
	}
	if (u.Scheme != "ldap" && u.Scheme != "ldaps") || u.Hostname() == "" {
		return nil, fmt.Errorf("%q is not ldap://host or ldaps://host", u.Redacted())
	}
	if u.Port() != "" {
		port = u.Port()
	}
	s := &server{url: u.Scheme + "://" + u.Host, host: u.Hostname(), addr: net.JoinHostPort(u.Hostname(), port)}
	if u.Scheme == "ldaps" || o.StartTLS {
		s.start = u.Scheme == "ldap"
		s.tls = clientTLS(o, s.host)
	}
	return s, nil
}

// dial opens a connection on which nothing is bound yet. Its errors say where.
func (c *Client) dial(ctx context.Context, s *server) (*conn, error) {
	dial := c.o.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	tcp, err := dial(ctx, "tcp", s.addr)
	if err != nil {
		return nil, &Error{Doing: "connect", Server: s.url, Err: inTime(ctx, err)}
	}
	cn := &conn{server: s, line: &line{Conn: tcp, tcp: tcp}, secure: s.tls != nil}
	if err := c.secure(ctx, s, cn.line); err != nil {
		_ = tcp.Close() // given up
		return nil, &Error{Doing: "connect", Server: s.url, Err: inTime(ctx, err)}
	}
	cn.ldap = ldap.NewConn(cn.line, cn.secure)
	if err := c.adopt(cn); err != nil {
		_ = tcp.Close() // given up
		return nil, &Error{Doing: "connect", Server: s.url, Err: err}
	}
	cn.ldap.Start()
	return cn, nil
}

// inTime prefers the reason why ctx ended to what that broke.
func inTime(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
