package sandbox

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"
)

// Bounds of the pretend tenant. A sandbox serves one machine: whoever passes
// them is a runaway script, and is told so instead of being served.
const (
	maxCloudSockets = 2048
	maxCloudLinks   = 512
	maxCloudStreams = 64
	maxCloudAsking  = 1024
)

// CloudOptions configure a pretend tenant. The zero value is a good one.
type CloudOptions struct {
	// Listen is the address to serve on; "" means 127.0.0.1:0. Anything but a
	// loopback address is refused: whoever reaches a sandbox may use it.
	Listen string
	// State is the folder for the certificate authority and the connections,
	// which outlive the process there. "" means a temporary one that Close
	// removes. It must not be shared by two running sandboxes.
	State string
	// Timeout is how long one request may take over all agents; 0 means 30 s.
	Timeout time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log receives what happens, without passwords, tickets and keys; nil
	// means nothing is logged.
	Log *slog.Logger
	// JWKS has the tenant publish its signing keys, at /.well-known/jwks.json,
	// and send none to agents that say that they look there.
	JWKS bool
	// SeveralCertificates has a connection take further certificates besides
	// the one that its first agent registered, instead of holding to that one.
	SeveralCertificates bool
	// Kerberos and CertAuth are the first connection's switches, as given at
	// each start.
	Kerberos, CertAuth bool
	// Releases is a folder whose files are served below /releases/, as a server
	// of the connector's releases would; "" serves none.
	Releases string
	// Posted, if not nil, is given each wresult that a browser brings, before
	// the tenant judges it.
	Posted func(wresult string)

	pace cloudPace // tests are in a hurry
}

// cloudPace is how long an agent may take.
type cloudPace struct {
	authenticate time.Duration // to say who it is
	write        time.Duration // to take a frame off the wire
	ping         time.Duration // between two pings, and to answer one
	next         time.Duration // to answer a request, before another one is asked too
}

var usualPace = cloudPace{authenticate: 10 * time.Second, write: 10 * time.Second, ping: 10 * time.Second, next: 5 * time.Second}

// A Cloud is a pretend tenant with its hub: it provisions agents by ticket,
// keeps their links, and sends them logins and searches. It is safe for
// concurrent use.
type Cloud struct {
	options CloudOptions
	log     *slog.Logger
	folder  string
	remove  bool // the folder is temporary
	ca      *cloudCA
	url     string
	port    int
	server  *http.Server
	ctx     context.Context // ends with the cloud
	cancel  context.CancelFunc
	running sync.WaitGroup
	closing sync.Once
	closed  error
	offset  atomic.Int64
	refuses atomic.Bool // whoever comes

	releaseFault atomic.Pointer[ReleaseFault]

	linkSlots, streamSlots, askSlots chan struct{}

	writing     sync.Mutex // held while connections are changed and saved
	mu          sync.Mutex // guards what follows; held for moments only
	ended       bool
	connections []*cloudConnection
	links       []*cloudLink
	asks        uint64 // counts turns, for round robin
	arrivals    int
	pending     map[string]pendingSignIn // by what stands for them
	owed        map[string]owing         // by name of the answer; see Unanswered
	changed     chan struct{}
}

