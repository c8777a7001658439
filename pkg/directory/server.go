package directory

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// A server is one of those that hold the directory, with the connections to it.
type server struct {
	url    string // without what a URL of the operator's may hold besides: path, user
	host   string
	addr   string
	tls    *tls.Config // nil: in clear
	start  bool        // StartTLS
	traits atomic.Pointer[traits]

	shared *shared    // bound as the service account
	work   *exclusive // bound as the service account
	binds  *exclusive // users bind here

	heard  moment        // when it last sent anything
	asked  chan struct{} // holds a token while somebody asks whether it is alive
	proved time.Time     // when it was asked last and answered; belongs to who holds the token

	mu      sync.Mutex
	opening context.Context // ends for those who are opening connections when the server is given up
	abort   context.CancelCauseFunc

	mark mark // guarded by the list of servers
}

// traits are what a server says it can do (RFC 4512, section 5.1).
type traits struct {
	noPaging bool // not RFC 2696
	policy   bool // draft-behera-ldap-password-policy

	activeDirectory bool
	passwordModify  bool   // RFC 3062
	storesAsGiven   bool   // a password that is modified, and not by RFC 3062, lies there in clear
	domain          bool   // Active Directory's or Samba's (MS-ADTS, section 3.1.1.3.4.3.1)
	base            string // where a domain's entries are; "" when it does not say
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
		return nil, fmt.Errorf("%q is not ldap://host, ldaps://host, srv://domain or srvs://domain", u.Redacted())
	}
	if u.Port() != "" {
		port = u.Port()
	}
	s := &server{
		url: u.Scheme + "://" + u.Host, host: u.Hostname(), addr: net.JoinHostPort(u.Hostname(), port),
		asked: make(chan struct{}, 1),
	}
	if u.Scheme == "ldaps" || o.StartTLS {
		s.start = u.Scheme == "ldap"
		s.tls = clientTLS(o, s.host)
	}
	return s, nil
}

// newServer returns a server with its pools, all of them empty.
func (c *Client) newServer(url string) (*server, error) {
	s, err := parseURL(url, c.o)
	if err != nil {
		return nil, err
	}
	avoided := func() error { return c.servers.avoided(s) }
	service := opener{func(ctx context.Context) (*conn, error) { return c.serviceAt(ctx, s) }, c.stale, avoided}
	plain := opener{func(ctx context.Context) (*conn, error) { return c.try(ctx, s, c.dial) }, c.stale, avoided}
	s.shared = newShared(service)
	s.work = newExclusive(workConns, service)
	s.binds = newExclusive(c.o.ParallelBinds, plain)
	return s, nil
}

// silence returns for how long the server has sent nothing on any connection.
func (s *server) silence() time.Duration { return time.Since(s.heard.time()) }

// openings returns the context of those who open connections now.
func (s *server) openings() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opening == nil || s.opening.Err() != nil {
		s.opening, s.abort = context.WithCancelCause(context.Background())
	}
	return s.opening
}

// abandon ends the attempts to open connections.
func (s *server) abandon(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.abort != nil {
		s.abort(why)
	}
}

// prune ends connections that are not to be used again.
func (s *server) prune() {
	s.shared.prune()
	s.work.prune()
	s.binds.prune()
}

// dial opens a connection on which nothing is bound yet. Its errors say where.
func (c *Client) dial(ctx context.Context, s *server) (*conn, error) {
	return c.connect(ctx, s, 0)
}

// connect opens a connection that ends when the server is silent for longer
// than patience where an answer is awaited; 0 is without end.
func (c *Client) connect(ctx context.Context, s *server, patience time.Duration) (*conn, error) {
	tcp, err := c.tcp(ctx, s, patience)
	if err != nil {
		return nil, &Error{Doing: "connect", Server: s.url, Err: err}
	}
	w := &wire{Conn: tcp, server: s, patience: patience}
	cn := &conn{server: s, wire: w, line: &line{Conn: w, tcp: w}, secure: s.tls != nil, opened: time.Now()}
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

func (c *Client) tcp(ctx context.Context, s *server, patience time.Duration) (net.Conn, error) {
	if patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, patience, overdue(patience))
		defer cancel()
	}
	dial := c.o.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	tcp, err := dial(ctx, "tcp", s.addr)
	if err != nil {
		return nil, inTime(ctx, err)
	}
	return tcp, nil
}

// inTime prefers the reason why ctx ended to what that broke.
func inTime(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
