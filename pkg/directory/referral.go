package directory

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// How far references are followed.
const (
	maxHops       = 3  // from the directory's own servers
	maxReferences = 16 // of one search
)

// A reference is where else a server says that an answer may be (RFC 4511,
// sections 4.1.10 and 4.5.3): a URL of RFC 4516, taken apart.
type reference struct {
	url  string // of the server, as it is to be reached
	base string // "" keeps the request's
	one  bool   // the search goes one level deep only
	hop  int
}

// place tells one place from another.
func (r reference) place() string { return strings.ToLower(r.url + " " + r.base) }

// parseReference reads a reference that a server gave. The scheme is the
// server's own as far as TLS goes: nobody's password is sent with less of it
// than there. What asks for another filter is refused: the filter is what says
// who logs in.
func parseReference(text string, from *server) (reference, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "ldap" && u.Scheme != "ldaps" || u.Opaque != "" {
		return reference{}, errors.New("not a URL of a directory")
	}
	if u.Hostname() == "" {
		return reference{}, errors.New("it names no host")
	}
	scheme, port := u.Scheme, u.Port()
	if from.tls != nil && !from.start && scheme == "ldap" {
		scheme = "ldaps"
		if port == ldap.DefaultLdapPort {
			port = ""
		}
	}
	r := reference{url: scheme + "://" + u.Host, base: strings.TrimPrefix(u.Path, "/")}
	if port == "" {
		port = ldap.DefaultLdapPort
		if scheme == "ldaps" {
			port = ldap.DefaultLdapsPort
		}
	}
	r.url = scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port)
	parts := strings.Split(u.RawQuery, "?") // attributes, scope, filter, extensions
	part := func(i int) string {
		if i < len(parts) {
			return parts[i]
		}
		return ""
	}
	switch part(1) {
	case "", "sub":
	case "one":
		r.one = true
	default: // the server holds one entry of it
		return reference{}, errors.New("it is about one entry")
	}
	if part(2) != "" {
		return reference{}, errors.New("it has a filter of its own")
	}
	if strings.Contains(part(3), "!") {
		return reference{}, errors.New("it has an extension that must be understood")
	}
	return r, nil
}

// listed reports whether the operator lets this host be followed to: one that
// is listed with its port, or on an ordinary port without.
func (c *Client) listed(r reference) bool {
	u, err := url.Parse(r.url)
	if err != nil {
		return false
	}
	ordinary := slices.Contains([]string{"389", "636", "3268", "3269"}, u.Port()) // the latter are the global catalog's
	return slices.ContainsFunc(c.o.ReferralHosts, func(host string) bool {
		return strings.EqualFold(host, u.Host) || ordinary && strings.EqualFold(strings.Trim(host, "[]"), u.Hostname())
	})
}

// partitions of Active Directory hold nobody. Every search of a whole domain
// refers to them.
var partitions = []string{"cn=configuration,", "dc=domaindnszones,", "dc=forestdnszones,"}

// ofNobody reports whether it leads to where nobody is.
func (r reference) ofNobody() bool {
	base := strings.ToLower(r.base)
	return slices.ContainsFunc(partitions, func(p string) bool { return strings.HasPrefix(base, p) })
}

// beyond are the references of a server that are not followed, although users
// may lie there.
func (c *Client) beyond(refs []string, from *server) (out []string) {
	for _, text := range refs {
		if r, err := parseReference(text, from); err != nil || !r.ofNobody() && !c.listed(r) {
			out = append(out, text)
		}
	}
	return out
}

// followed returns where to go on for the references of a server: those to
// hosts that are listed. The others are ignored and, once a host, logged.
func (c *Client) followed(refs []string, from *server, hop int) []reference {
	var out []reference
	for _, text := range refs {
		r, err := parseReference(text, from)
		switch {
		case err != nil:
			c.ignored(text, "a reference was ignored", "reason", err.Error(), "reference", clean(text))
		case r.ofNobody():
		case !c.listed(r):
			c.ignored(r.url, "a reference was ignored", "reason", "the host is not in LDAP_REFERRAL_HOSTS", "host", clean(r.url))
		default:
			r.hop = hop
			out = append(out, r)
		}
	}
	return out
}

// referrals returns the references of a result that is one (RFC 4511, section
// 4.1.10), and reports whether it is.
func referrals(err error) (refs []string, ok bool) {
	if code, _, answered := result(err); !answered || code != ldap.LDAPResultReferral {
		return nil, false
	}
	var e *ldap.Error
	if !errors.As(err, &e) || e.Packet == nil || len(e.Packet.Children) < 2 || e.Packet.Children[1] == nil {
		return nil, true
	}
	for _, child := range e.Packet.Children[1].Children {
		if child == nil || child.ClassType != ber.ClassContext || child.Tag != 3 {
			continue
		}
		for _, uri := range child.Children {
			if uri != nil && uri.Data != nil {
				refs = append(refs, uri.Data.String())
			}
		}
	}
	return refs, true
}

