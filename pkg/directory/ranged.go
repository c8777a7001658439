package directory

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// Active Directory gives at most so many values of an attribute at once
// (MaxValRange, 1500 and up), and the rest to who asks for it by the option
// range (MS-ADTS, section 3.1.1.3.1.3.3).
const (
	rangeOption = "range="
	maxRanges   = 2000    // of one entry
	maxValues   = 500_000 // of one attribute
)

// A valueRange is the option of an attribute's name that says which of its
// values came: from the first, counted from 0, to the last, which is -1 where
// no more follow.
type valueRange struct{ from, to int }

// parseRange splits "member;range=0-1499" into the name and the range. A name
// without a range it can be sure of is not ok.
func parseRange(name string) (plain string, r valueRange, ok bool) {
	parts := strings.Split(name, ";")
	kept := parts[:1]
	for _, option := range parts[1:] {
		if len(option) < len(rangeOption) || !strings.EqualFold(option[:len(rangeOption)], rangeOption) {
			kept = append(kept, option)
			continue
		}
		low, high, found := strings.Cut(option[len(rangeOption):], "-")
		from, err := strconv.ParseUint(low, 10, 31)
		if !found || err != nil || ok { // or a second one
			return name, valueRange{}, false
		}
		r = valueRange{int(from), -1}
		if high != "*" {
			to, err := strconv.ParseUint(high, 10, 31)
			if err != nil || to < from {
				return name, valueRange{}, false
			}
			r.to = int(to)
		}
		ok = true
	}
	if !ok {
		return name, valueRange{}, false
	}
	return strings.Join(kept, ";"), r, true
}

// complete reads, for each entry, what is missing of attributes that came in
// part, within timeout. Afterwards they have their plain names and all their
// values, in the server's order. server is who sent the entries.
func (c *Client) complete(ctx context.Context, server string, entries []*ldap.Entry, timeout time.Duration) error {
	var partial []*ldap.Entry
	for _, e := range entries {
		if isPartial(e) {
			partial = append(partial, e)
		}
	}
	if len(partial) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, overdue(timeout))
	defer cancel()
	return parallel(ctx, len(partial), func(ctx context.Context, i int) error {
		return c.completeEntry(ctx, server, partial[i], timeout)
	})
}

func isPartial(e *ldap.Entry) bool {
	for _, a := range e.Attributes {
		if strings.Contains(a.Name, ";") {
			if _, _, ok := parseRange(a.Name); ok {
				return true
			}
		}
	}
	return false
}

// completeEntry reads the ranges that follow the ones e came with.
func (c *Client) completeEntry(ctx context.Context, server string, e *ldap.Entry, timeout time.Duration) error {
	all := gathered{entry: e, have: map[string]*gathering{}}
	wanted, err := all.add(e)
	for n := 0; err == nil && len(wanted) > 0; n++ {
		if n == maxRanges {
			return &Error{Doing: "read all values of " + e.DN, Server: server, Err: fmt.Errorf("more than %d ranges", maxRanges)}
		}
		req := ldap.NewSearchRequest(e.DN, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", wanted, nil)
		var a answer
		a, err = c.search(ctx, req, timeout)
		switch {
		case err == nil && a.cut != nil:
			err = a.cut
		case err == nil && len(a.entries) != 1:
			err = fmt.Errorf("%d entries of that name", len(a.entries))
		case err == nil && a.server != server:
			// Another server may count the values in another order.
			server, wanted = a.server, all.restart()
		case err == nil:
			wanted, err = all.add(a.entries[0])
		}
	}
	if err != nil {
		return &Error{Doing: "read all values of " + e.DN, Server: server, Err: err}
	}
	all.finish()
	return nil
}

// gathered are the attributes of one entry that come in ranges.
type gathered struct {
	entry *ldap.Entry
	have  map[string]*gathering // by the name in lower case
	order []*gathering
}

type gathering struct {
	name string
	raw  [][]byte
	done bool
}

// add takes the ranges that e holds, and returns what to ask for next. A
// range that is not the next one, or that is not there, is an error: a part of
// the values must not pass for all of them.
func (g *gathered) add(e *ldap.Entry) ([]string, error) {
	seen := map[*gathering]bool{}
	for _, a := range e.Attributes {
		plain, r, ok := parseRange(a.Name)
		if !ok {
			continue
		}
		one := g.have[strings.ToLower(plain)]
		if one == nil && e == g.entry {
			one = &gathering{name: plain}
			g.have[strings.ToLower(plain)] = one
			g.order = append(g.order, one)
		}
		if one == nil || one.done { // nothing that was asked for
			continue
		}
		if r.from != len(one.raw) || r.to >= 0 && r.to-r.from+1 != len(a.ByteValues) {
			return nil, fmt.Errorf("the server sent %d values as %.100q after the first %d", len(a.ByteValues), a.Name, len(one.raw))
		}
		one.raw = append(one.raw, a.ByteValues...)
		if len(one.raw) > maxValues {
			return nil, fmt.Errorf("%s has more than %d values", one.name, maxValues)
		}
		one.done = r.to < 0
		seen[one] = true
	}
	var next []string
	for _, one := range g.order {
		if one.done {
			continue
		}
		if !seen[one] {
			return nil, errors.New("the server sent no more of " + one.name + " after the first " + strconv.Itoa(len(one.raw)) + " values")
		}
		next = append(next, one.ask())
	}
	return next, nil
}

func (o *gathering) ask() string { return o.name + ";" + rangeOption + strconv.Itoa(len(o.raw)) + "-*" }

// restart forgets all values, and returns what to ask for.
func (g *gathered) restart() []string {
	var all []string
	for _, one := range g.order {
		one.raw, one.done = nil, false
		all = append(all, one.ask())
	}
	return all
}

// finish puts the values into the entry, each attribute where it first stood.
// A server may send the plain name besides, without values.
func (g *gathered) finish() {
	var attributes []*ldap.EntryAttribute
	placed := map[*gathering]bool{}
	for _, a := range g.entry.Attributes {
		plain, _, _ := parseRange(a.Name)
		one := g.have[strings.ToLower(plain)]
		if one == nil {
			attributes = append(attributes, a)
			continue
		}
		if placed[one] {
			continue
		}
		placed[one] = true
		whole := &ldap.EntryAttribute{Name: one.name, ByteValues: one.raw, Values: make([]string, len(one.raw))}
		for i, v := range one.raw {
			whole.Values[i] = string(v)
		}
		attributes = append(attributes, whole)
	}
	g.entry.Attributes = attributes
}
