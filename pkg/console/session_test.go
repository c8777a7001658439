package console

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ad-ldap-connector/testdata/lab"
)

// TestSessionsEnd: without use, with age, and when they are revoked.
func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		do   func(w *wristwatch, v *visitor, revoked *atomic.Int64)
		want int
	}{
		{"used in time", func(w *wristwatch, v *visitor, _ *atomic.Int64) {
			for range 6 {
				w.pass(idleAfter - time.Minute)
				v.get("/update")
			}
		}, 200},
		{"not used", func(w *wristwatch, _ *visitor, _ *atomic.Int64) { w.pass(idleAfter + time.Second) }, 303},
		{"used by a page itself alone", func(w *wristwatch, v *visitor, _ *atomic.Int64) {
			for range 4 {
				w.pass(idleAfter / 3)
				r := v.request("GET", "/live", nil)
				r.Header.Set("X-Console-Live", "1")
				v.do(r)
			}
		}, 303},
		{"old", func(w *wristwatch, v *visitor, _ *atomic.Int64) {
			for range 9 * 60 / 10 {
				w.pass(10 * time.Minute)
				v.get("/update")
			}
		}, 303},
		{"revoked", func(w *wristwatch, _ *visitor, revoked *atomic.Int64) {
			w.pass(time.Second)
			revoked.Store(w.ns.Load())
		}, 303},
		{"others were revoked before", func(w *wristwatch, _ *visitor, revoked *atomic.Int64) {
			revoked.Store(w.ns.Load() - int64(time.Second))
		}, 200},
		{"the clock was set back", func(w *wristwatch, _ *visitor, _ *atomic.Int64) { w.pass(-time.Hour) }, 303},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, revoked := newWristwatch(), new(atomic.Int64)
			v := newVisitor(t, Options{Sessions: NewSessions(w.now), Now: w.now, Revoked: func() time.Time { return time.Unix(0, revoked.Load()) }})
			tt.do(w, v, revoked)
			if code, _ := v.get("/update"); code != tt.want {
				t.Errorf("%d, want %d", code, tt.want)
			}
		})
	}
}

// TestSessionsAreBound: to the browser and the machine that logged in; whoever
// shows the id from elsewhere ends it.
func TestSessionsAreBound(t *testing.T) {
	t.Parallel()
	s := NewSessions(time.Now)
	request := func(remote, agent string) *http.Request {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = remote
		r.Header.Set("User-Agent", agent)
		return r
	}
	for name, r := range map[string]*http.Request{"machine": request("192.0.2.2:1", "a"), "browser": request("192.0.2.1:1", "b")} {
		id, of := s.begin(request("192.0.2.1:1", "a"), byLink)
		if s.find(request("192.0.2.1:2", "a"), id, time.Time{}, false) != of {
			t.Fatal("its own browser, on another connection, is not known")
		}
		if s.find(r, id, time.Time{}, false) != nil {
			t.Errorf("another %s is let in", name)
		}
		if s.find(request("192.0.2.1:1", "a"), id, time.Time{}, false) != nil {
			t.Errorf("another %s has not ended it", name)
		}
	}
	if s.find(request("192.0.2.1:1", "a"), "", time.Time{}, false) != nil {
		t.Error("no id is one")
	}
}

// TestSessionsAreBounded: the one that was used least recently makes room.
func TestSessionsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWristwatch()
	s := NewSessions(w.now)
	r := httptest.NewRequest("GET", "/", nil)
	first, _ := s.begin(r, byLink)
	second, _ := s.begin(r, byLink)
	for range mostSessions - 1 {
		w.pass(time.Second)
		s.find(r, first, time.Time{}, false)
		s.begin(r, byLink)
	}
	if s.find(r, second, time.Time{}, false) != nil || s.find(r, first, time.Time{}, false) == nil {
		t.Error("not the one that was used least recently is gone")
	}
	if n := s.EndAll(); n != mostSessions {
		t.Errorf("there were %d", n)
	}
	if s.find(r, first, time.Time{}, false) != nil {
		t.Error("one is left")
	}
}

// TestReload: another handler with the same sessions logs nobody out, and what
// was to be said is said.
func TestReload(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, Options{})
	for _, s := range v.options.Sessions.all {
		v.options.Sessions.keep(s, flash{flashOK, "It was <saved>."})
	}
	next := httptest.NewServer(Handler(v.options))
	t.Cleanup(next.Close)
	here, there := must(url.Parse(v.server.URL)), must(url.Parse(next.URL))
	for _, c := range v.client.Jar.Cookies(here) { // the same port, in the field
		c.Name = strings.Replace(c.Name, here.Port(), there.Port(), 1)
		v.client.Jar.SetCookies(there, []*http.Cookie{c})
	}
	v.server = next
	if code, body := v.get("/update"); code != http.StatusOK || !strings.Contains(body, "It was &lt;saved&gt;.") {
		t.Errorf("%d %s", code, body)
	}
	if _, body := v.get("/update"); strings.Contains(body, "&lt;saved&gt;") {
		t.Error("it is said twice")
	}
}

// TestStreamsEnd: a live answer ends with its session, and with the console.
func TestStreamsEnd(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		end  func(v *visitor, ending chan struct{})
	}{
		{"its session", func(v *visitor, _ chan struct{}) { v.options.Sessions.EndAll() }},
		{"the console", func(_ *visitor, ending chan struct{}) { close(ending) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ending := make(chan struct{})
			v := newVisitor(t, Options{Ending: ending, Logs: logsFor("one", "two")})
			r := v.request("GET", "/troubleshooting/logs", nil)
			r.Header.Set("X-Console-Live", "1")
			res, err := v.client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			lines := bufio.NewScanner(res.Body)
			for range 2 {
				if !lines.Scan() || !strings.Contains(lines.Text(), `"html"`) {
					t.Fatalf("%q, %v", lines.Text(), lines.Err())
				}
			}
			tt.end(v, ending)
			ended := make(chan bool, 1)
			go func() { ended <- lines.Scan() }()
			lab.Eventually(t, "the end of the answer", func() bool {
				select {
				case more := <-ended:
					return !more
				default:
					return false
				}
			})
		})
	}
}

// TestManyStreams: there is a bound, after which people are told.
func TestManyStreams(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, Options{Logs: logsFor("one")})
	var open []*http.Response
	t.Cleanup(func() {
		for _, res := range open {
			res.Body.Close()
		}
	})
	for {
		r := v.request("GET", "/troubleshooting/logs", nil)
		r.Header.Set("X-Console-Live", "1")
		res, err := v.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, res)
		if res.StatusCode == http.StatusServiceUnavailable && len(open) == mostStreams+1 {
			return
		}
		if res.StatusCode != http.StatusOK {
			t.Fatalf("answer %d: %d", len(open), res.StatusCode)
		}
	}
}