// StartCloud starts a pretend tenant with one connection (or, with a State
// that knows some, with those) and returns once it serves. It fails when the
// address is not loopback's or is taken, and when the state cannot be read or
// written; damaged state is never replaced.
func StartCloud(o CloudOptions) (*Cloud, error) {
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.pace == (cloudPace{}) {
		o.pace = usualPace
	}
	c := &Cloud{
		options: o, log: o.Log, folder: o.State,
		linkSlots:   make(chan struct{}, maxCloudLinks),
		streamSlots: make(chan struct{}, maxCloudStreams),
		askSlots:    make(chan struct{}, maxCloudAsking),
		changed:     make(chan struct{}),
		owed:        map[string]owing{},
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	if err := c.start(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Cloud) start() (err error) {
	if err := checkLoopback(c.options.Listen); err != nil {
		return err
	}
	if c.folder == "" {
		if c.folder, err = os.MkdirTemp("", "connector-sandbox-"); err != nil {
			return fmt.Errorf("make a folder for the sandbox: %w", err)
		}
		c.remove = true
	} else if err := os.MkdirAll(c.folder, 0o700); err != nil {
		return fmt.Errorf("make the sandbox's folder: %w", err)
	}
	if c.ca, err = openCloudCA(c.folder, c.options.Now); err != nil {
		return err
	}
	if err := c.load(); err != nil {
		return err
	}
	listener, err := c.listen()
	if err != nil {
		return err
	}
	if err := c.first(); err != nil {
		return errors.Join(err, listener.Close())
	}
	c.server = &http.Server{
		Handler:           c.handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      c.options.Timeout + 30*time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(c.log.Handler(), slog.LevelDebug),
	}
	c.running.Go(func() {
		err := c.server.Serve(tls.NewListener(netutil.LimitListener(listener, maxCloudSockets), c.TLS()))
		if !errors.Is(err, http.ErrServerClosed) {
			c.log.Error("sandbox stopped serving", "err", err)
		}
	})
	return nil
}

// listen opens the socket. A sandbox that was on a port of the system's choice
// tries that one again, so that the tickets it gave out keep working.
func (c *Cloud) listen() (net.Listener, error) {
	host, port, err := net.SplitHostPort(c.options.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", c.options.Listen, err)
	}
	var listener net.Listener
	var socket net.ListenConfig
	if port == "0" && c.port != 0 {
		// Another program may have it by now; then any port will do.
		listener, _ = socket.Listen(context.Background(), "tcp", net.JoinHostPort(host, fmt.Sprint(c.port)))
	}
	if listener == nil {
		if listener, err = socket.Listen(context.Background(), "tcp", c.options.Listen); err != nil {
			return nil, fmt.Errorf("serve the sandbox: %w", err)
		}
	}
	// "localhost" is whatever the hosts file says.
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok || !address.IP.IsLoopback() {
		return nil, errors.Join(fmt.Errorf("listen on %q: it is not a loopback address", c.options.Listen), listener.Close())
	}
	c.port = address.Port
	c.url = "https://" + net.JoinHostPort(host, fmt.Sprint(c.port))
	return listener, nil
}

func checkLoopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("listen on %q: %w", address, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("listen on %q: a sandbox serves loopback addresses only (127.0.0.1, ::1, localhost)", address)
	}
	return nil
}

// Close ends all links and requests, stops serving and removes a temporary
// folder. It returns when nothing of the cloud runs any more, and may be
// called again.
func (c *Cloud) Close() error {
	c.closing.Do(func() {
		c.mu.Lock()
		c.ended = true // nobody comes in any more
		c.mu.Unlock()
		c.DropAgents()
		c.cancel()
		if c.server != nil {
			c.closed = c.server.Close()
		}
		c.running.Wait()
		if c.remove {
			c.closed = errors.Join(c.closed, os.RemoveAll(c.folder))
		}
	})
	return c.closed
}

// enter counts a request that is being served, and is false when the cloud
// closes. Who entered leaves by c.running.Done.
func (c *Cloud) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return false
	}
	c.running.Add(1)
	return true
}

// URL is where the cloud serves, without a path: "https://127.0.0.1:41443".
func (c *Cloud) URL() string { return c.url }

// Ticket is the ticket of the first connection, a whole URL. It is a secret.
func (c *Cloud) Ticket() string {
	if connection := c.find(""); connection != nil {
		return c.ticket(connection)
	}
	return ""
}

// CAFile is the path of the PEM file with the certificate authority that a
// client must trust.
func (c *Cloud) CAFile() string { return c.ca.file }

// CAPool holds that certificate authority alone.
func (c *Cloud) CAPool() *x509.CertPool { return c.ca.pool() }

// TLS is a server's side for localhost, 127.0.0.1 and ::1 under the same
// certificate authority, for a directory beside the cloud.
func (c *Cloud) TLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.ca.serverCertificate(c.options.Now())
		},
	}
}

// SetClock moves the tenant's clock: it is then offset ahead of the machine's
// (behind it, when negative) in /test, in the tokens that are sent, and when
// the agents' tokens are judged.
func (c *Cloud) SetClock(offset time.Duration) { c.offset.Store(int64(offset)) }

func (c *Cloud) now() time.Time { return c.options.Now().Add(time.Duration(c.offset.Load())) }
