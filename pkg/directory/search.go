package directory

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ad-ldap-connector/pkg/identity"

	"github.com/go-ldap/ldap/v3"
)

// pageSize is how many entries a paged search asks for at a time: half of
// Active Directory's MaxPageSize.
const pageSize = 500

// smallPage is what it asks for of a server that refuses that.
const smallPage = 50

// everything asks for all user attributes (RFC 4511, section 4.5.1.8).
const everything = "*"

// noAttributes asks for none (likewise).
const noAttributes = "1.1"

// An answer is what a search came to.
type answer struct {
	entries []*ldap.Entry
	server  string
	// cut is the result with which the server stopped before the end, a size
	// or time limit, or nil. What else a server answers is an error.
	cut error

	at     *server
	refs   []string // continuation references
	missed error    // why a reference could not be followed
}

// Find returns the entry of the user that UserFilter finds below BaseDN. None,
// or more than one, is an *identity.Refusal: who logs in must be certain.
func (c *Client) Find(ctx context.Context, username string) (*identity.Entry, error) {
	if username == "" { // no name is anybody's, and (cn=**) is no filter
		return nil, &identity.Refusal{Reason: identity.WrongUsername, Detail: "the username is empty"}
	}
	return c.one(ctx, c.o.BaseDN, c.o.UserFilter.With(username))
}

// Locate is Find at another place: by another filter, or below another base DN.
func (c *Client) Locate(ctx context.Context, at identity.Place, name string) (*identity.Entry, error) {
	if name == "" {
		return nil, &identity.Refusal{Reason: identity.WrongUsername, Detail: "the name is empty"}
	}
	filter, base := c.o.UserFilter, c.o.BaseDN
	if at.Filter != "" {
		var err error
		if filter, err = ParseFilter(at.Filter); err != nil {
			return nil, err
		}
		if filter.Places() == 0 { // it would find the same user for every name
			return nil, fmt.Errorf("parse filter %q: it has no place for a name, {0}", at.Filter)
		}
	}
	if at.BaseDN != "" {
		base = at.BaseDN
	}
	return c.one(ctx, base, filter.With(name))
}

// one returns the only entry below base that filter matches.
func (c *Client) one(ctx context.Context, base, filter string) (*identity.Entry, error) {
	// Two are enough to know that it is not one.
	a, err := c.everywhere(ctx, c.request(base, filter, 2, everything), c.o.Timeout, func(ctx context.Context, at *Client, req *ldap.SearchRequest) (answer, error) {
		return at.search(ctx, req, c.o.Timeout)
	})
	note(ctx, a.server, filter, base, len(a.entries))
	code, _, cut := result(a.cut)
	switch {
	case err != nil:
		return nil, fault("search "+filter+" under "+base, a.server, err)
	case len(a.entries) > 1 || code == ldap.LDAPResultSizeLimitExceeded:
		return nil, &identity.Refusal{Reason: identity.AmbiguousUsername, Detail: "2 or more entries match"}
	case cut: // there may be a second one
		return nil, fault("search "+filter+" under "+base, a.server, a.cut)
	case len(a.entries) == 0 && a.missed != nil: // the user may be there
		return nil, fault("search "+filter+" under "+base, "", a.missed)
	case len(a.entries) == 0:
		return nil, &identity.Refusal{Reason: identity.WrongUsername}
	}
	return entry(a.entries[0]), nil
}

// Search returns the users that match q.Text, or all, at most q.Limit when it
// is above 0. What a server's own limit leaves of them is an answer too.
func (c *Client) Search(ctx context.Context, q identity.Query) ([]*identity.Entry, error) {
	filter := c.o.SearchAllFilter.With("")
	if q.Text != "" {
		filter = c.o.SearchFilter.With(q.Text)
	}
	found, err := c.list(ctx, c.request(c.o.BaseDN, filter, 0, everything), q.Limit)
	if err != nil {
		return nil, err
	}
	return entries(found), nil
}

// Lists may take longer than other operations, but not for ever: a whole one
// this many times Options.Timeout, which is well below the time in which the hub
// wants its answer.
const listTimeouts = 4

