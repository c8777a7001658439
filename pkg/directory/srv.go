package directory

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// How the list of servers is kept that a domain's DNS records name.
const (
	resolveAfter   = 5 * time.Minute  // the age at which it is read again, without anybody waiting
	resolveAgain   = 10 * time.Second // at the soonest, when all servers fail
	resolveTimeout = 10 * time.Second
)

// A source is one of Options.URLs: a server, or a domain whose records name
// them.
type source struct {
	url    string  // of the only server, if domain is ""
	domain string  // srv://, srvs://
	scheme string  // ldap or ldaps, for the servers of the domain
	last   []place // what was found last
}

// A place is a server's in an order of preference (RFC 2782): of those of the
// same rank none is preferred for good.
type place struct {
	url  string
	rank int
}

// A roster makes the list of servers from what is configured and what DNS says.
type roster struct {
	sources []*source
	err     error // of URLs that cannot be used

	mu      sync.Mutex
	at      time.Time     // when DNS was asked last
	reading chan struct{} // closed when the reading under way is over
	known   bool          // whether there is a list
	fault   error         // of the last reading; nil when it was whole
	servers map[string]*server
}

// parse reads Options.URLs, without I/O.
func (r *roster) parse(c *Client) {
	r.servers = map[string]*server{}
	if len(c.o.URLs) == 0 {
		r.err = errors.New("no URL is configured")
		return
	}
	var bad unreachable
	for _, text := range c.o.URLs {
		src, err := parseSource(text, c.o)
		if err != nil {
			bad = append(bad, err)
			continue
		}
		r.sources = append(r.sources, src)
	}
	if len(bad) > 0 {
		r.err = bad
		return
	}
	if !r.dynamic() {
		r.put(c)
	}
}

// parseSource reads a URL of Options.
func parseSource(text string, o Options) (*source, error) {
	u, err := url.Parse(text)
	if err == nil && (u.Scheme == "srv" || u.Scheme == "srvs") {
		domain := strings.TrimSuffix(u.Host, ".")
		if _, err := domainDN(domain); err != nil {
			return nil, fmt.Errorf("%q names no domain: %w", u.Redacted(), err)
		}
		scheme := "ldap"
		if u.Scheme == "srvs" {
			scheme = "ldaps"
		}
		return &source{domain: domain, scheme: scheme}, nil
	}
	s, err := parseURL(text, o)
	if err != nil {
		return nil, err
	}
	return &source{url: s.url}, nil
}

// dynamic reports whether DNS has a say.
func (r *roster) dynamic() bool {
	return slices.ContainsFunc(r.sources, func(s *source) bool { return s.domain != "" })
}

// ready waits for the first list of servers, and has it read again when it is
// old.
func (r *roster) ready(ctx context.Context, c *Client) error {
	if r.err != nil {
		return &Error{Doing: "connect to the directory", Err: r.err,
			hint: "set LDAP_URL to ldap://host, ldaps://host, srv://domain or srvs://domain"}
	}
	if !r.dynamic() {
		return nil
	}
	r.mu.Lock()
	known, old := r.known, c.o.Now().Sub(r.at) >= resolveAfter
	r.mu.Unlock()
	if known {
		if old {
			r.read(c)
		}
		return nil
	}
	if err := r.wait(ctx, r.read(c)); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known {
		return nil
	}
	return &Error{Doing: "find the directory's servers", Err: r.fault}
}

// again reads the list anew and waits for it, when all servers have failed. It
// reports whether that was done, which it is not too often.
func (r *roster) again(ctx context.Context, c *Client) bool {
	if !r.dynamic() {
		return false
	}
	r.mu.Lock()
	recent := c.o.Now().Sub(r.at) < resolveAgain && r.reading == nil
	r.mu.Unlock()
	return !recent && r.wait(ctx, r.read(c)) == nil
}

func (r *roster) wait(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// read has the list read, unless that is under way, and returns what is closed
// when it is done.
func (r *roster) read(c *Client) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reading != nil {
		return r.reading
	}
	done := make(chan struct{})
	r.reading, r.at = done, c.o.Now()
	end := func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.reading = nil
		close(done)
	}
	if !c.spawn(func() {
		defer end()
		r.resolve(c)
	}) {
		r.reading, r.fault = nil, ErrClosed
		close(done)
	}
	return done
}

