package wsfed

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"ad-ldap-connector/pkg/identity"
)

// Options say who signs users in, for whom, and within which bounds.
type Options struct {
	Signer      crypto.Signer     // the agent's key, of RSA
	Certificate *x509.Certificate // that the tenant has registered

	Realm    string   // the one wtrealm that is answered, and the audience
	PostURLs []string // where its assertions may go; the first where none is named
	Issuer   string   // of assertions and metadata
	Site     string   // the title of the pages
	URL      string   // SERVER_URL: how browsers reach us, without /wsfed

	Ways []Way // in without a password, in the order to try them

	Secret        []byte        // that cookies are sealed with, at least 32 octets, the same on all nodes
	SessionLife   time.Duration // 0 = no sessions
	AssertionLife time.Duration // [5 minutes]
	RefusalTakes  time.Duration // the least, so that its time tells nothing [1 s]; below 0 = none

	Guard   *Guard        // counts the form's tries; nil = no bounds
	AtOnce  int           // passwords that are tried at the same time, and users let in whom something else proved [64 each]
	Within  time.Duration // one request [a minute]
	Now     func() time.Time
	NewID   func() string // of assertions; nil = at random
	Log     *slog.Logger
	Entered func(Entry) // nil, or learns of every try to get in

	// Source is the address that a request comes from, for the guard and the
	// log; nil = that of the connection. Behind a balancer it needs to know
	// which one may be believed.
	Source func(*http.Request) string
}

// An Entry is how one try to get in ended.
type Entry struct {
	Method  string // a Method's name, or "session"
	Outcome Outcome
	User    string        // as typed, at most some 128 octets, or as proved; "" = nobody was named
	Request string        // the ID of the request, as the log has it
	Reason  string        // of a refusal by the directory, as identity has it, or what else was wrong
	Source  string        // the address that the request came from
	Began   time.Time     // by Options.Now
	Took    time.Duration // likewise
	Stages  []identity.Stage
}

// An Outcome is the end of a try. There are no others than these.
type Outcome string

// The outcomes.
const (
	Accepted  Outcome = "accepted"
	Refused   Outcome = "refused"
	Throttled Outcome = "throttled" // too many tries: the directory was not asked
	Busy      Outcome = "busy"      // too many at the same time: likewise
	Fault     Outcome = "fault"
)

// Outcomes are all of them, and Methods all names that an Entry may have.
var (
	Outcomes = []Outcome{Accepted, Refused, Throttled, Busy, Fault}
	Methods  = []string{ByPassword.String(), ByKerberos.String(), ByCertificate.String(), ByProxy.String(), "session"}
)

// settle fills in what was left open, and refuses what cannot work.
func (o *Options) settle() error {
	if o.Realm == "" || len(o.PostURLs) == 0 {
		return errors.New("the tenant named no realm or no URL to post assertions to")
	}
	for _, to := range append([]string{o.URL}, o.PostURLs...) {
		if u, err := url.Parse(to); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
			return fmt.Errorf("%q is no address that browsers could be sent to", to)
		}
	}
	o.AssertionLife = defaultTo(o.AssertionLife, 5*time.Minute)
	o.RefusalTakes = defaultTo(o.RefusalTakes, time.Second)
	o.Within = defaultTo(o.Within, time.Minute)
	o.AtOnce = defaultTo(o.AtOnce, 64)
	if o.Guard == nil {
		o.Guard = NewGuard(Limits{})
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewID == nil {
		o.NewID = newID
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Entered == nil {
		o.Entered = func(Entry) {}
	}
	if o.Source == nil {
		o.Source = func(r *http.Request) string { return r.RemoteAddr }
	}
	return nil
}

func defaultTo[T int | time.Duration](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}

// origin is the scheme and host of a URL, as browsers name it.
func origin(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
