package sandbox

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// ldapMaxTime bounds every search, as domain controllers do.
const ldapMaxTime = 120 * time.Second

// ldapSearch is a decoded search request (RFC 4511, section 4.5.1).
type ldapSearch struct {
	base      string
	scope     int
	sizeLimit int
	timeLimit int
	typesOnly bool
	filter    *filterNode
	names     []string
}

func parseSearch(body []byte, s *schema, ad bool) (q ldapSearch, err error) {
	r := berReader(body)
	if q.base, err = r.text(); err != nil {
		return q, err
	}
	if q.scope, err = r.number(berEnumerated); err != nil {
		return q, err
	}
	if q.scope < scopeBase || q.scope > scopeSubtree {
		return q, errors.New("unknown scope")
	}
	if _, err = r.number(berEnumerated); err != nil { // aliases: there are none
		return q, err
	}
	if q.sizeLimit, err = r.number(berInteger); err != nil {
		return q, err
	}
	if q.timeLimit, err = r.number(berInteger); err != nil {
		return q, err
	}
	if q.sizeLimit < 0 || q.timeLimit < 0 {
		return q, errors.New("negative limit")
	}
	if q.typesOnly, err = r.boolean(berBoolean); err != nil {
		return q, err
	}
	if q.filter, err = decodeFilter(&r, s, ad); err != nil {
		return q, err
	}
	list, err := r.want(berSequence)
	if err != nil {
		return q, err
	}
	for names := berReader(list); len(names) > 0; {
		name, err := names.text()
		if err != nil {
			return q, err
		}
		q.names = append(q.names, name)
	}
	return q, nil
}

// asksFor reports whether an attribute of that kind is asked for by name.
func (q *ldapSearch) asksFor(s *schema, kind schemaKind) bool {
	return slices.ContainsFunc(q.names, func(name string) bool {
		t := s.lookup(name)
		return t != nil && t.kind == kind
	})
}

// search sends the entries, and returns the result that follows them.
func (c *ldapConn) search(ctx context.Context, m *ldapMessage) ldapResult {
	q, err := parseSearch(m.body, c.d.store.schema, c.d.ad())
	if err != nil {
		return ldapMalformed(err)
	}
	page, err := parsePaging(m)
	if err != nil {
		return ldapMalformed(err)
	}
	base, res, ok := c.searchBase(q)
	if !ok {
		return res
	}
	if base == "" && q.scope == scopeBase {
		return c.rootDSE(ctx, m, q)
	}
	if c.d.ad() && q.scope != scopeBase && q.asksFor(c.d.store.schema, kindTokenGroups) {
		// As Samba says it.
		return ldapResult{code: ldapOperationsError, text: "00002020: operational_search_post_process failed for attribute 'tokenGroups' - " +
			"Cannot provide tokenGroups attribute, this is not a BASE search"}
	}
	if page != nil && page.cookie != "" {
		return c.nextPage(ctx, m, q, page)
	}
	until := time.Now().Add(min(ldapMaxTime, c.timeLimit(m)))
	found, err := c.d.store.search(base, q.scope, q.filter, func() error {
		if time.Now().After(until) {
			return context.DeadlineExceeded
		}
		return ctx.Err()
	})
	if ctx.Err() != nil {
		return ldapResult{silent: true}
	}
	res = ldapResult{}
	if err != nil {
		res = ldapResult{code: ldapTimeLimitExceeded}
	}
	return c.deliver(ctx, m, q, page, found, res)
}

// timeLimit is how long an operation may take by the client's wish.
func (c *ldapConn) timeLimit(m *ldapMessage) time.Duration {
	if m.op == ldapSearchRequest {
		if q, err := parseSearch(m.body, c.d.store.schema, c.d.ad()); err == nil && q.timeLimit > 0 {
			return min(ldapMaxTime, time.Duration(q.timeLimit)*time.Second)
		}
	}
	return math.MaxInt64
}

