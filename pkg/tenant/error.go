package tenant

import (
	"fmt"
	"net"
	"strings"
)

// A Cause names one way to fail, for programs: it decides exit codes, the
// status page and what doctor says. Causes may grow; they are never renamed.
// "tls-expired" is a sort of "tls" (see Of).
type Cause string

// The causes.
const (
	CauseTicket Cause = "ticket" // what was given is not a ticket

	CauseCanceled    Cause = "canceled"    // the caller gave up
	CauseDNS         Cause = "dns"         // the host's name was not found, or DNS did not answer
	CauseRefused     Cause = "refused"     // nothing listens there
	CauseUnreachable Cause = "unreachable" // no route to the host or network
	CauseTimeout     Cause = "timeout"     // no answer in time
	CauseClosed      Cause = "closed"      // the connection was cut before an answer came
	CauseOther       Cause = "other"       // none of the others; the text is the error's own

	CauseProxy            Cause = "proxy"             // the proxy answered in a way that fits none of the next
	CauseProxyAuth        Cause = "proxy-auth"        // the proxy wants credentials, or others than it was given
	CauseProxyRefused     Cause = "proxy-refused"     // the proxy does not allow the tenant
	CauseProxyUpstream    Cause = "proxy-upstream"    // the proxy does not get through to the tenant
	CauseProxyUnreachable Cause = "proxy-unreachable" // we do not get through to the proxy

	CauseTLS           Cause = "tls"               // any other trouble with TLS
	CauseTLSAuthority  Cause = "tls-authority"     // signed by an authority that is not trusted here
	CauseTLSSelfSigned Cause = "tls-self-signed"   // signed by itself, and not trusted here
	CauseTLSExpired    Cause = "tls-expired"       // its time is over
	CauseTLSEarly      Cause = "tls-not-yet-valid" // its time has not come, or our clock is behind
	CauseTLSName       Cause = "tls-name"          // made out to another host
	CauseTLSNone       Cause = "tls-none"          // what listens there does not speak TLS

	CauseNotFound   Cause = "not-found"  // the tenant does not know the ticket
	CauseRedirect   Cause = "redirect"   // sent on to another host, where no ticket is taken
	CauseStatus     Cause = "status"     // any other HTTP status
	CauseNotJSON    Cause = "not-json"   // a login page or a captive portal, mostly
	CauseTooLarge   Cause = "too-large"  // more than 1 MiB
	CauseIncomplete Cause = "incomplete" // JSON, but something needed is not in it
	CauseClock      Cause = "clock"      // the answer does not tell the time
)

// Of reports whether c is the given cause or a sort of it:
// CauseTLSExpired.Of(CauseTLS) is true.
func (c Cause) Of(kind Cause) bool {
	return c == kind || strings.HasPrefix(string(c), string(kind)+"-")
}

// An Error says what was being done, at which host, and why it did not work.
// Its text never holds the secret part of a ticket or a proxy's credentials.
type Error struct {
	Doing string // "read the connection's settings"; "" leaves Err's text alone
	Host  string // the tenant's; may be empty
	Cause Cause
	Err   error // the reason: its text ends ours, and errors.Is and As reach it

	hint string // a better one than the cause's
}

