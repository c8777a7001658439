// Package kerberos proves a browser's user by HTTP Negotiate (RFC 4559): with
// the keys of a keytab or, on Windows, as the account that the service runs as.
// It asks no KDC, and proves nobody by NTLM.
package kerberos

import (
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"ad-ldap-connector/pkg/identity"
)

// Options say whose service tickets are taken, and as whose.
type Options struct {
	// Keytab is the file with the keys of this service. "" is the account that
	// the process runs as, which only Windows has.
	Keytab string
	// Principals are those that a service ticket may be for, with or without
	// @REALM; none: every HTTP/HOST. The keytab must have their keys.
	Principals []string
	// Realms are the Kerberos realms whose users are taken; none: the realms
	// of the keys.
	Realms Realms
	// Binding says what is asked of a service ticket over TLS.
	Binding Binding
	// Certificates returns the certificates (DER) that the TLS connection of a
	// request may have shown; none where TLS does not end here. May be nil.
	Certificates func(*http.Request) [][]byte
	// Skew is how far a browser's clock may be off; 0 is five minutes, which is
	// what KDCs allow.
	Skew time.Duration

	Now func() time.Time // nil: time.Now
	Log *slog.Logger
}

// What else came of a request than a principal or a denial.
var (
	// ErrChallenged says that the browser has offered nothing, and has been
	// asked to by a WWW-Authenticate.
	ErrChallenged = errors.New("the browser was asked for a Kerberos service ticket")
	// ErrNoTicket says that there is no use in asking for a service ticket: the
	// browser offers NTLM, or something else that proves nothing here, or there
	// are no keys to judge tickets with.
	ErrNoTicket = errors.New("the browser has no Kerberos service ticket")
)

// A prover judges tokens.
type prover interface {
	prove(t token, bindings []binding) (proof, error)
	// check says whose tickets can be judged.
	check() (string, error)
}

// A proof is what came of a token.
type proof struct {
	name, realm string
	own         []string // the realms of the service itself
	reply       []byte   // the last word to the browser
}

// An Acceptor proves users. It is safe for concurrent use.
type Acceptor struct {
	o      Options
	prover prover
}

// New returns an Acceptor. It does no I/O: a keytab may come later.
func New(o Options) *Acceptor {
	if o.Skew == 0 {
		o.Skew = 5 * time.Minute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	a := &Acceptor{o: o}
	if o.Keytab != "" {
		a.prover = newKeytabProver(o)
	} else {
		a.prover = newAccount(o)
	}
	return a
}

// Check says whose service tickets can be judged now, or why none can.
func (a *Acceptor) Check() (string, error) { return a.prover.check() }

const negotiate = "Negotiate"

// maxToken is more than any service ticket, in octets: Windows makes none
// beyond 65,535, and SPNEGO adds little.
const maxToken = 128 << 10

// Accept proves the user of a request by its Authorization, and sets
// WWW-Authenticate: to ask for a service ticket, with ErrChallenged, or for the
// browser to know that this is the service it meant. A *Denial is a token that
// proves nobody; any error but these says that none could be judged.
func (a *Acceptor) Accept(w http.ResponseWriter, r *http.Request) (identity.Principal, error) {
	text, offered, err := offer(r.Header)
	switch {
	case err != nil:
		return identity.Principal{}, err
	case !offered && a.blind():
		return identity.Principal{}, ErrNoTicket
	case !offered:
		w.Header().Set("WWW-Authenticate", negotiate)
		return identity.Principal{}, ErrChallenged
	}
	t, err := parseToken(text)
	if err != nil {
		return identity.Principal{}, err
	}
	var shown [][]byte
	if r.TLS != nil && a.o.Certificates != nil && a.o.Binding != BindingNone {
		shown = a.o.Certificates(r)
	}
	p, err := a.prover.prove(t, bindingsOf(shown))
	if err != nil {
		return identity.Principal{}, err
	}
	principal, err := a.principal(p)
	if err != nil {
		return identity.Principal{}, err
	}
	if len(p.reply) > 0 {
		w.Header().Set("WWW-Authenticate", negotiate+" "+base64.StdEncoding.EncodeToString(p.reply))
	}
	return principal, nil
}

// blind reports whether no service ticket could be judged: then none is asked
// for. Check says why.
func (a *Acceptor) blind() bool {
	_, err := a.prover.check()
	return err != nil
}

// offer returns the token of an Authorization, if there is one.
func offer(h http.Header) (token string, offered bool, err error) {
	for _, value := range h.Values("Authorization") {
		scheme, rest, _ := strings.Cut(strings.TrimSpace(value), " ")
		switch {
		case strings.EqualFold(scheme, "NTLM"):
			return "", false, ErrNoTicket
		case !strings.EqualFold(scheme, negotiate):
			continue // another scheme's business
		case offered:
			return "", false, deny(Malformed, "there are two of them")
		}
		token, offered = strings.TrimSpace(rest), true
	}
	return token, offered, nil
}

// principal names the user of a proof, if this is the place for them.
func (a *Acceptor) principal(p proof) (identity.Principal, error) {
	if err := CheckName(p.name); err != nil {
		return identity.Principal{}, err
	}
	place, ok := a.o.Realms.place(p.realm, p.own)
	if !ok {
		return identity.Principal{}, deny(WrongRealm, "%.80q is none of KERBEROS_REALMS", p.realm)
	}
	return identity.Principal{Name: p.name, Realm: p.realm, Place: place}, nil
}

// CheckName returns a *Denial for a name that can be no user's.
func CheckName(name string) error {
	if why := noUser(name); why != "" {
		return deny(WrongName, "%.80q %s", name, why)
	}
	return nil
}

// noUser says why a name is no user's, or "". What sAMAccountName cannot hold
// would only be taken apart by a filter.
func noUser(name string) string {
	switch {
	case name == "":
		return "is empty"
	case strings.ContainsAny(name, `/\@`) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "is not the name of a user"
	case strings.HasSuffix(name, "$"):
		return "is a computer"
	}
	return ""
}