// list runs a search whose answer may be partial: cut by a limit of the server's
// or by the time that a list may take, and without what a server holds that
// could not be asked.
func (c *Client) list(ctx context.Context, req *ldap.SearchRequest, limit int) ([]*ldap.Entry, error) {
	whole := listTimeouts * c.o.Timeout
	within, cancel := context.WithTimeoutCause(ctx, whole, overdue(whole))
	defer cancel()
	a, err := c.everywhere(within, req, whole, func(ctx context.Context, at *Client, req *ldap.SearchRequest) (answer, error) {
		return at.searchMany(ctx, req, c.o.Timeout, limit)
	})
	note(ctx, a.server, req.Filter, req.BaseDN, len(a.entries))
	if code, _, _ := result(a.cut); err == nil && a.cut != nil && code != ldap.LDAPResultSizeLimitExceeded && len(a.entries) == 0 {
		err = a.cut
	}
	if err == nil && a.missed != nil && len(a.entries) == 0 {
		err = a.missed
	}
	if err != nil {
		return nil, fault("search "+req.Filter+" under "+req.BaseDN, a.server, err)
	}
	if a.cut != nil && (limit <= 0 || len(a.entries) < limit) {
		c.o.Log.Info("search cut short", "filter", req.Filter, "server", a.server, "entries", len(a.entries), "reason", describe(a.cut))
	}
	if limit > 0 {
		a.entries = a.entries[:min(limit, len(a.entries))]
	}
	return a.entries, nil
}

// note tells the trace of ctx, if there is one, of a search.
func note(ctx context.Context, server, filter, base string, n int) {
	if identity.Traced(ctx) {
		identity.Note(ctx, server, noted(filter, base, n))
	}
}

func noted(filter, base string, n int) string {
	return fmt.Sprintf("%s under %s: %d found", filter, base, n)
}

// request is a search of everything below base.
func (c *Client) request(base, filter string, limit int, attributes ...string) *ldap.SearchRequest {
	req := ldap.NewSearchRequest(base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, limit, 0, false, filter, attributes, nil)
	req.EnforceSizeLimit = true // a server need not heed it, and what it sends is kept until the last of it
	return req
}

// search runs one search, and again on another connection when the first was
// lost over it or its server does no work. Continuation references (RFC 4511,
// section 4.5.3) are in the answer, and are left alone.
func (c *Client) search(ctx context.Context, req *ldap.SearchRequest, timeout time.Duration) (answer, error) {
	if req.TimeLimit == 0 {
		req.TimeLimit = seconds(timeout)
	}
	var after uint64
	for try := 0; ; try++ {
		cn, err := c.shared.get(ctx, after)
		if err != nil {
			return answer{}, err
		}
		a, err := c.searchOn(ctx, cn, req, timeout)
		c.shared.put(cn, err, c.o.Now())
		next, again := c.again(ctx, cn, err, try)
		if !again {
			return a, err
		}
		after = next
	}
}

func (c *Client) searchOn(ctx context.Context, cn *conn, req *ldap.SearchRequest, timeout time.Duration) (answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, overdue(timeout))
	defer cancel()
	found, err := multiplex(ctx, cn, func(l *ldap.Conn) (*ldap.SearchResult, error) { return l.Search(req) })
	return answered(cn, found, err)
}

// answered sorts the outcome of a search.
func answered(cn *conn, found *ldap.SearchResult, err error) (answer, error) {
	a := answer{server: cn.server.url, at: cn.server}
	if found != nil {
		a.entries, a.refs = found.Entries, found.Referrals
	}
	if errors.Is(err, ldap.ErrSizeLimitExceeded) { // the server did not heed it, and the library does
		err = ldap.NewError(ldap.LDAPResultSizeLimitExceeded, errors.New("the server sends more than it was asked for"))
	}
	if code, _, ok := result(err); ok && isCut(code) {
		a.cut, err = err, nil
	}
	if err != nil {
		a.entries = nil
	}
	return a, err
}

// isCut reports whether a result ends a search whose entries so far are right.
func isCut(code uint16) bool {
	return code == ldap.LDAPResultSizeLimitExceeded || code == ldap.LDAPResultTimeLimitExceeded || code == ldap.LDAPResultAdminLimitExceeded
}

