package directory_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/identity"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// pages is a server that has one page more whenever it is asked, each after a
// moment, and ends no search.
func pages(t *testing.T, each int, moment time.Duration) (url string, asked *atomic.Int32) {
	asked = new(atomic.Int32)
	return listen(t, fake(func(op ber.Tag, p *ber.Packet) []answer {
		if op != ldap.ApplicationSearchRequest || p.Children[1].Children[1].Value == int64(0) {
			return done(op, 0, "")
		}
		time.Sleep(moment)
		n := asked.Add(1)
		var out []answer
		for i := range each {
			out = append(out, answer{raw: found(p, fmt.Sprintf("uid=u%d-%d", n, i), ber.NewSequence(""))})
		}
		result := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultDone, nil, "")
		result.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, int64(0), ""))
		result.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "", ""))
		result.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "", ""))
		controls := ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, "")
		controls.AppendChild((&ldap.ControlPaging{Cookie: fmt.Append(nil, n)}).Encode())
		m := ber.NewSequence("")
		m.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, p.Children[0].Value, ""))
		m.AppendChild(result)
		m.AppendChild(controls)
		return append(out, answer{raw: m.Bytes()})
	})), asked
}

// A list that does not end is cut after its time, and what came until then is
// the answer; of a user's groups a part is none.
func TestEndlessLists(t *testing.T) {
	url, asked := pages(t, 3, 10*time.Millisecond)
	var told journal
	c := ask(t, func(o *directory.Options) {
		o.Timeout, o.GroupsTimeout, o.Log = 300*time.Millisecond, time.Second, told.log()
	}, url)
	users, err := c.Search(t.Context(), identity.Query{})
	if err != nil || len(users) == 0 {
		t.Errorf("%d users, %v", len(users), err)
	}
	if int(asked.Load())*3 < len(users) {
		t.Errorf("%d users of %d pages", len(users), asked.Load())
	}
	if !strings.Contains(told.String(), "search cut short") {
		t.Errorf("nobody was told: %s", told.String())
	}
	before := asked.Load()
	if users, err = c.Search(t.Context(), identity.Query{Limit: 600}); err != nil || len(users) > 600 || len(users) == 0 {
		t.Errorf("%d users of at most 600 (%d pages), %v", len(users), asked.Load()-before, err)
	}
}

// A server's own limits leave a part, which is an answer where it is of a list.
func TestServersLimits(t *testing.T) {
	for code, name := range map[int64]string{ldap.LDAPResultTimeLimitExceeded: "time limit", ldap.LDAPResultSizeLimitExceeded: "size limit", ldap.LDAPResultAdminLimitExceeded: "admin limit"} {
		for _, text := range []string{"", "what a server has to say"} {
			var entries atomic.Int32
			entries.Store(2)
			url := listen(t, fake(func(op ber.Tag, p *ber.Packet) []answer {
				if op != ldap.ApplicationSearchRequest || p.Children[1].Children[1].Value == int64(0) {
					return done(op, 0, "")
				}
				var out []answer
				for i := range entries.Load() {
					out = append(out, answer{raw: found(p, fmt.Sprintf("uid=u%d", i), ber.NewSequence(""))})
				}
				return append(out, done(op, code, text)...)
			}))
			c := ask(t, nil, url)
			for _, limit := range []int{0, 2, 5, 600} {
				if users, err := c.Search(t.Context(), identity.Query{Limit: limit}); err != nil || len(users) != 2 {
					t.Errorf("%s, limit %d: %d users, %v", name, limit, len(users), err)
				}
			}
			if groups, err := c.ListGroups(t.Context(), 1); err != nil || len(groups) > 1 {
				t.Errorf("%s: %d groups, %v", name, len(groups), err)
			}
			if groups, err := c.Groups(t.Context(), &identity.Entry{DN: "uid=x"}); err == nil || groups != nil {
				t.Errorf("%s: a part of the groups: %d, %v", name, len(groups), err)
			}
			entries.Store(1)
			_, err := c.Find(t.Context(), "x") // there may be a second one
			if code == ldap.LDAPResultSizeLimitExceeded {
				refused(t, err, identity.AmbiguousUsername)
			} else {
				isFault(t, err, name)
			}
		}
	}
}
