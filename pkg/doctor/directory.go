package doctor

import (
	"context"
	"crypto/x509"
	"time"
)

// Directory is what the checks may ask of the directory and the service
// account: each with the runtime's own dialer, trust and credentials. All funcs
// are nil where no directory is configured.
type Directory struct {
	// GSSAPI says that the service account binds by Kerberos, and not with a
	// password or a certificate.
	GSSAPI bool

	// Records returns the domains of srv:// and srvs://, and the servers that
	// their DNS records name; no domain where the servers are configured.
	Records func(context.Context) (domains, urls []string, err error)
	// Servers returns the servers in the order in which they are tried; those
	// behind srv:// as DNS names them at this moment.
	Servers func(context.Context) ([]Server, error)
	// Reach opens a connection to a server, without TLS, and closes it. It
	// returns the address that was reached.
	Reach func(context.Context, Server) (addr string, err error)
	// Peer shakes hands with a server over TLS.
	Peer func(context.Context, Server) (Peer, error)
	// About reads what a server says of itself.
	About func(context.Context, Server) (About, error)
	// Bind binds as the service account on a new connection.
	Bind func(context.Context, Server) error
	// Anonymous reports whether a server lets somebody search who has not bound.
	Anonymous func(context.Context, Server) (bool, error)
	// InClear reports whether a server takes simple binds on a connection in
	// clear. The bind that finds out is that of a name that nobody has.
	InClear func(context.Context, Server) (bool, error)
	// Base searches the base DN, as the service account, and returns the
	// references to other places that came with it, as URLs, where users may
	// be and are not looked for.
	Base func(context.Context) (references []string, err error)
	// Users searches for users as the tenant does, and finds one of them by
	// name as a login does.
	Users func(context.Context) (Users, error)
	// Groups reads the groups of the user that Users found, and returns how
	// many there are.
	Groups func(ctx context.Context, dn string) (int, error)
	// Pages reads users in two small pages, and returns how many pages came.
	Pages func(context.Context) (int, error)
	// Account reads the service account's own entry.
	Account func(context.Context) (Account, error)
}

// A Server is one server of the directory.
type Server struct {
	URL      string // without secrets
	TLS      bool   // ldaps:// or StartTLS
	Loopback bool   // on this machine
}

// A Peer is what a TLS handshake showed.
type Peer struct {
	Version string // "TLS 1.3"
	// Certificates are the server's own and what it sent along with it.
	Certificates []*x509.Certificate
	// Fault is why the runtime would not go on with this server; nil when it
	// would.
	Fault error
}

// About is what a server says of itself.
type About struct {
	Kind     string    // ad, samba, openldap, ...; "" when it is none that is known
	Vendor   string    // in its own words; may be empty
	Bases    []string  // the DNs below which it holds entries; none when it does not say
	Holds    bool      // whether the base DN is at or below one of these
	StartTLS bool      // whether it offers that
	Time     time.Time // its clock; zero when it does not say
	Read     time.Time // when that was, by this machine's clock
}

// Users are what a search for users came to.
type Users struct {
	Found int    // at most a few are asked for
	DN    string // of one of them
	Name  string // by which LDAP_USER_BY_NAME was to find it; "" when the filter's attribute is not among its own
	Same  bool   // whether that found this one, and no other
}

// An Account is the service account's own entry.
type Account struct {
	DN string
	// Powerful are the groups with far-reaching rights that it is in, by name:
	// Domain Admins and their like.
	Powerful []string
	Set      time.Time // of the password; zero when the directory does not say
	Expires  time.Time // of the password; zero when never, or not said
}