// resolve asks DNS for every domain. A domain about which it cannot be asked, or
// which has no records any more, keeps the servers it had.
func (r *roster) resolve(c *Client) {
	ctx, cancel := context.WithTimeoutCause(c.life, resolveTimeout, overdue(resolveTimeout))
	defer cancel()
	var faults unreachable
	for _, src := range r.sources {
		if src.domain == "" {
			continue
		}
		found, err := c.placesOf(ctx, src)
		if err != nil {
			faults = append(faults, err)
		}
		if err == nil || len(src.last) == 0 {
			src.last = found
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.fault
	r.fault = nil
	if len(faults) > 0 {
		r.fault = faults
		if was == nil && r.known {
			c.o.Log.Warn("going on with the directory servers known so far", "err", r.fault)
		}
	}
	r.put(c)
}

// put makes the list from the sources. Servers that are in it already keep
// their connections; those that are not any more lose them.
func (r *roster) put(c *Client) {
	var all []*server
	var ranks []int
	listed := map[string]*server{}
	rank := 0
	for _, src := range r.sources {
		places := src.last
		if src.domain == "" {
			places = []place{{url: src.url}}
		}
		top := 0
		for _, p := range places {
			top = max(top, p.rank)
			s := r.servers[p.url]
			if s == nil {
				var err error
				if s, err = c.newServer(p.url); err != nil {
					c.o.Log.Warn("directory server left out", "server", p.url, "err", err)
					continue
				}
			}
			if listed[p.url] == nil {
				listed[p.url] = s
				all, ranks = append(all, s), append(ranks, rank+p.rank)
			}
		}
		rank += top + 1
	}
	if len(all) == 0 {
		return
	}
	gone := r.servers
	r.servers, r.known = listed, true
	c.servers.set(all, ranks)
	for url, s := range gone {
		if listed[url] == nil {
			s.prune()
		}
	}
}

// placesOf returns the servers of a domain in the order to try them (RFC 2782):
// those of the site first, as Active Directory's records name them, and then
// the others. Within a priority the resolver has put them in a random order
// that honours their weights, anew at each reading.
func (c *Client) placesOf(ctx context.Context, src *source) ([]place, error) {
	names := []string{src.domain}
	if c.o.Site != "" {
		names = []string{c.o.Site + "._sites." + src.domain, src.domain}
	}
	var found []place
	var err error
	for _, name := range names {
		var records []*net.SRV
		if records, err = lookup(ctx, c.o.Resolver, name+"."); err != nil {
			err = fmt.Errorf("look up _ldap._tcp.%s: %w", name, inTime(ctx, err))
			break
		}
		below := 0
		if len(found) > 0 {
			below = found[len(found)-1].rank + 1
		}
		for i, r := range records {
			if i > 0 && r.Priority != records[i-1].Priority {
				below++
			}
			p := place{url: src.server(r), rank: below}
			if c.secured(src) && !within(r.Target, src.domain) {
				c.o.Log.Warn("directory server left out: its name is not of the domain, and anybody may have put it into the answer",
					"server", p.url, "domain", src.domain)
				continue
			}
			if !slices.ContainsFunc(found, func(o place) bool { return o.url == p.url }) {
				found = append(found, p)
			}
		}
	}
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("there are no records _ldap._tcp.%s", src.domain)
	}
	return found, err
}

// secured reports whether certificates are verified, against names that DNS
// says. DNS itself is proved by nobody, so these must belong to the domain that
// was configured (RFC 6125, section 6.2.1).
func (c *Client) secured(src *source) bool { return src.scheme == "ldaps" || c.o.StartTLS }

func within(host, domain string) bool {
	host, domain = strings.ToLower(strings.TrimSuffix(host, ".")), strings.ToLower(domain)
	return host == domain || strings.HasSuffix(host, "."+domain)
}

// server returns the URL of a record's server. The records are those of LDAP
// without TLS; where that is wanted from the start, its port takes their place.
func (src *source) server(r *net.SRV) string {
	port := int(r.Port)
	if src.scheme == "ldaps" {
		switch port {
		case 389:
			port = 636
		case 3268:
			port = 3269
		}
	}
	return src.scheme + "://" + net.JoinHostPort(strings.TrimSuffix(r.Target, "."), strconv.Itoa(port))
}
