package directory_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/pkg/sandbox"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
	"github.com/google/go-cmp/cmp"
)

// However a server cuts the values of an attribute, all of them come, in its
// order and under the plain name: of users found and searched, and of groups.
func TestRangesAreCompleted(t *testing.T) {
	d := newDomain()
	var mails, members, groups []string
	for i := range 25 {
		mails = append(mails, fmt.Sprintf("u%02d@lab.test", i))
		members = append(members, personDN(fmt.Sprintf("m%02d", i)))
		groups = append(groups, groupDN(fmt.Sprintf("g%02d", i)))
	}
	with := func(name string, values []string) (out []string) {
		for _, v := range values {
			out = append(out, name, v)
		}
		return out
	}
	d.person("u", "513", with("mail", mails)...)
	d.person("w", "513", with("mail", mails[:10])...)
	d.group(groupDN("large"), "large", global, 0, append(members, personDN("u"))...)
	for i, dn := range groups {
		d.group(dn, fmt.Sprintf("g%02d", i), global, 0, personDN("u"))
	}
	for _, size := range []int{1, 7, 10, 25, 26, 1500} {
		open, _ := d.start(t, sandbox.Traits{RangeSize: size})
		c := open(func(o *directory.Options) {
			o.GroupProperties, o.SearchAllFilter = []string{"cn", "member"}, filter(t, "(mail=*)")
		})
		user, err := c.Find(t.Context(), "u")
		if err != nil {
			t.Fatal(err)
		}
		all, err := c.Search(t.Context(), identity.Query{})
		if err != nil || len(all) != 2 {
			t.Fatal(all, err)
		}
		for name, e := range map[string]*identity.Entry{"found": user, "searched": all[0]} {
			if got := e.Values("mail"); !cmp.Equal(got, mails) {
				t.Errorf("size %d, %s: mail %q", size, name, got)
			}
			if got := e.Values("memberOf"); !cmp.Equal(got, append([]string{groupDN("large")}, groups...)) {
				t.Errorf("size %d, %s: memberOf %q", size, name, got)
			}
			for _, a := range e.Attributes {
				if strings.Contains(a.Name, ";") || len(a.Values) == 0 {
					t.Errorf("size %d, %s: %s has %d values", size, name, a.Name, len(a.Values))
				}
			}
		}
		if got := all[1].Values("mail"); !cmp.Equal(got, mails[:10]) {
			t.Errorf("size %d: the other's mail %q", size, got)
		}
		found, err := c.Groups(t.Context(), user)
		if err != nil || len(found) != 26 || strings.Count(string(found[0].Label), "CN=m") != 25 {
			t.Errorf("size %d: %d groups, %s; %v", size, len(found), found[0].Label, err)
		}
		if found, err = c.ListGroups(t.Context(), 0); err != nil || len(found) != 26 || strings.Count(string(found[0].Label), "CN=m") != 25 {
			t.Errorf("size %d: %d groups listed; %v", size, len(found), err)
		}
	}
}

// entryOf is a search's entry as a server sends it; attributes are name, value,
// value, "", name ...
func entryOf(request *ber.Packet, dn string, attributes ...string) answer {
	text := func(s string) *ber.Packet {
		return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, s, "")
	}
	list := ber.NewSequence("")
	for len(attributes) > 0 {
		one := ber.NewSequence("")
		one.AppendChild(text(attributes[0]))
		values := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "")
		for attributes = attributes[1:]; len(attributes) > 0 && attributes[0] != ""; attributes = attributes[1:] {
			values.AppendChild(text(attributes[0]))
		}
		one.AppendChild(values)
		list.AppendChild(one)
		if len(attributes) > 0 {
			attributes = attributes[1:]
		}
	}
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultEntry, nil, "")
	op.AppendChild(text(dn))
	op.AppendChild(list)
	m := ber.NewSequence("")
	m.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, request.Children[0].Value, ""))
	m.AppendChild(op)
	return answer{raw: m.Bytes()}
}

// A server that repeats a range, or goes on for ever, or falls silent, makes a
// fault and no loop, and never an entry with a part of its values.
func TestBadRangesAreAFault(t *testing.T) {
	for name, test := range map[string]struct {
		say  func(n int64, request *ber.Packet) []answer
		text string
	}{
		"repeated": {func(_ int64, p *ber.Packet) []answer {
			return []answer{entryOf(p, "uid=x", "member;range=0-1", "a", "b")}
		}, "read all values of uid=x"},
		"endless": {func(n int64, p *ber.Packet) []answer {
			return []answer{entryOf(p, "uid=x", fmt.Sprintf("member;range=%d-%d", n, n), "a")}
		}, "more than 2000 ranges"},
		"gone": {func(n int64, p *ber.Packet) []answer {
			if n > 0 {
				return nil
			}
			return []answer{entryOf(p, "uid=x", "member;range=0-1", "a", "b")}
		}, "0 entries of that name"},
		"refused": {func(n int64, p *ber.Packet) []answer {
			if n > 0 {
				return done(ldap.ApplicationSearchRequest, 51, "")
			}
			return []answer{entryOf(p, "uid=x", "member;range=0-1", "a", "b")}
		}, "read all values of uid=x"},
	} {
		var asked atomic.Int64
		url := listen(t, fake(func(op ber.Tag, p *ber.Packet) []answer {
			isDSE := op == ldap.ApplicationSearchRequest && p.Children[1].Children[0].Value == ""
			if op != ldap.ApplicationSearchRequest || isDSE {
				return done(op, 0, "")
			}
			said := test.say(asked.Add(1)-1, p)
			if len(said) > 0 && said[len(said)-1].tag != 0 {
				return said
			}
			return append(said, done(op, 0, "")...)
		}))
		c := ask(t, func(o *directory.Options) { o.Timeout = 30 * time.Second }, url)
		_, err := c.Find(t.Context(), "x")
		isFault(t, err, test.text)
		asked.Store(0)
		groups, err := c.Groups(t.Context(), &identity.Entry{DN: "uid=u"})
		isFault(t, err, test.text)
		if groups != nil {
			t.Errorf("%s: %v", name, groups)
		}
		asked.Store(0)
		users, err := c.Search(t.Context(), identity.Query{})
		isFault(t, err, test.text)
		if users != nil {
			t.Errorf("%s: %v", name, users)
		}
	}
}