// deliver sends the entries found, or the first page of them.
func (c *ldapConn) deliver(ctx context.Context, m *ldapMessage, q ldapSearch, page *ldapPage, found []*storeEntry, res ldapResult) ldapResult {
	limited := false
	if q.sizeLimit > 0 && len(found) > q.sizeLimit {
		found, limited = found[:q.sizeLimit], true
	}
	most := c.d.traits.Load().MaxEntries
	if page != nil {
		return c.firstPage(ctx, m, q, page, ldapCursor{rest: found, limited: limited}, res)
	}
	if most > 0 && len(found) > most {
		found, limited = found[:most], true
	}
	c.sendEntries(ctx, m, q, found)
	c.sendReferences(ctx, m, q)
	if limited {
		return ldapResult{code: ldapSizeLimitExceeded}
	}
	return res
}

// searchBase normalises the base of a search. It reports false with the result
// for a base that does not exist.
func (c *ldapConn) searchBase(q ldapSearch) (norm string, res ldapResult, ok bool) {
	if e, asked := c.d.byIdentifier(q.base); asked {
		if e == nil {
			return "", c.noObject(""), false
		}
		return e.norm, res, true
	}
	norm, err := normaliseDN(q.base)
	if err != nil {
		return "", ldapResult{code: ldapInvalidDNSyntax, text: c.say(
			"0000208F: NameErr: DSID-03100225, problem 2006 (BAD_NAME), data 8350, best match of:\n\t''\n", "invalid DN")}, false
	}
	if norm == "" && q.scope == scopeBase {
		return norm, res, true
	}
	if c.d.store.find(norm) == nil {
		return "", c.noObject(norm), false
	}
	return norm, res, true
}

func (c *ldapConn) noObject(norm string) ldapResult {
	near := c.d.store.nearest(norm)
	return ldapResult{code: ldapNoSuchObject, matched: near, text: c.say(fmt.Sprintf(
		"0000208D: NameErr: DSID-03100238, problem 2001 (NO_OBJECT), data 0, best match of:\n\t'%s'\n", near), "")}
}

// byName finds an entry by its normalised DN.
func (d *Directory) byName(norm string) *storeEntry { return d.store.find(norm) }

// byIdentifier finds an entry by the <GUID=...> and <SID=...> forms of names
// (MS-ADTS, section 3.1.1.3.1.2.4). asked reports whether it was such a form.
func (d *Directory) byIdentifier(name string) (e *storeEntry, asked bool) {
	inner, ok := strings.CutPrefix(name, "<")
	if !ok || !strings.HasSuffix(inner, ">") || !d.ad() {
		return nil, false
	}
	kind, value, ok := strings.Cut(strings.TrimSuffix(inner, ">"), "=")
	if !ok {
		return nil, false
	}
	switch strings.ToUpper(kind) {
	case "GUID":
		guid, ok := guidFromText(value)
		if !ok {
			return nil, true
		}
		return onlyEntry(d.store.equal(d.store.guid, guid)), true
	case "SID":
		// The text, or the hexadecimal digits of the octets.
		if octets, err := hex.DecodeString(value); err == nil {
			value = string(octets)
		}
		return onlyEntry(d.store.equal(d.store.objectSID, value)), true
	}
	return nil, false
}

// sendEntries sends entries as the request wants to see them.
func (c *ldapConn) sendEntries(ctx context.Context, m *ldapMessage, q ldapSearch, found []*storeEntry) {
	want := c.selection(q)
	var w berWriter
	for _, e := range found {
		if ctx.Err() != nil {
			return
		}
		w.b = w.b[:0]
		want.encode(&w, m.id, e)
		c.send(ctx, w.b, false)
	}
}

// sendReferences sends the continuation references of a search of the whole
// directory.
func (c *ldapConn) sendReferences(ctx context.Context, m *ldapMessage, q ldapSearch) {
	if _, no := m.control(controlDomainScope); no || q.scope != scopeSubtree {
		return
	}
	if norm, err := normaliseDN(q.base); err != nil || norm != c.d.baseNorm {
		return
	}
	for _, url := range c.d.traits.Load().References {
		var w berWriter
		message := w.begin(berSequence)
		w.number(berInteger, m.id)
		op := w.begin(ldapSearchReference)
		w.string(berOctetString, url)
		w.end(op)
		w.end(message)
		c.send(ctx, w.b, false)
	}
}
