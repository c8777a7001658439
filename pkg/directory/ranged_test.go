package directory

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/google/go-cmp/cmp"
)

func TestParseRange(t *testing.T) {
	for name, test := range map[string]struct {
		plain string
		want  valueRange
		ok    bool
	}{
		"member;range=0-1499":         {"member", valueRange{0, 1499}, true},
		"member;range=1500-*":         {"member", valueRange{1500, -1}, true},
		"Member;Range=0-0":            {"Member", valueRange{0, 0}, true},
		"cn;lang-de;range=2-3;x-y":    {"cn;lang-de;x-y", valueRange{2, 3}, true},
		"member":                      {"member", valueRange{}, false},
		"member;binary":               {"member;binary", valueRange{}, false},
		"member;range=":               {"member;range=", valueRange{}, false},
		"member;range=5":              {"member;range=5", valueRange{}, false},
		"member;range=5-4":            {"member;range=5-4", valueRange{}, false},
		"member;range=-1-4":           {"member;range=-1-4", valueRange{}, false},
		"member;range=*-*":            {"member;range=*-*", valueRange{}, false},
		"member;range=0-99999999999":  {"member;range=0-99999999999", valueRange{}, false},
		"member;range=0-1;range=2-3":  {"member;range=0-1;range=2-3", valueRange{}, false},
		"range=0-1":                   {"range=0-1", valueRange{}, false},
		";range=0-1":                  {"", valueRange{0, 1}, true},
		"member;range=0-1499;range=x": {"member;range=0-1499;range=x", valueRange{}, false},
	} {
		plain, r, ok := parseRange(name)
		if plain != test.plain || r != test.want || ok != test.ok {
			t.Errorf("%s: %q, %+v, %t", name, plain, r, ok)
		}
	}
}

func FuzzParseRange(f *testing.F) {
	for _, name := range []string{"member;range=0-1499", "a;range=1-*", "a;Range=1-2;b", "a;range=2-1", "a;range=1-2;range=1-2"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		plain, r, ok := parseRange(name)
		if !ok {
			if plain != name {
				t.Errorf("%q became %q", name, plain)
			}
			return
		}
		if r.from < 0 || r.to >= 0 && r.to < r.from || strings.Contains(strings.ToLower(plain), ";range=") {
			t.Errorf("%q: %q, %+v", name, plain, r)
		}
		to := "*"
		if r.to >= 0 {
			to = fmt.Sprint(r.to)
		}
		if again, r2, ok := parseRange(fmt.Sprintf("%s;range=%d-%s", plain, r.from, to)); !ok || again != plain || r2 != r {
			t.Errorf("%q: %q, %+v and %q, %+v", name, plain, r, again, r2)
		}
	})
}

// ranged is an entry whose attributes are given as name, values, name, values.
func ranged(attributes ...any) *ldap.Entry {
	e := &ldap.Entry{DN: "cn=x"}
	for i := 0; i < len(attributes); i += 2 {
		e.Attributes = append(e.Attributes, ldap.NewEntryAttribute(attributes[i].(string), attributes[i+1].([]string)))
	}
	return e
}

// What of several answers makes one entry, and what does not.
func TestRangesAreGathered(t *testing.T) {
	v := strings.Fields
	for name, test := range map[string]struct {
		answers []*ldap.Entry
		want    string // the entry, or the error
	}{
		"two": {[]*ldap.Entry{ranged("cn", v("x"), "member;range=0-1", v("a b"), "sn", v("y")), ranged("member;range=2-*", v("c"))},
			"cn=x member=a,b,c sn=y"},
		"the plain name besides": {[]*ldap.Entry{ranged("member", v(""), "cn", v("x"), "Member;range=0-1", v("a b")), ranged("member;range=2-*", v("c"))},
			"Member=a,b,c cn=x"},
		"all of it, by a range": {[]*ldap.Entry{ranged("member;range=0-*", v("a b"))}, "member=a,b"},
		"two attributes": {[]*ldap.Entry{ranged("member;range=0-1", v("a b"), "memberOf;range=0-0", v("p")), ranged("memberOf;range=1-*", v("q"), "member;range=2-3", v("c d")),
			ranged("member;range=4-*", v("e"))}, "member=a,b,c,d,e memberOf=p,q"},
		"nothing more after all": {[]*ldap.Entry{ranged("member;range=0-1", v("a b")), ranged("member;range=2-*", v(""))}, "member=a,b"},
		"options stay":           {[]*ldap.Entry{ranged("cn;lang-de;range=0-0", v("a")), ranged("cn;lang-de;range=1-*", v("b"))}, "cn;lang-de=a,b"},

		"repeated":         {[]*ldap.Entry{ranged("member;range=0-1", v("a b")), ranged("member;range=0-1", v("a b"))}, "the server sent 2 values as \"member;range=0-1\" after the first 2"},
		"one left out":     {[]*ldap.Entry{ranged("member;range=0-1", v("a b")), ranged("member;range=3-*", v("d"))}, "after the first 2"},
		"not from 0":       {[]*ldap.Entry{ranged("member;range=1-2", v("a b"))}, "after the first 0"},
		"fewer than said":  {[]*ldap.Entry{ranged("member;range=0-2", v("a b"))}, "2 values as \"member;range=0-2\""},
		"empty for ever":   {[]*ldap.Entry{ranged("member;range=0-1", v("a b")), ranged("member;range=2-3", v(""))}, "0 values"},
		"silence":          {[]*ldap.Entry{ranged("member;range=0-1", v("a b")), ranged("cn", v("x"))}, "the server sent no more of member after the first 2 values"},
		"the whole of it?": {[]*ldap.Entry{ranged("member;range=0-1", v("a b")), ranged("member", v("a b c"))}, "no more of member"},
	} {
		e := test.answers[0]
		g := gathered{entry: e, have: map[string]*gathering{}}
		next, err := g.add(e)
		for _, more := range test.answers[1:] {
			if err != nil || len(next) == 0 {
				t.Errorf("%s: after %d values nothing is asked: %v", name, len(e.Attributes), err)
				break
			}
			next, err = g.add(more)
		}
		if err != nil {
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: %v, want %s", name, err, test.want)
			}
			continue
		}
		if len(next) > 0 {
			t.Errorf("%s: asks for %q", name, next)
		}
		g.finish()
		var got []string
		for _, a := range e.Attributes {
			got = append(got, a.Name+"="+strings.Join(a.Values, ","))
			if len(a.ByteValues) != len(a.Values) {
				t.Errorf("%s: %s has %d values and %d", name, a.Name, len(a.Values), len(a.ByteValues))
			}
		}
		if diff := cmp.Diff(test.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// Another server's values are counted from the beginning.
func TestRangesBeginAnewAtAnotherServer(t *testing.T) {
	e := ranged("member;range=0-1", []string{"a", "b"})
	g := gathered{entry: e, have: map[string]*gathering{}}
	if next, err := g.add(e); err != nil || !cmp.Equal(next, []string{"member;range=2-*"}) {
		t.Fatal(next, err)
	}
	if next := g.restart(); !cmp.Equal(next, []string{"member;range=0-*"}) {
		t.Fatal(next)
	}
	if next, err := g.add(ranged("member;range=0-*", []string{"b", "a", "c"})); err != nil || next != nil {
		t.Fatal(next, err)
	}
	g.finish()
	if got := e.GetAttributeValues("member"); !cmp.Equal(got, []string{"b", "a", "c"}) {
		t.Error(got)
	}
}
