package directory

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"time"

	"ad-ldap-connector/pkg/identity"

	"github.com/go-ldap/ldap/v3"
)

// An Inspector asks a directory, one server at a time, what those want to know
// who set it up or must mend it. It dials, trusts and binds as a Client of the
// same Options does.
type Inspector struct{ c *Client }

// Inspect returns an Inspector. It does no I/O, and is closed after use.
func Inspect(o Options) *Inspector { return &Inspector{New(o)} }

// Close ends its connections.
func (i *Inspector) Close() error { return i.c.Close() }

// A Site is one server of a directory.
type Site struct {
	URL      string
	TLS      bool // ldaps:// or StartTLS
	Loopback bool // on this machine
}

// Servers returns the servers in order of preference: those behind srv:// as
// DNS names them at this moment.
func (i *Inspector) Servers(ctx context.Context) ([]Site, error) {
	if err := i.c.roster.ready(ctx, i.c); err != nil {
		return nil, err
	}
	var sites []Site
	for _, s := range i.c.servers.listed() {
		sites = append(sites, Site{URL: s.url, TLS: s.tls != nil, Loopback: loopback(s.host)})
	}
	return sites, nil
}

// Records returns the servers that DNS names for the domains of srv:// and
// srvs://, and which domains these are: none where the servers are configured.
func (i *Inspector) Records(ctx context.Context) (domains, urls []string, err error) {
	for _, src := range i.c.roster.sources {
		if src.domain == "" {
			continue
		}
		domains = append(domains, src.domain)
		places, err := i.c.placesOf(ctx, src)
		if err != nil {
			return domains, nil, err
		}
		for _, p := range places {
			urls = append(urls, p.url)
		}
	}
	return domains, urls, nil
}

// listed returns the servers in order of preference.
func (ss *servers) listed() []*server {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return append([]*server(nil), ss.all...)
}

func (i *Inspector) server(url string) (*server, error) {
	for _, s := range i.c.servers.listed() {
		if s.url == url {
			return s, nil
		}
	}
	return nil, fmt.Errorf("%s is not one of the directory's servers", url)
}

// Reach opens a connection to a server, without TLS, and closes it. It returns
// the address that was reached.
func (i *Inspector) Reach(ctx context.Context, url string) (string, error) {
	s, err := i.server(url)
	if err != nil {
		return "", err
	}
	tcp, err := i.c.tcp(ctx, s, 0)
	if err != nil {
		return "", &Error{Doing: "connect", Server: s.url, Err: err}
	}
	defer func() { _ = tcp.Close() }() // nothing was sent
	return tcp.RemoteAddr().String(), nil
}

// A Peer is what a TLS handshake with a server showed.
type Peer struct {
	Version      string              // "TLS 1.3"; "" when the handshake failed
	Certificates []*x509.Certificate // the server's own, and what it sent along
	Fault        error               // why a Client would not go on with it
}

// Peer shakes hands with a server over TLS. An error means that it did not come
// to certificates.
func (i *Inspector) Peer(ctx context.Context, url string) (Peer, error) {
	s, err := i.server(url)
	if err != nil {
		return Peer{}, err
	}
	if s.tls == nil {
		return Peer{}, fmt.Errorf("%s is spoken to without TLS", url)
	}
	tcp, err := i.c.tcp(ctx, s, 0)
	if err != nil {
		return Peer{}, &Error{Doing: "connect", Server: s.url, Err: err}
	}
	defer func() { _ = tcp.Close() }() // given up
	l := &line{Conn: tcp, tcp: tcp}
	if err := i.c.secure(ctx, s, l); err != nil {
		err = &Error{Doing: "connect", Server: s.url, Err: inTime(ctx, err)}
		var verify *tls.CertificateVerificationError
		if errors.As(err, &verify) {
			return Peer{Certificates: verify.UnverifiedCertificates, Fault: err}, nil
		}
		return Peer{}, err
	}
	state := l.Conn.(*tls.Conn).ConnectionState()
	return Peer{Version: tls.VersionName(state.Version), Certificates: state.PeerCertificates}, nil
}

// About is what a server says of itself, and its clock.
type About struct {
	Server

	Bases []string  // all DNs below which it holds entries
	Time  time.Time // in whole seconds; zero when it does not say
	Read  time.Time // when that was, by this machine's clock
}

