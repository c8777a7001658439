package wsfed

import (
	"context"
	"errors"
	"net/http"

	"ad-ldap-connector/pkg/identity"
)

// An Authenticator asks the directory who a user is. *identity.Authenticator is
// one. An error that is an *identity.Refusal is the directory's no; every other
// one means that it could not be asked.
type Authenticator interface {
	// Authenticate returns the profile of the user whose password is right.
	Authenticate(ctx context.Context, c identity.Credentials) (identity.Profile, error)
	// Admit returns the profile of a user whom something else has proved, and
	// refuses one whose account is closed.
	Admit(ctx context.Context, p identity.Principal) (identity.Profile, error)
}

// A Negotiator proves a browser's user without a password: by a Kerberos
// service ticket, a client certificate, or a header of a proxy that is trusted.
// It must be safe for concurrent use.
type Negotiator interface {
	// Accept looks for a proof in a request for the sign-in page, a GET whose
	// body nobody has read. With a nil error the principal is proved; fields
	// that Accept has set on w.Header(), such as the last WWW-Authenticate of
	// RFC 4559, go out with the answer. The errors ErrChallenged, ErrNoProof
	// and ErrAnswered, wrapped or not, say what else came of it. With any other
	// error a proof was offered and is not good: it is logged, and the next way
	// is tried. Its text must hold nothing of the proof; it is not shown to
	// the browser.
	Accept(w http.ResponseWriter, r *http.Request) (identity.Principal, error)
}

var (
	// ErrChallenged says that the browser is to be asked for a proof, and may
	// send one with its next request: Accept has added its challenge to
	// w.Header() ("WWW-Authenticate: Negotiate") and has written neither status
	// nor body. The answer is 401 with the form, once the ways after this one
	// have not proved anybody either: a browser that cannot answer the
	// challenge shows that form.
	ErrChallenged = errors.New("the browser was asked for a proof")

	// ErrNoProof says that the request holds no proof of this kind, and that
	// asking for one would not help (NTLM in place of Kerberos; no client
	// certificate). Accept has left w alone. The next way is tried, and last
	// the form is shown.
	ErrNoProof = errors.New("no proof was offered")

	// ErrAnswered says that Accept has written the whole answer itself, status
	// and body: nothing more is done with the request.
	ErrAnswered = errors.New("the request has been answered")
)

// A Method is how a user was proved, as SAML names it (SAML 1.1 core, section
// 7.1): the AuthenticationMethod of the assertion.
type Method string

// The methods that there are.
const (
	ByPassword    Method = "urn:oasis:names:tc:SAML:1.0:am:password" //nolint:gosec // a name, no secret
	ByKerberos    Method = "urn:ietf:rfc:1510"
	ByCertificate Method = "urn:ietf:rfc:2246"
	// ByProxy is for a name that a proxy vouches for: how it knows is its own
	// business.
	ByProxy Method = "urn:oasis:names:tc:SAML:1.0:am:unspecified"
)

// String is the method's name in logs and metrics: "password", "kerberos",
// "certificate" or "proxy".
func (m Method) String() string {
	switch m {
	case ByPassword:
		return "password"
	case ByKerberos:
		return "kerberos"
	case ByCertificate:
		return "certificate"
	case ByProxy:
		return "proxy"
	}
	return "unknown"
}

// A Way is one way in without a password. Those of a connector are tried in
// their order, and the form comes last.
type Way struct {
	Method     Method
	Negotiator Negotiator
}
