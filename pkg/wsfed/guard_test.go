package wsfed

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"ad-ldap-connector/testdata/lab"
)

func TestGuard(t *testing.T) {
	t.Parallel()
	g := NewGuard(Limits{PerUser: 3, PerSource: 5, Within: time.Minute})
	at := noon
	try := func(user, source string, want bool) *attempt {
		t.Helper()
		at = at.Add(time.Millisecond)
		a, wait := g.try(user, source, at)
		if (a != nil) != want || want != (wait == 0) {
			t.Errorf("%s from %s: let through %t, wait %s", user, source, a != nil, wait)
		}
		return a
	}
	for _, spelling := range []string{"ada", `CORP\Ada`, "ADÁ@corp.example "} {
		try(spelling, "1.1.1.1", true)
	}
	try("ada", "2.2.2.2", false) // whoever asks
	try("bob", "1.1.1.1", true)
	try("cid", "1.1.1.1", true).unasked() // does not count
	try("cid", "1.1.1.1", true)
	try("dan", "1.1.1.1", false) // the address has had its five
	try("dan", "2.2.2.2", true).right()
	try("dan", "2.2.2.2", true)
	at = at.Add(time.Minute)
	try("ada", "1.1.1.1", true)
	for range 2 {
		try("eve", "3.3.3.3", true)
	}
	try("eve", "3.3.3.3", true).right() // forgives the two
	for range 3 {
		try("eve", "4.4.4.4", true)
	}
	try("eve", "4.4.4.4", false)
	if a, _ := NewGuard(Limits{}).try("x", "y", at); a == nil {
		t.Error("no bounds bound")
	}
}

func TestGuardForgetsAndIsBounded(t *testing.T) {
	t.Parallel()
	g := NewGuard(Limits{PerUser: 1, PerSource: 1, Within: time.Minute})
	for i := range maxCounted + 100 {
		g.try(fmt.Sprint("user", i), fmt.Sprint(i), noon.Add(time.Duration(i)))
	}
	if len(g.users) > maxCounted || len(g.sources) > maxCounted {
		t.Errorf("%d users and %d sources", len(g.users), len(g.sources))
	}
	g.try("later", "later", noon.Add(time.Hour))
	a, _ := g.try("user1", "1", noon.Add(time.Hour))
	if a == nil {
		t.Error("an hour was too short")
	}
}

func TestSourceOf(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]string{
		"192.0.2.1:1234": "192.0.2.1", "[2001:db8::1]:1": "2001:db8::/64", "[2001:db8::2:3]:1": "2001:db8::/64", "[fe80::1%eth0]:1": "fe80::/64",
		"[::ffff:192.0.2.1]:1": "192.0.2.1", "192.0.2.9": "192.0.2.9", "@": "@",
	} {
		if got := sourceOf(remote); got != want {
			t.Errorf("%s: %s, want %s", remote, got, want)
		}
	}
}

// TestGuessingEnds is a guesser at the form, many tries at a time: the
// directory hears no more of them than are allowed.
func TestGuessingEnds(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *Options) { o.Guard = NewGuard(Limits{PerUser: 4, PerSource: 100, Within: time.Hour}) })
	var guessers sync.WaitGroup
	for i := range 20 {
		guessers.Go(func() { s.do(t, http.MethodPost, "/wsfed/direct", fmt.Sprint("username=ada&password=guess", i)) })
	}
	guessers.Wait()
	if s.people.asked != 4 {
		t.Errorf("the directory was asked %d times", s.people.asked)
	}
	a := s.login(t, "ada", "right")
	if a.StatusCode != http.StatusTooManyRequests || a.Header.Get("Retry-After") == "" || !strings.Contains(a.body, "too many attempts") || s.last() != (ended{"password", Throttled}) {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	if a := s.login(t, "bob", "right"); !a.signedIn() {
		t.Errorf("another user: %d %s", a.StatusCode, a.body)
	}
}

func TestAFullHouse(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *Options) { o.AtOnce = 1 })
	s.people.hold = make(chan struct{})
	first := make(chan answer, 1)
	go func() { first <- s.do(t, http.MethodPost, "/wsfed/direct", "username=ada&password=right") }()
	lab.Eventually(t, "the first to be in", func() (held bool) {
		s.people.set(func(p *people) { held = p.asked == 1 })
		return held
	})
	second := s.do(t, http.MethodPost, "/wsfed/direct", "username=bob&password=right")
	if second.StatusCode != http.StatusServiceUnavailable || second.Header.Get("Retry-After") == "" || s.last() != (ended{"password", Busy}) {
		t.Errorf("%d %s", second.StatusCode, second.body)
	}
	close(s.people.hold)
	if a := <-first; !a.signedIn() {
		t.Errorf("the first: %d %s", a.StatusCode, a.body)
	}
}

func TestRefusalsTakeTheSameTime(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *Options) { o.RefusalTakes = 100 * time.Millisecond })
	for _, username := range []string{"ada", "nobody"} {
		began := time.Now()
		s.do(t, http.MethodPost, "/wsfed/direct", "username="+username+"&password=wrong")
		if took := time.Since(began); took < 100*time.Millisecond {
			t.Errorf("%s was refused after %s", username, took)
		}
	}
}

func TestTheLogIsNotFlooded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for range saysPerMinute + 5 {
		s.do(t, http.MethodGet, "/wsfed?wtrealm=x", "")
	}
	if n := strings.Count(s.log.String(), "was not understood"); n != saysPerMinute {
		t.Errorf("%d lines", n)
	}
	var m muffler
	for i := range saysPerMinute + 3 {
		m.hear("x", noon.Add(time.Duration(i)), saysPerMinute)
	}
	if write, unwritten := m.hear("x", noon.Add(time.Hour), saysPerMinute); !write || unwritten != 3 {
		t.Errorf("%t, %d", write, unwritten)
	}
}
