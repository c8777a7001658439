package sandbox

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// directoryMaxConns is how many connections the directory serves at a time;
// further ones are closed at once.
const directoryMaxConns = 1000

// DirectoryOptions say what StartDirectory starts. The zero value is a plain
// directory with the demo population on a free port.
type DirectoryOptions struct {
	Listen    string           // host:port for ldap, loopback only; "" = 127.0.0.1:0
	TLSListen string           // host:port for ldaps, loopback only; "" = none
	LDIF      io.Reader        // the entries; nil = the demo population
	Users     int              // so many generated users besides, at most 100,000
	Traits    Traits           // how it behaves at the start
	Password  string           // the service account's; "" = a new one
	TLS       *tls.Config      // certificates for ldaps and StartTLS; nil = neither
	Log       *slog.Logger     // nil = silent
	Now       func() time.Time // the clock of account states; nil = time.Now
}

// Directory is a running LDAP directory that lives in memory.
type Directory struct {
	store     *store
	base      string // as loaded
	baseNorm  string
	service   *storeEntry
	password  string // the service account's
	tls       *tls.Config
	log       *slog.Logger
	now       func() time.Time
	traits    atomic.Pointer[Traits]
	listeners []net.Listener
	url       string
	tlsURL    string
	ctx       context.Context // ends with Close
	cancel    context.CancelFunc
	wg        sync.WaitGroup

	mu     sync.Mutex
	closed bool
	conns  map[*ldapConn]struct{}
	wrong  map[*storeEntry]int // wrong passwords in a row
	turn   time.Time           // of the next bind, with Traits.BindsPerSecond
}

// StartDirectory loads the entries and begins to listen. Errors: an address
// that is not a loopback one or is taken, a bad LDIF (with the line), too many
// users. The caller closes the Directory.
func StartDirectory(o DirectoryOptions) (*Directory, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.TLSListen != "" && o.TLS == nil {
		return nil, errors.New("start directory: ldaps needs a certificate")
	}
	d := &Directory{
		tls: o.TLS, log: o.Log, now: o.Now, password: o.Password,
		conns: map[*ldapConn]struct{}{}, wrong: map[*storeEntry]int{},
	}
	if d.password == "" {
		d.password = rand.Text()
	}
	d.SetTraits(o.Traits)
	if err := d.populate(o); err != nil {
		return nil, fmt.Errorf("start directory: %w", err)
	}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	if err := d.listen(o); err != nil {
		return nil, errors.Join(fmt.Errorf("start directory: %w", err), d.Close())
	}
	return d, nil
}

func (d *Directory) listen(o DirectoryOptions) error {
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	l, err := listenLoopback(o.Listen)
	if err != nil {
		return err
	}
	d.url = "ldap://" + l.Addr().String()
	d.listeners = append(d.listeners, l)
	if o.TLSListen != "" {
		t, err := listenLoopback(o.TLSListen)
		if err != nil {
			return err
		}
		d.tlsURL = "ldaps://" + t.Addr().String()
		d.listeners = append(d.listeners, t)
	}
	for i, l := range d.listeners {
		d.wg.Go(func() { d.accept(l, i == 1) })
	}
	return nil
}

// listenLoopback listens on an address that only this machine can reach.
func listenLoopback(addr string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", addr, err)
	}
	if strings.EqualFold(host, "localhost") {
		host = "127.0.0.1" // whatever the name resolves to
	}
	if ip, err := netip.ParseAddr(host); err != nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("listen on %q: the sandbox listens on loopback addresses only", addr)
	}
	return new(net.ListenConfig).Listen(context.Background(), "tcp", net.JoinHostPort(host, port))
}

// accept serves a listener until it is closed.
func (d *Directory) accept(l net.Listener, secure bool) {
	for {
		nc, err := l.Accept()
		if err != nil {
			if d.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			d.log.Warn("connection not accepted", "err", err)
			select { // too many open files pass, but not at once
			case <-d.ctx.Done():
				return
			case <-time.After(50 * time.Millisecond):
			}
			continue
		}
		c := newLDAPConn(d, nc)
		if !d.enter(c) {
			continue
		}
		d.wg.Go(func() {
			defer d.leave(c)
			c.serve(secure)
		})
	}
}

// enter counts a connection in. One too many, or one that comes while the
// directory closes, is closed.
func (d *Directory) enter(c *ldapConn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		c.close()
		return false
	}
	if len(d.conns) >= directoryMaxConns {
		d.log.Warn("connection refused", "reason", "too many")
		c.close()
		return false
	}
	d.conns[c] = struct{}{}
	return true
}

func (d *Directory) leave(c *ldapConn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.conns, c)
}

// Close ends all connections and waits for everything that the directory has
// started. It may be called twice.
func (d *Directory) Close() error {
	d.mu.Lock()
	d.closed = true
	conns := d.conns
	d.conns = map[*ldapConn]struct{}{}
	d.mu.Unlock()
	d.cancel()
	var errs []error
	for _, l := range d.listeners {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	for c := range conns {
		c.close()
	}
	d.wg.Wait()
	return errors.Join(errs...)
}

// takeTurn waits until the directory has time for another bind, or is closed.
func (d *Directory) takeTurn() {
	rate := d.traits.Load().BindsPerSecond
	if rate <= 0 {
		return
	}
	d.mu.Lock()
	now := time.Now()
	if d.turn.Before(now) {
		d.turn = now
	}
	wait := d.turn.Sub(now)
	d.turn = d.turn.Add(time.Second / time.Duration(rate))
	d.mu.Unlock()
	select {
	case <-time.After(wait):
	case <-d.ctx.Done():
	}
}

// SetTraits changes how the directory behaves, also for open connections.
func (d *Directory) SetTraits(t Traits) { d.traits.Store(&t) }

func (d *Directory) ad() bool { return d.traits.Load().ActiveDirectory }

// URL is the directory's address, like ldap://127.0.0.1:40123.
func (d *Directory) URL() string { return d.url }

// TLSURL is the ldaps address, or "".
func (d *Directory) TLSURL() string { return d.tlsURL }

// BaseDN is the DN of the topmost entry.
func (d *Directory) BaseDN() string { return d.base }

// BindUser is the DN of the service account, the only one that may write.
func (d *Directory) BindUser() string { return d.service.dn }

// BindPassword is the service account's password.
func (d *Directory) BindPassword() string { return d.password }