// Holds reports whether dn is at or below one of Bases. One that cannot be
// compared is held to be.
func (a About) Holds(dn string) bool {
	d, err := ldap.ParseDN(dn)
	return err != nil || len(a.Bases) == 0 || slices.ContainsFunc(a.Bases, func(base string) bool {
		b, err := ldap.ParseDN(base)
		return err != nil || atOrBelow(b, d)
	})
}

// About reads what a server says of itself to anybody. One that says nothing to
// strangers is known by nothing: to bind for it could be one refusal too many.
func (i *Inspector) About(ctx context.Context, url string) (About, error) {
	s, err := i.server(url)
	if err != nil {
		return About{}, err
	}
	cn, err := i.c.try(ctx, s, i.c.dial)
	if err != nil {
		return About{}, err
	}
	defer cn.kill()
	about := About{Read: i.c.o.Now()}
	dse, err := readRootDSE(ctx, cn)
	if _, _, no := result(err); no || err == nil && dse == nil {
		return about, nil
	}
	if err != nil {
		return About{}, fault("read the root DSE", s.url, err)
	}
	about.Server, about.Read = describeServer(dse), i.c.o.Now()
	about.Bases = dse.GetEqualFoldAttributeValues("namingContexts")
	// Active Directory's clock, and Samba's (MS-ADTS, section 3.1.1.3.2.7).
	if now, err := time.Parse("20060102150405.0Z", dse.GetEqualFoldAttributeValue("currentTime")); err == nil {
		about.Time = now
	}
	return about, nil
}

// Bind binds as the service account on a new connection.
func (i *Inspector) Bind(ctx context.Context, url string) error {
	s, err := i.server(url)
	if err != nil {
		return err
	}
	cn, err := i.c.try(ctx, s, func(ctx context.Context, s *server) (*conn, error) { return i.c.dialBound(ctx, s, i.c.bindInTurn) })
	if err != nil {
		return err
	}
	cn.kill()
	return nil
}

// Anonymous reports whether a server shows entries below BaseDN to somebody who
// has not bound.
func (i *Inspector) Anonymous(ctx context.Context, url string) (bool, error) {
	s, err := i.server(url)
	if err != nil {
		return false, err
	}
	cn, err := i.c.try(ctx, s, i.c.dial)
	if err != nil {
		return false, err
	}
	defer cn.kill()
	found, err := alone(ctx, cn, func(l *ldap.Conn) (*ldap.SearchResult, error) {
		return l.Search(i.c.request(i.c.o.BaseDN, "(objectClass=*)", 1, "1.1"))
	})
	a, err := answered(cn, found, err)
	if _, _, ok := result(err); ok {
		return false, nil // it said no, in one way or another
	}
	if err != nil {
		return false, fault("search below "+i.c.o.BaseDN, s.url, err)
	}
	return len(a.entries) > 0, nil
}

// InClear reports whether a server takes simple binds on connections in clear,
// at its port for these. The bind that finds out is that of a name that nobody
// has, with a password that nobody has: no account is touched, and no secret
// crosses the network.
func (i *Inspector) InClear(ctx context.Context, url string) (bool, error) {
	s, err := i.server(url)
	if err != nil {
		return false, err
	}
	at := "ldap://" + net.JoinHostPort(s.host, ldap.DefaultLdapPort)
	if s.tls == nil || s.start { // this is that port
		at = "ldap://" + s.addr
	}
	o := i.c.o
	o.URLs, o.StartTLS, o.RequireTLS, o.Log = []string{at}, false, false, slog.New(slog.DiscardHandler)
	other := Inspect(o)
	defer func() { _ = other.Close() }() // returns nil
	plain, err := other.server(at)
	if err != nil {
		return false, err
	}
	cn, err := other.c.try(ctx, plain, other.c.dial)
	if err != nil {
		return false, err
	}
	defer cn.kill()
	_, err = alone(ctx, cn, func(l *ldap.Conn) (*ldap.SimpleBindResult, error) {
		return l.SimpleBind(ldap.NewSimpleBindRequest("CN="+rand.Text()+","+i.c.o.BaseDN, rand.Text(), nil))
	})
	switch code, _, ok := result(err); {
	case ok && code == ldap.LDAPResultInvalidCredentials, ok && code == ldap.LDAPResultNoSuchObject:
		return true, nil // it was judged
	case ok && (code == ldap.LDAPResultStrongAuthRequired || code == ldap.LDAPResultConfidentialityRequired):
		return false, nil
	case err == nil:
		err = errors.New("the server takes any name and password")
	}
	return false, fault("bind in clear", at, err)
}

