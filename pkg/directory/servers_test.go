package directory

import (
	"errors"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// fleet is a list of servers on a clock of its own.
type fleet struct {
	servers
	clock time.Time
	named map[string]*server
}

func newFleet(ranks map[string]int, urls ...string) *fleet {
	f := &fleet{clock: time.Unix(1000, 0), named: map[string]*server{}}
	f.returnAfter, f.now = time.Minute, func() time.Time { return f.clock }
	f.list(ranks, urls...)
	return f
}

func (f *fleet) list(ranks map[string]int, urls ...string) {
	var all []*server
	var places []int
	for i, url := range urls {
		if f.named[url] == nil {
			f.named[url] = &server{url: url}
		}
		rank := i
		if ranks != nil {
			rank = ranks[url]
		}
		all, places = append(all, f.named[url]), append(places, rank)
	}
	f.set(all, places)
}

func (f *fleet) text() (s string) {
	for _, o := range f.order() {
		s += o.url
	}
	return s
}

func TestServersOrder(t *testing.T) {
	f := newFleet(nil, "a", "b", "c")
	want := func(order string) {
		t.Helper()
		if got := f.text(); got != order {
			t.Errorf("order %s, want %s", got, order)
		}
	}
	a, b, c := f.named["a"], f.named["b"], f.named["c"]
	want("abc")
	f.works(a)
	f.fails(a, errors.New("gone"))
	want("bca")
	f.fails(b, errors.New("gone"))
	ch, changed := f.works(c)
	if !changed || ch.from != a || ch.to != c || ch.why == nil {
		t.Errorf("change %+v %v", ch, changed)
	}
	want("cab")
	if f.avoided(a) == nil || f.avoided(c) != nil || !f.left(a) || f.left(c) {
		t.Error("a is not avoided, or c is")
	}
	f.fails(c, errors.New("gone"))
	want("abc") // none has any hope; a failed first
	if f.avoided(a) != nil {
		t.Error("a is avoided, though nothing is better")
	}
	f.clock = f.clock.Add(hopeAfter)
	want("abc")
	f.works(c)
	if _, changed := f.works(b); changed {
		t.Error("c was left though it works")
	}
	want("cba") // b is known to work
}

// The way back is to the best server that works, and not sought too often. A
// server that refuses the service account is left alone for longer each time.
func TestServersReturn(t *testing.T) {
	f := newFleet(nil, "a", "b", "c")
	a, b, c := f.named["a"], f.named["b"], f.named["c"]
	gone, denied := errors.New("gone"), ldap.NewError(ldap.LDAPResultInvalidCredentials, errors.New("no"))
	for _, s := range []*server{a, b} {
		f.fails(s, gone)
	}
	f.works(c)
	if f.due() != nil {
		t.Error("a server is due at once")
	}
	f.clock = f.clock.Add(time.Minute)
	if f.due() != a || f.due() != b || f.due() != nil {
		t.Error("not a and b are due after a minute, once each")
	}
	f.tried(a, denied)
	if ch, changed := f.tried(b, nil); !changed || ch.from != c || ch.to != b || ch.why != nil {
		t.Errorf("change %+v %v", ch, changed)
	}
	var pauses []time.Duration
	for range 6 {
		start := f.clock
		for f.due() == nil {
			f.clock = f.clock.Add(30 * time.Second)
		}
		pauses = append(pauses, f.clock.Sub(start)/time.Minute)
		f.tried(a, denied)
	}
	for i, want := range []time.Duration{2, 4, 8, 15, 15, 15} {
		if pauses[i] != want {
			t.Errorf("minutes between tries: %d, want %d", pauses[i], want)
		}
	}
	f.clock = f.clock.Add(maxPause)
	if f.due() != a {
		t.Fatal("a is not due")
	}
	f.tried(a, gone) // it does not refuse any more
	f.clock = f.clock.Add(time.Minute)
	if f.due() != a {
		t.Error("a is not due after a minute")
	}
	if _, changed := f.tried(a, nil); !changed || f.text() != "abc" {
		t.Errorf("order %s", f.text())
	}
}

// Among servers that are as good as each other, nothing is gained by moving.
func TestServersOfOneRank(t *testing.T) {
	f := newFleet(map[string]int{"a": 0, "b": 0, "c": 1}, "a", "b", "c")
	f.fails(f.named["a"], errors.New("gone"))
	f.works(f.named["b"])
	f.clock = f.clock.Add(time.Hour)
	if f.due() != nil {
		t.Error("b is to be left for its equal")
	}
	// DNS names b no more: it is left, with what is open to it.
	f.list(map[string]int{"c": 1}, "c")
	if f.text() != "c" || !f.elsewhere(f.named["b"]) {
		t.Errorf("order %s", f.text())
	}
	if ch, changed := f.works(f.named["c"]); !changed || !errors.Is(ch.why, errUnlisted) || !f.left(f.named["b"]) {
		t.Errorf("change %+v %v", ch, changed)
	}
}

// A server that is on the list no more is left whether or not the one in use
// works: nobody looks after its connections later.
func TestServersLeaveTheUnlisted(t *testing.T) {
	f := newFleet(nil, "a", "b")
	a, b := f.named["a"], f.named["b"]
	f.works(a)
	f.fails(a, errors.New("gone"))
	if f.left(b) {
		t.Error("left the only one that may work")
	}
	f.list(nil, "a")
	if !f.left(b) || f.left(a) {
		t.Errorf("left the unlisted one: %v, the one in use: %v", f.left(b), f.left(a))
	}
}
