// Package directory is the client of an LDAP directory, Active Directory
// first: it finds users, tries their passwords, reads their groups and sets
// their passwords, over connections that it opens when they are needed and
// opens again when they are lost.
package directory

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"ad-ldap-connector/pkg/identity"
)

// What an Options leaves out.
const (
	defaultTimeout       = 10 * time.Second
	defaultGroupsTimeout = 20 * time.Second
	defaultHeartbeat     = 60 * time.Second
	defaultBinds         = 64
	defaultReturn        = 60 * time.Second
	defaultGroupProperty = "cn"
)

// How connections are kept. All together they are few beside what a server
// takes (Active Directory: 5,000), and most of them only under load.
const (
	searchConns  = 2                // multiplexed, for searches, to begin with
	searchMost   = 8                // and at the most
	searchLoad   = 24               // searches on each at a time: servers have their limits
	workConns    = 4                // one operation at a time: paged searches and modifications
	listConns    = workConns / 2    // of these for lists, which take long: others are in a hurry
	openTimeout  = 10 * time.Second // to dial one server, TLS and the service account's bind included
	writeTimeout = 5 * time.Second  // for the peer to take what is written
	maxIdle      = 2 * time.Minute  // well below what firewalls and servers cut (AD: 15 minutes)
)

// Options says which directory, and how to ask it.
type Options struct {
	// URLs are the servers, ldap:// or ldaps://, in order of preference. They
	// must hold the same directory. srv://DOMAIN stands for those that the
	// domain's DNS records _ldap._tcp name, srvs:// for the same over ldaps.
	URLs []string
	// Site, if not "", prefers the servers of that Active Directory site among
	// those of a domain.
	Site string
	// Resolver asks DNS for a domain's servers; nil is the system's.
	Resolver *net.Resolver
	// ReturnAfter is how long a server that failed is left alone until it is
	// tried whether the client can return to it; 0 means 60 s.
	ReturnAfter time.Duration
	// StartTLS secures ldap:// connections before anything else is sent
	// (RFC 4511, section 4.14). There is no falling back.
	StartTLS bool
	// TLS, if not nil, verifies the servers. Its ServerName is set for each
	// server when it is empty.
	TLS *tls.Config
	// RequireTLS refuses connections without TLS, and so to send any password
	// in clear.
	RequireTLS bool
	// ClientCert and ClientKey are PEM files of the certificate that is shown
	// to servers; "" shows none. They are read again when they change. ClientKey
	// may be "" when the key is in the other file.
	ClientCert, ClientKey string
	// Dial, if not nil, opens the TCP connections.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	// ReferralHosts are the hosts, with or without a port, to which references
	// are followed, with the same account and the same rules for TLS. All others
	// are ignored.
	ReferralHosts []string

	// BaseDN is where users are searched, GroupBaseDN where their groups are
	// ("" means BaseDN).
	BaseDN, GroupBaseDN string
	// Method is how the service account binds; "" means Simple.
	Method Method
	// Kerberos says where the tickets of Method GSSAPI come from.
	Kerberos Kerberos
	// BindUser is the service account: a DN, or what else the server takes.
	// "" searches anonymously, unless Method needs no name.
	BindUser     string
	BindPassword identity.Password

	// The filters of the questions; a zero one means Active Directory's.
	// UserFilter takes the username, SearchFilter the text to search,
	// GroupsFilter the DN of a user or group.
	UserFilter, SearchFilter, SearchAllFilter, ListGroupsFilter, GroupsFilter, HeartbeatFilter Filter

	// GroupProperty is the attribute that names a group ("" means cn; dn is
	// its DN). When GroupProperties are given, each group is an object of
	// these instead.
	GroupProperty   string
	GroupProperties []string
	// NestedGroups follows the groups of groups here, for servers that do not
	// (all but Active Directory and Samba).
	NestedGroups bool
	// PrimaryGroup counts a user's primary group among its groups, and those
	// that one is in (Active Directory and Samba: no membership names it).
	PrimaryGroup bool
	// GroupsCache is how long a user's groups are remembered; 0 not at all.
	GroupsCache time.Duration
	// GroupsTimeout bounds one reading of a user's groups; 0 means 20 s.
	GroupsTimeout time.Duration
	// DerefAliases is the group searches' (RFC 4511, section 4.5.1.3): 0 never
	// to 3 always.
	DerefAliases int

	// Heartbeat is the time between two looks of Run at the directory; 0
	// means 60 s.
	Heartbeat time.Duration
	// Timeout bounds every other operation; 0 means 10 s.
	Timeout time.Duration
	// ParallelBinds is how many passwords are tried at a time, each on its own
	// connection, per server; 0 means 64.
	ParallelBinds int
	// UnicodePassword sets unicodePwd (Active Directory, over TLS only)
	// instead of userPassword.
	UnicodePassword bool
	// PasswordMethod is how a password is set that does not go to unicodePwd:
	// AutoPasswords (or ""), ModifyPasswords or ExtendedPasswords.
	PasswordMethod string
	// UnlockOnChange unlocks the account when its password is set: lockoutTime
	// in Active Directory, pwdAccountLockedTime elsewhere.
	UnlockOnChange bool

	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log, if not nil, learns of changes of server.
	Log *slog.Logger
	// State, if not nil, learns how the directory fares, when that changes:
	// from Run, and from an operation that moved to another server. Detail
	// names the server, or what is wrong. It must not call the client.
	State func(ok bool, detail string)
	// Event, if not nil, learns of each, concurrently. It must not block.
	Event func(Event)
}