// Base searches the base DN as the service account, and returns those of the
// continuation references that came with it (RFC 4511, section 4.5.3) that are
// not followed, although users may lie there.
func (i *Inspector) Base(ctx context.Context) ([]string, error) {
	cn, err := i.c.openService(ctx)
	if err != nil {
		return nil, err
	}
	defer cn.kill()
	ctx, cancel := context.WithTimeoutCause(ctx, i.c.o.Timeout, overdue(i.c.o.Timeout))
	defer cancel()
	// References come with whatever matches, and so with next to nothing.
	filter := must("(distinguishedName={0})").With(i.c.o.BaseDN)
	found, err := alone(ctx, cn, func(l *ldap.Conn) (*ldap.SearchResult, error) {
		return l.Search(i.c.request(i.c.o.BaseDN, filter, 0, "1.1"))
	})
	if _, err = answered(cn, found, err); err != nil {
		return nil, fault("search "+i.c.o.BaseDN, cn.server.url, err)
	}
	return i.c.beyond(found.Referrals, cn.server), nil
}

// A Sample is a user that a search found, and what came of finding it by name.
type Sample struct {
	Found int             // how many the search found, of the few that were asked for
	User  *identity.Entry // one of them; nil when there is none
	Name  string          // its value of the attribute that UserFilter asks for; "" without one
	Same  bool            // whether Find found it by that name
}

// sampleSize is how many users are asked for to find one.
const sampleSize = 10

// Sample searches for users as a tenant does, and finds one of them by name as a
// login does.
func (i *Inspector) Sample(ctx context.Context) (Sample, error) {
	users, err := i.c.Search(ctx, identity.Query{Limit: sampleSize})
	if err != nil {
		return Sample{}, err
	}
	s := Sample{Found: len(users)}
	for _, user := range users {
		for _, name := range i.c.o.UserFilter.attributes() {
			if value := user.Value(name); value != "" && s.Name == "" {
				s.User, s.Name = user, value
			}
		}
	}
	if s.Name == "" {
		if len(users) > 0 {
			s.User = users[0]
		}
		return s, nil
	}
	found, err := i.c.Find(ctx, s.Name)
	var refusal *identity.Refusal
	if err != nil && !errors.As(err, &refusal) {
		return s, err
	}
	s.Same = err == nil && found.DN == s.User.DN
	return s, nil
}

// Groups reads the groups of a user.
func (i *Inspector) Groups(ctx context.Context, user *identity.Entry) ([]identity.Group, error) {
	return i.c.Groups(ctx, user)
}

// Pages reads users page by page, two at the most, and returns how many pages
// came: 0 when the server does not know paged results (RFC 2696).
func (i *Inspector) Pages(ctx context.Context) (int, error) {
	cn, err := i.c.openService(ctx)
	if err != nil {
		return 0, err
	}
	defer cn.kill()
	if t := cn.server.traits.Load(); t != nil && t.noPaging {
		return 0, nil
	}
	page := ldap.NewControlPaging(1)
	req := i.c.request(i.c.o.BaseDN, i.c.o.SearchAllFilter.With(""), 0, "1.1")
	req.Controls = []ldap.Control{page}
	for n := 1; ; n++ {
		a, err := pageOn(ctx, cn, req, i.c.o.Timeout, page)
		switch {
		case err != nil:
			return 0, fault("read a page", cn.server.url, err)
		case n == 1 && len(a.entries) > 1:
			return 0, nil // the control was passed over
		case n == 2 || len(page.Cookie) == 0:
			return n, nil
		}
	}
}

// unixEpoch is that of Windows' file times, in seconds before Unix's.
const unixEpoch = 11_644_473_600

// fileTime reads a time as Active Directory counts it: units of 100 ns since
// 1601. What stands for never, and what is none, is the zero time.
func fileTime(n int64) time.Time {
	if n <= 0 || n == 1<<63-1 {
		return time.Time{}
	}
	return time.Unix(n/1e7-unixEpoch, n%1e7*100)
}