func (e *Error) Error() string {
	switch {
	case e.Doing == "": // somebody else says it
		return e.Err.Error()
	case e.Host == "":
		return fmt.Sprintf("%s: %v", e.Doing, e.Err)
	}
	return fmt.Sprintf("%s at %s: %v", e.Doing, e.Host, e.Err)
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// Hint returns one imperative sentence that says what to do about it; "" when
// there is nothing to be said.
func (e *Error) Hint() string {
	if e.hint != "" {
		return e.hint
	}
	host, address := e.Host, e.Host
	if host == "" {
		host, address = "the tenant", "the tenant's port 443"
	} else if _, _, err := net.SplitHostPort(host); err != nil { // it has no port
		address = net.JoinHostPort(strings.Trim(host, "[]"), "443")
	}
	return strings.NewReplacer("{host}", host, "{address}", address).Replace(hints[e.Cause])
}

// hints holds one for each cause; {host} and {address} stand for the tenant's
// host, the latter always with a port.
var hints = map[Cause]string{
	CauseTicket: "Copy the ticket URL that the connection's page in the dashboard shows.",

	CauseDNS:         "Check that this machine's DNS knows {host}, or set HTTP_PROXY when only a proxy gets there.",
	CauseRefused:     "Allow outbound connections to {address} in the firewall, or set HTTP_PROXY when only a proxy gets there.",
	CauseUnreachable: "Check this machine's network and default route, or set HTTP_PROXY when only a proxy gets to {host}.",
	CauseTimeout:     "Allow outbound connections to {address} in the firewall, or set HTTP_PROXY when only a proxy gets there.",
	CauseClosed:      "Look for a firewall or a proxy that cuts connections to {host}, and allow them there.",

	CauseProxy:            "Ask whoever runs the proxy to allow CONNECT to {host}.",
	CauseProxyAuth:        "Put the credentials into HTTP_PROXY, as http://USER:PASSWORD@HOST:PORT with special characters percent-encoded.",
	CauseProxyRefused:     "Ask whoever runs the proxy to allow CONNECT to {host}.",
	CauseProxyUpstream:    "Ask whoever runs the proxy to let it reach {host}, or list {host} in NO_PROXY when this machine reaches it without the proxy.",
	CauseProxyUnreachable: "Check host and port in HTTP_PROXY, and that this machine reaches the proxy.",

	CauseTLS:           "Look for something between this machine and {host} that intercepts TLS, and allow TLS 1.2 or later there.",
	CauseTLSAuthority:  "Save the authority's certificate as a PEM file and name that file, or its folder, in SSL_CA_PATH.",
	CauseTLSSelfSigned: "Save the certificate as a PEM file and name that file, or its folder, in SSL_CA_PATH, if it is the right one.",
	CauseTLSExpired:    "Renew the certificate of {host}, or set this machine's clock if it is ahead.",
	CauseTLSEarly:      "Set this machine's clock, and keep it synchronised with an NTP server.",
	CauseTLSName:       "Check the host in the ticket, and whether a proxy or a firewall answers in its place.",
	CauseTLSNone:       "Check the host and port in the ticket, and whether a proxy or a firewall answers in its place.",

	CauseNotFound:   "Copy the ticket again from the connection's page in the dashboard, or create the connection anew if it is gone.",
	CauseRedirect:   "Open https://{host}/test in a browser on this machine, and clear what stands in the way, such as a login page.",
	CauseStatus:     "Try again later, and look at the tenant's status page if it goes on.",
	CauseNotJSON:    "Open https://{host}/test in a browser on this machine, and clear what stands in the way, such as a login page.",
	CauseTooLarge:   "Check the host in the ticket, and whether a proxy or a firewall answers in its place.",
	CauseIncomplete: "Check that the connection's type is Active Directory / LDAP, and that it is set up completely.",
	CauseClock:      "Check that {host} is a tenant's host, and that nothing answers in its place.",
}

// A failure is a reason in our own words, with the error that it interprets.
type failure struct {
	text string
	err  error // may be nil
}

func (f *failure) Error() string { return f.text }
func (f *failure) Unwrap() error { return f.err }

func failuref(err error, format string, a ...any) error {
	return &failure{fmt.Sprintf(format, a...), err}
}

func badTicket(why, hint string) error {
	return &Error{Doing: "read the ticket", Cause: CauseTicket, Err: &failure{text: why}, hint: hint}
}

// unknownTicket's words are those of the existing connector, which operators
// search for.
type unknownTicket struct{}

func (unknownTicket) Error() string { return "Wrong ticket. Does this connection still exist?" }

// ErrUnknownTicket means that the tenant answered and knows no such ticket.
var ErrUnknownTicket error = unknownTicket{}
