package sandbox

import (
	"context"
	"crypto/rand"
	"errors"
)

// ldapMaxCursors is how many paged searches a connection can have open.
const ldapMaxCursors = 32

// ldapPage is a request for a page of a search's entries (RFC 2696).
type ldapPage struct {
	size   int
	cookie string
}

// ldapCursor is what of a paged search is still to be sent.
type ldapCursor struct {
	rest    []*storeEntry
	limited bool // the size limit ends it
}

// parsePaging reads the paging control of a request, nil when there is none.
func parsePaging(m *ldapMessage) (*ldapPage, error) {
	control, ok := m.control(controlPaging)
	if !ok {
		return nil, nil
	}
	outer := berReader(control.value)
	body, err := outer.want(berSequence)
	if err != nil {
		return nil, err
	}
	r := berReader(body)
	p := &ldapPage{}
	if p.size, err = r.number(berInteger); err != nil {
		return nil, err
	}
	if p.cookie, err = r.text(); err != nil {
		return nil, err
	}
	if p.size < 0 {
		return nil, errors.New("negative page size")
	}
	return p, nil
}

// nextPage goes on with a paged search. Its cookie is good on this connection
// only, and once.
func (c *ldapConn) nextPage(ctx context.Context, m *ldapMessage, q ldapSearch, page *ldapPage) ldapResult {
	c.mu.Lock()
	cursor, ok := c.cursors[page.cookie]
	delete(c.cursors, page.cookie)
	c.mu.Unlock()
	if !ok {
		return ldapResult{code: ldapUnwilling, text: c.say(adUnwilling("00000057"), "paged results cookie is invalid or old")}
	}
	if page.size == 0 { // the client has seen enough
		return ldapResult{control: []ldapControl{pageControl("")}}
	}
	return c.firstPage(ctx, m, q, page, cursor, ldapResult{})
}

// firstPage sends one page, and keeps the rest for the next.
func (c *ldapConn) firstPage(ctx context.Context, m *ldapMessage, q ldapSearch, page *ldapPage, cursor ldapCursor, res ldapResult) ldapResult {
	size := page.size
	if most := c.d.traits.Load().MaxEntries; most > 0 {
		size = min(size, most)
	}
	send := cursor.rest[:min(size, len(cursor.rest))]
	cursor.rest = cursor.rest[len(send):]
	c.sendEntries(ctx, m, q, send)
	cookie := ""
	switch {
	case len(cursor.rest) > 0:
		cookie = rand.Text()
		c.mu.Lock()
		if ctx.Err() == nil {
			for old := range c.cursors {
				if len(c.cursors) < ldapMaxCursors {
					break
				}
				delete(c.cursors, old)
			}
			c.cursors[cookie] = cursor
		}
		c.mu.Unlock()
	default:
		c.sendReferences(ctx, m, q)
		if cursor.limited {
			res.code = ldapSizeLimitExceeded
		}
	}
	res.control = append(res.control, pageControl(cookie))
	return res
}

func pageControl(cookie string) ldapControl {
	var w berWriter
	list := w.begin(berSequence)
	w.number(berInteger, 0) // no estimate of how many there are
	w.string(berOctetString, cookie)
	w.end(list)
	return ldapControl{oid: controlPaging, value: w.b}
}