// ErrClosed is the cause of every error after Close.
var ErrClosed = errors.New("the directory client is closed")

// A Client asks one directory. It is safe for concurrent use.
type Client struct {
	o Options

	roster  roster
	servers servers
	shared  desk          // for searches; bound as the service account
	work    desk          // for what needs a connection of its own; bound as the service account
	binds   desk          // users bind here
	lists   chan struct{} // holds a token for each list that is read in pages
	groups  *groupCache
	nodes   *nodeCache
	tokens  tokenMemory

	others others // where references led to
	places places
	refs   told // that were ignored

	cert    *certificate // nil: none is shown
	tickets *tickets
	warned  sync.Once // that passwords go in clear

	told struct { // what State was told last
		sync.Mutex
		any, ok bool
		detail  string
	}
	ill   atomic.Bool   // what State was told last is that it does not work
	hurry chan struct{} // holds a token when it is to be looked at soon

	denial *denial // of the service account

	life   context.Context
	cancel context.CancelCauseFunc
	wait   sync.WaitGroup // goroutines of our own

	mu     sync.Mutex
	conns  map[*conn]struct{} // all that are open
	closed bool
	opened uint64 // how many were
}

var (
	_ identity.Directory = (*Client)(nil)
	_ identity.Locator   = (*Client)(nil)
)

// New returns a client of the directory. It does no I/O: an agent may start
// before its directory does. URLs that cannot be used show in the first
// operation.
func New(o Options) *Client {
	return newClient(o, newDenial())
}

func newClient(o Options, d *denial) *Client {
	c := &Client{o: o.withDefaults(), denial: d, conns: map[*conn]struct{}{}, hurry: make(chan struct{}, 1)}
	c.life, c.cancel = context.WithCancelCause(context.Background())
	c.cert, c.tickets = newCertificate(c.o), newTickets(c.o)
	c.servers.returnAfter, c.servers.now = c.o.ReturnAfter, c.o.Now
	c.roster.parse(c)
	c.shared = desk{c, func(s *server) pool { return s.shared }}
	c.work = desk{c, func(s *server) pool { return s.work }}
	c.binds = desk{c, func(s *server) pool { return s.binds }}
	c.lists = make(chan struct{}, listConns)
	c.groups = newGroupCache(c.life, c.o.GroupsCache, c.o.Now, c.spawn)
	c.nodes = newNodeCache(c.o.GroupsCache, c.o.Now)
	return c
}

func (o Options) withDefaults() Options {
	for _, d := range []struct {
		at       *Filter
		template string
	}{
		{&o.UserFilter, "(sAMAccountName={0})"},
		{&o.SearchFilter, "(&(objectCategory=person)(anr={0}))"},
		{&o.SearchAllFilter, "(objectCategory=person)"},
		{&o.ListGroupsFilter, "(objectCategory=group)"},
		{&o.GroupsFilter, adGroupsFilter},
		{&o.HeartbeatFilter, "(&(objectclass=user)(|(sAMAccountName=foo)(UserPrincipalName=foo)))"},
	} {
		if d.at.IsZero() {
			*d.at = must(d.template)
		}
	}
	if o.Method == "" {
		o.Method = Simple
	}
	orDefault(&o.GroupBaseDN, o.BaseDN)
	orDefault(&o.GroupProperty, defaultGroupProperty)
	orDefault(&o.Timeout, defaultTimeout)
	orDefault(&o.GroupsTimeout, defaultGroupsTimeout)
	orDefault(&o.Heartbeat, defaultHeartbeat)
	orDefault(&o.ParallelBinds, defaultBinds)
	orDefault(&o.ReturnAfter, defaultReturn)
	if o.DerefAliases < 0 || o.DerefAliases > 3 {
		o.DerefAliases = 0
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Event == nil {
		o.Event = func(Event) {}
	}
	return o
}

// orDefault replaces a value that says nothing.
func orDefault[T string | int | time.Duration](at *T, value T) {
	var zero T
	if *at <= zero {
		*at = value
	}
}

// Close ends every connection and whatever runs on one, and waits for the
// goroutines. Every later operation fails with ErrClosed.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	open := make([]*conn, 0, len(c.conns))
	for cn := range c.conns {
		open = append(open, cn)
	}
	c.mu.Unlock()
	c.cancel(ErrClosed)
	for _, cn := range open {
		cn.kill()
		_ = cn.ldap.Close() // waits for its goroutines; the error is that of a closed socket
	}
	c.others.close()
	c.wait.Wait()
	return nil
}

// adopt counts a connection among the open ones.
func (c *Client) adopt(cn *conn) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	c.opened++
	cn.seq = c.opened
	cn.watch = func(ctx context.Context, cn *conn) { c.attend(ctx, cn.server, cn) }
	cn.forget = func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.conns, cn)
	}
	c.conns[cn] = struct{}{}
	c.o.Event(ConnectionOpened)
	return nil
}

// newest returns the number of the connection opened last.
func (c *Client) newest() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.opened
}

// stale reports whether an idle connection should not be used again.
func (c *Client) stale(cn *conn) bool {
	return cn.dead() || cn.idleSince(c.o.Now()) > maxIdle || c.servers.left(cn.server)
}
