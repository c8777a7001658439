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

	ber "github.com/go-asn1-ber/asn1-ber"
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
		s.tls = &tls.Config{}
		if o.TLS != nil {
			s.tls = o.TLS.Clone()
		}
		if s.tls.ServerName == "" {
			s.tls.ServerName = s.host
		}
		if s.tls.ClientSessionCache == nil {
			s.tls.ClientSessionCache = tls.NewLRUClientSessionCache(0)
		}
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
	if err := secure(ctx, s, cn.line); err != nil {
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

// secure puts TLS on a line, if the server is to have it.
func secure(ctx context.Context, s *server, l *line) error {
	if s.tls == nil {
		return nil
	}
	stop := context.AfterFunc(ctx, func() { _ = l.tcp.Close() }) // given up
	defer stop()
	if s.start {
		if err := startTLS(l); err != nil {
			return fmt.Errorf("start TLS: %w", err)
		}
	}
	t := tls.Client(l.tcp, s.tls)
	if err := t.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	l.Conn = t
	return nil
}

// startTLS asks the server to speak TLS next (RFC 4511, section 4.14). The
// library's own way loses the cause of a failed handshake, which says whose
// certificate was not trusted.
func startTLS(l *line) error {
	request := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationExtendedRequest, nil, "")
	request.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 0, startTLSOID, ""))
	message := ber.NewSequence("")
	message.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, int64(1), ""))
	message.AppendChild(request)
	if _, err := l.Write(message.Bytes()); err != nil {
		return err
	}
	// ReadPacket takes no octet beyond the answer, so none of what precedes
	// the handshake can be taken for what follows it.
	answer, err := ber.ReadPacket(l)
	if err != nil {
		return err
	}
	return ldap.GetLDAPError(answer)
}

// servers are the URLs in order of preference, and which of them works.
type servers struct {
	all []*server
	err error // of URLs that cannot be used

	mu       sync.Mutex
	current  int
	switched time.Time // when current was last chosen instead of the first
	probing  bool
}

func (ss *servers) parse(o Options) {
	if len(o.URLs) == 0 {
		ss.err = errors.New("no URL is configured")
		return
	}
	var bad unreachable
	for _, text := range o.URLs {
		s, err := parseURL(text, o)
		if err != nil {
			bad = append(bad, err)
			continue
		}
		ss.all = append(ss.all, s)
	}
	if len(bad) > 0 {
		ss.err = bad
	}
}

// preferred returns the server that works, as far as is known; nil when there
// is none at all.
func (ss *servers) preferred() *server {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if len(ss.all) == 0 {
		return nil
	}
	return ss.all[ss.current]
}

// order returns the servers in the order in which to try them.
func (ss *servers) order() []*server {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	out := make([]*server, 0, len(ss.all))
	for i := range ss.all {
		out = append(out, ss.all[(ss.current+i)%len(ss.all)])
	}
	return out
}

// choose remembers the server that works, and reports whether it is another.
func (ss *servers) choose(s *server, now time.Time) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.all[ss.current] == s {
		return false
	}
	for i, other := range ss.all {
		if other == s {
			ss.current, ss.switched = i, now
		}
	}
	return true
}

// probe returns the first server when it is time to try it again, and nil
// otherwise. Whoever gets it calls probed.
func (ss *servers) probe(now time.Time) *server {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.current == 0 || ss.probing || now.Sub(ss.switched) < preferAfter {
		return nil
	}
	ss.probing = true
	return ss.all[0]
}

func (ss *servers) probed(now time.Time) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.probing, ss.switched = false, now
}
