package tenant

import (
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"unique"
)

// A Ticket is the URL that lets an agent configure itself for one connection
// of a tenant. Whoever holds it can register an agent of their own, so its last
// part is a secret: String, fmt, slog and encoders show the rest of it only.
// Tickets can be compared with ==.
type Ticket struct {
	origin string // "https://acme.example", lower case, without the default port
	host   string // "acme.example" or "acme.example:8443"

	// A handle and not a string, because fmt prints the unexported fields of
	// structs that hold a ticket without asking the ticket for its methods.
	secret unique.Handle[string]
}

const (
	ticketPath = "/p/ad/"
	hidden     = "[hidden]"
)

// ParseTicket reads a ticket as people paste it: it forgives white space,
// quotes or angle brackets around the URL, a missing "https://", a slash or
// "/info" at the end. What is not a ticket is an *Error of CauseTicket with a
// hint. Its text quotes nothing of the input, which may well hold the secret.
func ParseTicket(s string) (Ticket, error) {
	s = strings.TrimFunc(s, wrapping)
	switch {
	case s == "":
		return Ticket{}, badTicket("it is empty", "Paste the whole ticket URL, https://HOST/p/ad/...")
	case strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '\u00a0' }):
		return Ticket{}, badTicket("there is white space inside it", "Paste the ticket URL alone, as one line.")
	case !strings.Contains(s, "/"):
		return Ticket{}, badTicket("it is not a URL", "Paste the whole ticket URL, https://HOST/p/ad/..., and not only its last part.")
	case !strings.Contains(s, "://"):
		s = "https://" + s // browsers leave it out when an address is copied
	}
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.Opaque != "" {
		// url.Parse quotes its input: its error stays here.
		return Ticket{}, badTicket("it is not a URL", "Paste the whole ticket URL, https://HOST/p/ad/...")
	}
	host := strings.ToLower(u.Host)
	if err := checkOrigin(u, host); err != nil {
		return Ticket{}, err
	}
	secret, err := secretPart(u)
	if err != nil {
		return Ticket{}, err
	}
	if u.Scheme == "https" {
		host = strings.TrimSuffix(host, ":443")
	}
	return Ticket{origin: u.Scheme + "://" + host, host: host, secret: unique.Make(secret)}, nil
}

// wrapping is what may surround a pasted URL.
func wrapping(r rune) bool {
	return r <= ' ' || strings.ContainsRune("\"'`<>\u00ab\u00bb\u2018\u2019\u201c\u201d\u201e\u00a0\u200b\u2060\ufeff", r)
}

func checkOrigin(u *url.URL, host string) error {
	switch {
	case u.User != nil:
		return badTicket("it has a user name before the host", "Paste the ticket URL as the dashboard shows it.")
	case strings.HasPrefix(u.Path, "/dashboard"), strings.HasPrefix(host, "manage.") && !strings.HasPrefix(u.Path, ticketPath):
		return badTicket("it is the address of the dashboard",
			"Open the connection in the dashboard and copy the ticket URL that is shown there, https://HOST/p/ad/...")
	case u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	case u.Scheme == "http":
		return badTicket("it begins with http://, which would show it to everyone on the way", "Paste the ticket with https:// in front.")
	}
	return badTicket("it is neither https:// nor http://", "Paste the whole ticket URL, https://HOST/p/ad/...")
}

func secretPart(u *url.URL) (string, error) {
	if u.RawQuery != "" || u.Fragment != "" {
		return "", badTicket("it goes on after the ticket with ? or #", "Paste the ticket URL up to the end of its last part.")
	}
	path := strings.TrimSuffix(strings.TrimRight(u.EscapedPath(), "/"), "/info")
	secret, ok := strings.CutPrefix(strings.TrimRight(path, "/"), ticketPath)
	switch {
	case !ok:
		return "", badTicket("its path is not "+ticketPath+"...", "Copy the ticket URL that the connection's page in the dashboard shows.")
	case secret == "" || strings.Trim(secret, ".") == "" || strings.ContainsFunc(secret, strange):
		return "", badTicket("its last part is not a ticket's", "Copy the ticket URL again, to its very end.")
	}
	return secret, nil
}

// strange reports what no ticket holds: all but RFC 3986's unreserved
// characters. This also keeps the secret to one segment of the path.
func strange(r rune) bool {
	letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
	return !letter && !strings.ContainsRune("-._~", r)
}

func loopback(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().IsLoopback()
	}
	host = strings.ToLower(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// Reveal returns the whole URL, secret part and all; "" for no ticket.
func (t Ticket) Reveal() string {
	if t.IsZero() {
		return ""
	}
	return t.origin + ticketPath + t.secret.Value()
}

// Host returns the tenant's host, with its port when that is not the scheme's.
func (t Ticket) Host() string { return t.host }

// IsZero reports whether there is no ticket.
func (t Ticket) IsZero() bool { return t.host == "" }

// Equal reports whether both are the same ticket.
func (t Ticket) Equal(o Ticket) bool { return t == o }

// String returns the ticket with "[hidden]" for its secret part.
func (t Ticket) String() string {
	if t.IsZero() {
		return ""
	}
	return t.origin + ticketPath + hidden
}

// Format writes what String returns, whatever the verb.
func (t Ticket) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, t.String()) } // fmt.State reports no errors

// LogValue gives the log what String returns.
func (t Ticket) LogValue() slog.Value { return slog.StringValue(t.String()) }

// MarshalText gives encoders what String returns.
func (t Ticket) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// test is the tenant's address that tells its time.
func (t Ticket) test() string { return t.origin + "/test" }

// keySet is the tenant's address of the keys that it publishes.
func (t Ticket) keySet() string { return t.origin + "/.well-known/jwks.json" }

// censor removes the secret part from what others wrote, in whatever case:
// servers like to quote the path that they were asked for.
func (t Ticket) censor(s string) string {
	if t.IsZero() {
		return s
	}
	return regexp.MustCompile("(?i)"+regexp.QuoteMeta(t.secret.Value())).ReplaceAllLiteralString(s, hidden)
}
