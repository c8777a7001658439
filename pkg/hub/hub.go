// Package hub keeps the agent's websocket to the tenant's hub: it proves who
// the agent is, answers the hub's commands, and reconnects when the line is
// lost.
//
// Everything the hub sends is foreign. A frame that cannot be understood is
// logged and forgotten, a token that does not verify is logged and never
// answered, and a command that goes wrong is answered with a fault; none of
// them ends the link, and nothing ends Run but its context. What passes this
// door is raw and typed: names are unescaped, passwords are strings, limits
// are numbers.
package hub

import (
	"context"
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"ad-ldap-connector/pkg/identity"
)

// A Handler answers what the hub asks. An error that is an *identity.Refusal
// is an answer; every other error is a fault. Handlers are called concurrently,
// and are expected to return when their context ends.
type Handler interface {
	// Authenticate returns the profile of the user whose password is right.
	// An empty password must be refused without asking the directory.
	Authenticate(ctx context.Context, c identity.Credentials) (identity.Profile, error)
	// Search returns the profiles of the users that match q.
	Search(ctx context.Context, q identity.Query) ([]identity.Profile, error)
	// Groups lists the directory's groups, at most limit when it is above 0.
	Groups(ctx context.Context, limit int) ([]identity.Group, error)
	// ChangePassword gives the user a new password and returns the profile.
	ChangePassword(ctx context.Context, c identity.Credentials) (identity.Profile, error)
}

// A State is how the link to the hub fares.
type State string

// The states of a link, in the order of a good start.
const (
	Connecting State = "connecting" // dialling, or waiting for the hub's verdict
	Accepted   State = "accepted"   // commands are answered
	Keyless    State = "keyless"    // accepted, but no command can be verified, and none is answered
	Rejected   State = "rejected"   // the hub does not know this agent's key; tried again slowly
	Lost       State = "lost"       // no link; tried again soon
)

// ErrRejected means that the hub does not accept the agent's token. It is tried
// again all the same: the tenant may learn the certificate, and clocks are set.
var ErrRejected = errors.New("the hub rejected the agent: the tenant knows another certificate, or the clock is off")

// Options say which hub to join, as whom, and how. URL and Signer are
// required; a zero value elsewhere means the default in brackets.
type Options struct {
	URL        string        // of the hub; http and https stand for ws and wss
	Connection string        // the issuer of the agent's token
	Realm      string        // the audience of the agent's token
	Signer     crypto.Signer // the agent's RSA key
	SigningKey string        // the tenant's: a PEM public key or certificate, else a shared secret

	// KeySet reads the JWK set that the tenant publishes; used when there is no
	// SigningKey [none: then every command is refused].
	KeySet func(context.Context) ([]byte, error)

	Seen *Seen        // shared with the clients before and after [its own]
	HTTP *http.Client // whose proxy and TLS rules apply [a plain client]
	Log  *slog.Logger // [none]

	WriteBack      bool          // change_password is carried out; else it is ignored
	Links          int           // how many links are kept: one, or two that do not end together [1]
	MaxInFlight    int           // commands at work at a time, at least one of each [256]
	RequestTimeout time.Duration // from a command's arrival to its answer [60 s]
	MaxBackoff     time.Duration // between two attempts to connect [30 s]
	Drain          time.Duration // for the commands in flight when Run is to end [5 s]

	Now      func() time.Time             // the clock of both tokens [time.Now]
	Explain  func(error) error            // classifies an error of the dialling
	State    func(s State, detail string) // told of each change; must not block
	Answered func(Answer)                 // told of each answer, concurrently; must not block
	Event    func(Event)                  // told of each, concurrently; must not block
}

// The defaults of Options.
const (
	defaultInFlight = 256
	defaultTimeout  = 60 * time.Second
	defaultBackoff  = 30 * time.Second
	defaultDrain    = 5 * time.Second
	maxLinks        = 2
)