// A searcher runs a request at a client.
type searcher func(context.Context, *Client, *ldap.SearchRequest) (answer, error)

// all runs it, and reads what is missing of entries that came in part.
func (s searcher) all(ctx context.Context, at *Client, req *ldap.SearchRequest) (answer, error) {
	a, err := s(ctx, at, req)
	if err == nil {
		err = at.complete(ctx, a.server, a.entries, at.o.Timeout)
	}
	return a, err
}

// everywhere runs a search here and at the hosts that are listed to which the
// answer refers. That one of those cannot be asked is told in the answer, and
// does not spoil what the others said.
// The others together have no longer than within.
func (c *Client) everywhere(ctx context.Context, req *ldap.SearchRequest, within time.Duration, run searcher) (answer, error) {
	a, err := run.all(ctx, c, req)
	for _, e := range a.entries {
		c.places.forget(e.DN) // it is here, wherever it was before
	}
	refs, away := referrals(err)
	if err != nil && !away || len(a.refs)+len(refs) == 0 || a.at == nil {
		return a, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, within, overdue(within))
	defer cancel()
	f := follower{c: c, req: req, run: run, seen: map[string]bool{}, known: map[string]bool{}}
	for _, e := range a.entries {
		f.known[lower(e.DN)] = true
	}
	f.seen[reference{url: "ldap://" + a.at.addr, base: req.BaseDN}.place()] = true
	f.seen[reference{url: "ldaps://" + a.at.addr, base: req.BaseDN}.place()] = true
	asked := f.follow(ctx, &a, c.followed(append(refs, a.refs...), a.at, 1))
	if !away {
		return a, nil
	}
	if asked == 0 {
		if a.missed != nil {
			return a, a.missed
		}
		return a, &advised{err, "the directory refers to another server: list its host in LDAP_REFERRAL_HOSTS, or name it in LDAP_URL"}
	}
	return a, nil
}

// A follower follows the references of one search.
type follower struct {
	c           *Client
	req         *ldap.SearchRequest
	run         searcher
	seen, known map[string]bool // places, and DNs of entries
}

// follow adds to a what the queue leads to, and returns how many servers
// answered.
func (f *follower) follow(ctx context.Context, a *answer, queue []reference) (asked int) {
	miss := func(err error) {
		if a.missed == nil {
			a.missed = err
		}
		f.c.o.Log.Warn("a reference could not be followed", "err", err)
	}
	for n := 0; len(queue) > 0; queue = queue[1:] {
		r := queue[0]
		if r.base == "" {
			r.base = f.req.BaseDN
		}
		if f.seen[r.place()] {
			continue
		}
		f.seen[r.place()] = true
		if n++; n > maxReferences || r.hop > maxHops {
			miss(&Error{Doing: "follow a reference", Server: r.url,
				Err: fmt.Errorf("there are more than %d, or %d one after the other", maxReferences, maxHops)})
			return asked
		}
		refs, err := f.ask(ctx, a, r)
		if err != nil {
			miss(fault("follow a reference", r.url, err))
			continue
		}
		asked++
		queue = append(queue, refs...)
	}
	return asked
}

// ask adds to a what one other server says, and returns to where that refers.
func (f *follower) ask(ctx context.Context, a *answer, r reference) ([]reference, error) {
	other, err := f.c.others.get(f.c, r)
	if err != nil {
		return nil, err
	}
	req := *f.req
	req.BaseDN, req.Controls = r.base, nil
	if r.one {
		req.Scope = ldap.ScopeSingleLevel
	}
	there, err := f.run.all(ctx, other, &req)
	refs, away := referrals(err)
	if err != nil && !away {
		f.c.others.failed(f.c, r, err)
		return nil, err
	}
	for _, e := range there.entries {
		if !isWithin(r.base, e.DN) { // else a server could answer for the users of another
			f.c.ignored(r.place(), "an entry was ignored", "reason", "it is not below what the server was asked for", "dn", clean(e.DN), "server", r.url)
			continue
		}
		if key := lower(e.DN); !f.known[key] {
			f.known[key] = true
			f.c.places.remember(e.DN, other)
			a.entries = append(a.entries, e)
		}
	}
	if a.cut == nil {
		a.cut = there.cut
	}
	if there.at == nil {
		return nil, nil
	}
	var further []reference
	for _, next := range f.c.followed(append(refs, there.refs...), there.at, r.hop+1) {
		if next.base == "" {
			next.base = r.base
		}
		if isWithin(r.base, next.base) {
			further = append(further, next)
		}
	}
	return further, nil
}

// isWithin reports whether dn is base, or below it.
func isWithin(base, dn string) bool {
	b, err := ldap.ParseDN(base)
	if err != nil {
		return false
	}
	d, err := ldap.ParseDN(dn)
	return err == nil && atOrBelow(b, d)
}