// searchMany runs a search for at most limit entries, or all when limit is 0
// or less, in pages where there may be more than a server gives at once.
func (c *Client) searchMany(ctx context.Context, req *ldap.SearchRequest, timeout time.Duration, limit int) (answer, error) {
	if limit > 0 && limit <= pageSize {
		req.SizeLimit = limit
		// The server is to stop before we do, so that what it has found arrives.
		req.TimeLimit = max(1, int(timeout*4/5/time.Second))
		a, err := c.search(ctx, req, timeout)
		a.entries = a.entries[:min(limit, len(a.entries))]
		return a, err
	}
	select {
	case c.lists <- struct{}{}:
		defer func() { <-c.lists }()
	case <-ctx.Done():
		return answer{}, context.Cause(ctx)
	}
	return c.searchPages(ctx, req, timeout, limit)
}

// searchPages reads a search page by page (RFC 2696) on a connection of its
// own: a cookie is good only on the connection it came from, and OpenLDAP
// keeps no more than one per connection.
func (c *Client) searchPages(ctx context.Context, req *ldap.SearchRequest, timeout time.Duration, limit int) (answer, error) {
	req.TimeLimit = seconds(timeout)
	var after uint64
	for try := 0; ; try++ {
		cn, err := c.work.get(ctx, after)
		if err != nil {
			return answer{}, err
		}
		a, err := c.pagesOn(ctx, cn, req, timeout, limit)
		if limit > 0 && len(a.entries) >= limit {
			cn.kill() // the server may be keeping the rest for us
		}
		c.work.put(cn, err, c.o.Now())
		next, again := c.again(ctx, cn, err, try)
		if again {
			after = next
			continue
		}
		if timedOut(err) && len(a.entries) > 0 && !errors.Is(context.Cause(ctx), context.Canceled) {
			a.cut, err = err, nil // what was read until then is right
		}
		return a, err
	}
}

func (c *Client) pagesOn(ctx context.Context, cn *conn, req *ldap.SearchRequest, timeout time.Duration, limit int) (answer, error) {
	all := answer{server: cn.server.url, at: cn.server}
	page := ldap.NewControlPaging(pageSize)
	// A server that does not know the control passes over it (RFC 4511,
	// section 4.1.11), so it is left out only where it is known to be useless.
	req.Controls, req.SizeLimit = []ldap.Control{page}, 0
	if t := cn.server.traits.Load(); t != nil && t.noPaging {
		req.Controls, req.SizeLimit = nil, max(limit, 0)
	}
	for {
		a, err := pageOn(ctx, cn, req, timeout, page)
		if err != nil {
			if !timedOut(err) {
				all.entries = nil
			}
			return all, err
		}
		if code, _, _ := result(a.cut); code == ldap.LDAPResultAdminLimitExceeded && page.PagingSize > smallPage && len(all.entries)+len(a.entries) == 0 {
			page.PagingSize = smallPage // OpenLDAP may be told to refuse large ones
			continue
		}
		all.entries, all.cut, all.refs = append(all.entries, a.entries...), a.cut, append(all.refs, a.refs...)
		if limit > 0 && len(all.entries) >= limit {
			all.entries = all.entries[:limit]
			return all, nil
		}
		if all.cut != nil || len(page.Cookie) == 0 {
			return all, nil //nolint:nilerr // the caller judges what cut the answer short
		}
	}
}

// pageOn reads one page, and leaves the cookie of the next in page.
func pageOn(ctx context.Context, cn *conn, req *ldap.SearchRequest, timeout time.Duration, page *ldap.ControlPaging) (answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, overdue(timeout))
	defer cancel()
	found, err := alone(ctx, cn, func(l *ldap.Conn) (*ldap.SearchResult, error) { return l.Search(req) })
	previous := page.Cookie
	page.SetCookie(nil)
	a, err := answered(cn, found, err)
	if err != nil || a.cut != nil {
		return a, err
	}
	if next, ok := ldap.FindControl(found.Controls, pagingOID).(*ldap.ControlPaging); ok {
		if len(next.Cookie) > 0 && len(a.entries) == 0 && string(next.Cookie) == string(previous) {
			return a, errors.New("the server repeats an empty page")
		}
		page.SetCookie(next.Cookie)
	}
	return a, nil
}

// seconds is a time limit as the protocol has it.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