// A Client is one agent's presence at the hub, through all its reconnections.
type Client struct {
	handler Handler
	o       Options
	url     string
	host    string
	log     *slog.Logger
	random  func() float64 // in [0, 1); for the jitter
	pace    pace           // tests are in a hurry
	http    *http.Client
	verify  *verifier

	watch    watch // whether the process ran all the time
	lines          // the links, as far as there are any
	commands       // those at work, and those that wait
	running  atomic.Bool
	heir     atomic.Pointer[Heir] // nil: nobody comes after
	dialled  atomic.Int64         // the links so far
}

// New checks the options and returns a client that has not connected yet.
func New(h Handler, o Options) (*Client, error) {
	if h == nil {
		return nil, errors.New("hub: no handler")
	}
	u, err := hubURL(o.URL)
	if err != nil {
		return nil, err
	}
	if o.Signer == nil {
		return nil, errors.New("hub: no key to prove the agent with")
	}
	if _, ok := o.Signer.Public().(*rsa.PublicKey); !ok {
		return nil, fmt.Errorf("hub: the agent's key is %T, and the hub takes RSA only", o.Signer.Public())
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{}
	}
	if o.MaxInFlight <= 0 {
		o.MaxInFlight = defaultInFlight
	}
	if o.RequestTimeout <= 0 {
		o.RequestTimeout = defaultTimeout
	}
	if o.MaxBackoff <= 0 {
		o.MaxBackoff = defaultBackoff
	}
	if o.Drain <= 0 {
		o.Drain = defaultDrain
	}
	o.Links = min(max(o.Links, 1), maxLinks)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.State == nil {
		o.State = func(State, string) {}
	}
	if o.Answered == nil {
		o.Answered = func(Answer) {}
	}
	if o.Event == nil {
		o.Event = func(Event) {}
	}
	if o.Explain == nil {
		o.Explain = func(err error) error { return err }
	}
	c := &Client{
		handler: h, o: o, url: u.String(), host: u.Host, log: o.Log,
		random: rand.Float64, pace: pace{pingInterval, pongTimeout}, http: withoutRedirects(o.HTTP),
		verify: newVerifier(o.SigningKey, o.Now),
		commands: commands{
			quiet: newMufflers(),
			shed:  newShedder(),
			stop:  make(chan struct{}),
			lanes: newLanes(o.MaxInFlight, o.RequestTimeout),
			held:  make(chan struct{}, maxHeld),
		},
	}
	if strings.TrimSpace(o.SigningKey) == "" && o.KeySet != nil {
		c.verify = newPublishedVerifier(o.KeySet, o.Now)
		c.verify.ring.told = c.keysRead
	}
	if o.Seen != nil {
		c.verify.seen = o.Seen.memory
	}
	c.lines = newLines(o.Links, o.State, c.verify.fault)
	if u.Scheme == "ws" && !loopback(u.Hostname()) {
		c.log.Warn("the link to the hub is not encrypted: passwords travel in clear", "hub", u.Host)
	}
	return c, nil
}

// hubURL is the websocket's address for what the tenant gave as adHub.
func hubURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		var inner *url.Error
		if errors.As(err, &inner) {
			err = inner.Err // its own text repeats the URL, which may hold a password
		}
		return nil, fmt.Errorf("parse the hub's URL: %w", err)
	}
	switch u.Scheme {
	case "http":
		u.Scheme = "ws"
	case "https":
		u.Scheme = "wss"
	case "ws", "wss":
	default:
		return nil, fmt.Errorf("parse the hub's URL: the scheme is %q, not https or wss", u.Scheme)
	}
	if u.Host == "" {
		return nil, errors.New("parse the hub's URL: it has no host")
	}
	u.Fragment = ""
	return u, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// withoutRedirects is client, but stays where it was sent: the agent's token
// is for the hub that the tenant named.
func withoutRedirects(client *http.Client) *http.Client {
	copied := *client
	copied.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &copied
}
