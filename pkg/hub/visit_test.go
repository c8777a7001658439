package hub

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// stages collects how far a visit came.
func stages(to *[]Stage) func(Stage) { return func(s Stage) { *to = append(*to, s) } }

func visitor(url string, signed bool) Options {
	o := options(url, io.Discard)
	if !signed {
		o.Signer = nil
	}
	return o
}

func TestVisitPings(t *testing.T) {
	hub := newPretendHub(t)
	var seen []Stage
	if err := Visit(t.Context(), visitor(hub.URL, false), stages(&seen)); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(seen, []Stage{Upgrading, Pinging}) {
		t.Error(seen)
	}
}

func TestVisitProvesTheAgent(t *testing.T) {
	for name, tt := range map[string]struct {
		answer func(*testing.T, *hubLink)
		want   string
	}{
		"accepted": {func(t *testing.T, l *hubLink) { l.say(t, `{"n":"authenticated"}`) }, ""},
		"rejected": {func(t *testing.T, l *hubLink) { l.say(t, `{"n":"authentication_failure"}`) }, "the hub rejected the agent"},
		"noise before": {func(t *testing.T, l *hubLink) {
			l.say(t, `noise`)
			l.say(t, `{"n":"x"}`)
			l.say(t, `{"n":"authenticated"}`)
		}, ""},
		"the first holds": {func(t *testing.T, l *hubLink) {
			l.say(t, `{"n":"authentication_failure"}`)
			_ = l.Write(t.Context(), websocket.MessageText, []byte(`{"n":"authenticated"}`)) // the visitor may have left
		}, "the hub rejected the agent"},
		"a command": {func(t *testing.T, l *hubLink) {
			l.say(t, ask("authenticate_user", `{"pid":"x","username":"jane","password":"secret"}`))
			l.say(t, `{"n":"authenticated"}`)
		}, ""},
		"cut off": {func(_ *testing.T, l *hubLink) { _ = l.CloseNow() }, "the link to the hub ended before its verdict: "},
	} {
		t.Run(name, func(t *testing.T) {
			hub := newPretendHub(t)
			var seen []Stage
			done := make(chan error, 1)
			go func() { done <- Visit(t.Context(), visitor(hub.URL, true), stages(&seen)) }()
			l := hub.next(t)
			if !strings.HasPrefix(string(l.first), `{"n":"authenticate","p":{"jwt":"`) {
				t.Errorf("first frame %s", l.first)
			}
			tt.answer(t, l)
			err := <-done
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%v, want %q", err, tt.want)
			}
			if (tt.want == "the hub rejected the agent") != errors.Is(err, ErrRejected) {
				t.Errorf("%v", err)
			}
			if !slices.Equal(seen, []Stage{Upgrading, Proving}) {
				t.Error(seen)
			}
			for { // nothing was answered, not even the command
				select {
				case text := <-l.text:
					t.Errorf("the visitor said %s", text)
					continue
				case <-l.ended:
				}
				break
			}
		})
	}
}

// A hub that is silent, at any stage, does not hold a visitor beyond its time.
func TestVisitEndsInTime(t *testing.T) {
	release := make(chan struct{})
	deaf := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	hub := newPretendHub(t)
	mute := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		<-release // it reads nothing, and so answers no ping
		_ = conn.CloseNow()
	}))
	t.Cleanup(func() {
		close(release)
		deaf.Close()
		mute.Close()
	})
	for name, tt := range map[string]struct {
		o    Options
		last Stage
	}{
		"upgrade": {visitor(deaf.URL, false), Upgrading}, "pong": {visitor(mute.URL, false), Pinging}, "verdict": {visitor(hub.URL, true), Proving},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			var seen []Stage
			if err := Visit(ctx, tt.o, stages(&seen)); !errors.Is(err, context.DeadlineExceeded) || seen[len(seen)-1] != tt.last {
				t.Errorf("%v after %v", err, seen)
			}
		})
	}
}

func TestNoUpgrade(t *testing.T) {
	for _, tt := range []struct {
		status   int
		header   [2]string
		stripped bool
		text     string
		hint     string
	}{
		{400, [2]string{"Via", "1.1 squid\u202e (squid/5.7)"}, true, "answered 400 Bad Request instead of 101 Switching Protocols (Via: 1.1 squid", "takes the Upgrade header out"},
		{426, [2]string{"Server", "x"}, true, "answered 426 Upgrade Required", "takes the Upgrade header out"},
		{200, [2]string{"X-Cache", strings.Repeat("x", 5000)}, true, "answered 200 OK", "exempted from TLS inspection"},
		{101, [2]string{"Upgrade", "smoke"}, true, "answered 101, and not as a websocket's end does: ", "exempted"},
		{404, [2]string{}, false, "answered 404 Not Found", "hub's address again"},
		{403, [2]string{"Server", "filter"}, false, "answered 403 Forbidden", "allow websockets"},
		{302, [2]string{"Location", "https://elsewhere.example/"}, false, "answered 302 Found", "Try again later"},
		{503, [2]string{}, false, "answered 503 Service Unavailable", "Try again later"},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if tt.header[0] != "" {
				w.Header().Set(tt.header[0], tt.header[1])
			}
			w.WriteHeader(tt.status)
		}))
		err := Visit(t.Context(), visitor(s.URL, false), func(Stage) {})
		var e *NoUpgradeError
		if !errors.As(err, &e) || e.Status != tt.status || e.Stripped() != tt.stripped || !strings.Contains(e.Error(), tt.text) || !strings.Contains(e.Hint(), tt.hint) {
			t.Errorf("%d: %v", tt.status, err)
			s.Close()
			continue
		}
		if len(e.Error()) > 400 || strings.Contains(e.Error(), "\u202e") || e.Unwrap() == nil {
			t.Errorf("%d: %q", tt.status, e)
		}
		s.Close()
	}
}

func TestVisitSaysWhatIsWrong(t *testing.T) {
	s := httptest.NewServer(nil)
	s.Close() // nobody listens there now
	o := visitor(s.URL, false)
	o.Explain = func(err error) error { return errors.New("explained: " + err.Error()) }
	err := Visit(t.Context(), o, func(Stage) {})
	if err == nil || !strings.Contains(err.Error(), "connect to the hub at 127.0.0.1:") || !strings.Contains(err.Error(), "explained: ") || strings.Contains(err.Error(), "failed to") {
		t.Error(err)
	}
	o.URL = "ftp://h.example"
	if err := Visit(t.Context(), o, func(Stage) {}); err == nil || !strings.Contains(err.Error(), "the scheme is") {
		t.Error(err)
	}
}
