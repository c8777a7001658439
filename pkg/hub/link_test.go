package hub

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ad-ldap-connector/pkg/identity"
)

// states keeps what State was told.
type states struct {
	mu  sync.Mutex
	all []string
}

func (s *states) told(state State, detail string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, string(state)+" "+detail)
}

func (s *states) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) == 0 {
		return ""
	}
	return s.all[len(s.all)-1]
}

// bubble runs a client against a raw hub, on a clock that jumps, without any
// jitter: it waits as long as it ever does.
func bubble(t *testing.T, h Handler, change func(*Options), play func(t *testing.T, hub *rawHub, c *Client, s *states, stop func())) {
	t.Helper()
	luckyBubble(t, h, change, func() float64 { return 1 }, play)
}

func luckyBubble(t *testing.T, h Handler, change func(*Options), luck func() float64, play func(t *testing.T, hub *rawHub, c *Client, s *states, stop func())) {
	t.Helper()
	agentKey() // made outside: it takes a while
	synctest.Test(t, func(t *testing.T) {
		hub, s := newRawHub(), &states{}
		o := options("http://hub.example", io.Discard)
		o.HTTP, o.State, o.MaxBackoff = hub.client(), s.told, 30*time.Second
		if change != nil {
			change(&o)
		}
		c, err := New(h, o)
		if err != nil {
			t.Fatal(err)
		}
		c.random = luck
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			if err := c.Run(ctx); err != nil {
				t.Errorf("Run: %v", err)
			}
		}()
		stop := func() { // may be called again and concurrently
			cancel()
			<-done
		}
		defer stop()
		play(t, hub, c, s, stop)
	})
}

func TestHandshake(t *testing.T) {
	bubble(t, &people{}, nil, func(t *testing.T, hub *rawHub, c *Client, s *states, stop func()) {
		l := hub.next(t)
		for _, name := range []string{"Origin", "Sec-Websocket-Protocol", "Sec-Websocket-Extensions", "User-Agent", "Cookie", "Authorization"} {
			if v, ok := l.header[name]; ok {
				t.Errorf("the agent sent %s: %q", name, v)
			}
		}
		now := time.Now().Unix()
		_, text, err := l.read()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(text), `{"n":"authenticate","p":{"jwt":"`) {
			t.Errorf("the first frame: %s", text)
		}
		header, claims := claimsOf(t, text)
		if len(header) != 2 || header["alg"] != "RS256" || header["typ"] != "JWT" {
			t.Errorf("header %v", header)
		}
		if len(claims) != 4 || claims["iat"] != float64(now) || claims["exp"] != float64(now+60) ||
			claims["iss"] != "lab-ad" || claims["aud"] != "urn:auth0:lab" {
			t.Errorf("claims %v at %d", claims, now)
		}
		if c.Accepted() {
			t.Error("accepted before the hub's verdict")
		}
		l.text(t, `{"n":"authenticated"}`)
		synctest.Wait()
		if !c.Accepted() || c.Err() != nil || s.last() != "accepted " {
			t.Errorf("accepted %t, state %q", c.Accepted(), s.last())
		}
		go stop()
		l.farewell(t)
		l.raw(t, rawFrame(0x80|opClose, 2, "\x03\xe8"))
		stop()
		if c.Accepted() {
			t.Error("accepted after the end")
		}
	})
}

func TestDeadHubIsFoundByPings(t *testing.T) {
	bubble(t, &people{}, nil, func(t *testing.T, hub *rawHub, c *Client, s *states, _ func()) {
		l := hub.accept(t)
		for range 3 { // a living hub
			start := time.Now()
			op, payload, err := l.read()
			if err != nil || op != opPing || time.Since(start) != pingInterval {
				t.Fatalf("opcode %d, %v, after %v", op, err, time.Since(start))
			}
			l.raw(t, rawFrame(0x80|opPong, len(payload), string(payload)))
		}
		for range pingTries - 1 { // a sleepy one
			if op, _, err := l.read(); err != nil || op != opPing {
				t.Fatalf("opcode %d, %v", op, err)
			}
		}
		_, payload, err := l.read()
		if err != nil {
			t.Fatal(err)
		}
		l.raw(t, rawFrame(0x80|opPong, len(payload), string(payload)))
		synctest.Wait()
		if !c.Accepted() {
			t.Fatal("the link was given up although the hub came round")
		}

		start := time.Now() // a dead one
		pings := 0
		for {
			op, _, err := l.read()
			if err != nil || op != opPing {
				break
			}
			pings++
		}
		if took := time.Since(start); pings != pingTries || took > 30*time.Second {
			t.Errorf("after %v and %d pings", took, pings)
		}
		synctest.Wait()
		if c.Accepted() || s.last() != "lost the link to the hub ended: the hub did not answer 5 pings" {
			t.Errorf("state %q", s.last())
		}
		hub.accept(t)
		synctest.Wait()
		if !c.Accepted() {
			t.Error("not accepted again")
		}
	})
}

func TestSilentHub(t *testing.T) {
	bubble(t, &people{}, nil, func(t *testing.T, hub *rawHub, c *Client, s *states, _ func()) {
		l := hub.next(t) // shakes hands, and that is all
		start := time.Now()
		if _, _, err := l.read(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := l.read(); err == nil || time.Since(start) != verdictTimeout {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		synctest.Wait()
		if !strings.HasPrefix(s.last(), "lost the hub did not answer the agent's token within 30s") {
			t.Errorf("state %q", s.last())
		}
	})
	bubble(t, &people{}, nil, func(t *testing.T, hub *rawHub, c *Client, s *states, _ func()) {
		conn := <-hub.conns // does not even shake hands
		start := time.Now()
		_, _ = io.Copy(io.Discard, conn)
		if took := time.Since(start); took != handshakeTimeout {
			t.Errorf("gave up after %v", took)
		}
		synctest.Wait()
		if want := "lost connect to the hub at hub.example: no answer to the handshake within 20s"; !strings.HasPrefix(s.last(), want) {
			t.Errorf("state %q", s.last())
		}
	})
}

func TestRejection(t *testing.T) {
	bubble(t, &people{}, nil, func(t *testing.T, hub *rawHub, c *Client, s *states, _ func()) {
		reject := func() {
			l := hub.next(t)
			if _, _, err := l.read(); err != nil {
				t.Fatal(err)
			}
			l.text(t, `{"n":"authentication_failure"}`)
			l.farewell(t)
			_ = l.Close()
			synctest.Wait()
			if c.Accepted() || !errors.Is(c.Err(), ErrRejected) || !strings.HasPrefix(s.last(), "rejected "+ErrRejected.Error()) {
				t.Errorf("accepted %t, state %q", c.Accepted(), s.last())
			}
		}
		reject()
		for _, want := range []time.Duration{4, 8, 16, 32, 48, 48} { // the longest jitter takes a fifth off 5, 10, ... 60
			start := time.Now()
			reject()
			if took := time.Since(start); took != want*time.Second {
				t.Errorf("came again after %v, want %ds", took, want)
			}
		}
		hub.accept(t) // the tenant has learnt the certificate
		synctest.Wait()
		if !c.Accepted() {
			t.Error("not accepted in the end")
		}
	})
}

// TestRejectionAndCloseAtOnce: a hub may say no and close before anybody looked.
// Taken for a lost link, it would not make the agent register again.
func TestRejectionAndCloseAtOnce(t *testing.T) {
	bubble(t, &people{}, nil, func(t *testing.T, hub *rawHub, c *Client, _ *states, stop func()) {
		stop()
		for range 50 {
			go func() { _ = hub.next(t).Close() }()
			l, err := c.dial(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			l.judge(false)
			<-l.ctx.Done()
			if err := l.await(t.Context()); !errors.Is(err, ErrRejected) {
				t.Fatalf("got %v, want a rejection", err)
			}
			l.close(nil)
		}
	})
}

func TestReconnect(t *testing.T) {
	bubble(t, &people{}, nil, func(t *testing.T, hub *rawHub, c *Client, s *states, _ func()) {
		drop := func(after time.Duration) (wait time.Duration) {
			l := hub.accept(t)
			go func() { _, _ = io.Copy(io.Discard, l.r) }()
			timer := time.NewTimer(after)
			<-timer.C
			_ = l.Close()
			start := time.Now()
			hub.conns <- <-hub.conns
			return time.Since(start)
		}
		for range 5 { // a hub that closes every few seconds is found again as soon
			if got := drop(brief); got != spread {
				t.Errorf("back after %v", got)
			}
		}
		for i, want := range []time.Duration{18, 18, 30, 30} {
			if got := drop(time.Millisecond); got != want*time.Second { // an acceptance that does not last is none
				t.Errorf("drop %d: back after %v, want %ds", i, got, want)
			}
		}
	})
	bubble(t, &people{}, nil, func(t *testing.T, hub *rawHub, c *Client, s *states, _ func()) {
		conn := <-hub.conns
		hub.setDeny(true)
		_ = conn.Close()
		timer := time.NewTimer(5 * time.Minute)
		<-timer.C
		dials := hub.setDeny(false) // 0.5 1 2 4 8 16 30 30 ... seconds
		if dials < 12 || dials > 17 {
			t.Errorf("%d dials in 5 minutes", dials)
		}
		if !strings.HasPrefix(s.last(), "connecting") && !strings.Contains(s.last(), "connection refused") {
			t.Errorf("state %q", s.last())
		}
		l := hub.accept(t)
		good := time.Now()
		for time.Since(good) < settled { // now it lasts
			op, payload, err := l.read()
			if err != nil || op != opPing {
				t.Fatal(op, err)
			}
			l.raw(t, rawFrame(0x80|opPong, len(payload), string(payload)))
		}
		_ = l.Close()
		start := time.Now()
		hub.accept(t)
		if took := time.Since(start); took != spread {
			t.Errorf("back after %v", took)
		}
	})
}

func TestExplain(t *testing.T) {
	explained := errors.New("explained")
	bubble(t, &people{}, func(o *Options) {
		o.Explain = func(err error) error {
			if strings.Contains(err.Error(), "failed to") {
				t.Errorf("asked to explain %q", err)
			}
			return explained
		}
	}, func(t *testing.T, hub *rawHub, c *Client, s *states, _ func()) {
		conn := <-hub.conns
		go func() { _, _ = io.Copy(io.Discard, conn) }()
		_, _ = io.WriteString(conn, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
		synctest.Wait()
		if want := "lost connect to the hub at hub.example: explained"; s.last() != want {
			t.Errorf("state %q, want %q", s.last(), want)
		}
		_ = conn.Close()
	})
}

func TestReplyFindsTheNextLink(t *testing.T) {
	working, work := make(chan struct{}), make(chan struct{})
	h := &people{authenticate: func(_ context.Context, c identity.Credentials) (identity.Profile, error) {
		working <- struct{}{}
		<-work
		return profile(`{"id":"jane"}`), nil
	}}
	agentKey()
	hub, log := newRawHub(), &diary{}
	o := options("http://hub.example", log)
	o.HTTP = hub.client()
	start(t, h, o)
	l := hub.accept(t)
	l.text(t, ask("authenticate_user", `{"pid":"p","username":"jane","password":"secret"}`))
	<-working
	_ = l.Close()
	log.waitFor(t, "reconnecting")
	close(work)
	l = hub.accept(t)
	if got := l.hear(t); got != `{"n":"p_result","p":{"profile":{"id":"jane"}}}` {
		t.Error(got)
	}
}

// slow is a handler whose logins take so long.
func slow(d time.Duration) *people {
	return &people{authenticate: func(ctx context.Context, c identity.Credentials) (identity.Profile, error) {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			return profile(`{"id":"jane"}`), nil
		case <-ctx.Done():
			return identity.Profile{}, ctx.Err()
		}
	}}
}

func TestReplyIsLostAtTheDeadline(t *testing.T) {
	var got Answer
	log := &diary{}
	bubble(t, slow(5*time.Second), func(o *Options) {
		o.Answered = func(a Answer) { got = a }
		o.RequestTimeout = 20 * time.Second
		o.Log = slog.New(slog.NewTextHandler(log, nil))
	}, func(t *testing.T, hub *rawHub, c *Client, s *states, stop func()) {
		l := hub.accept(t)
		l.text(t, ask("authenticate_user", `{"pid":"p","username":"jane","password":"secret"}`))
		synctest.Wait()
		hub.setDeny(true)
		_ = l.Close()
		timer := time.NewTimer(time.Minute)
		<-timer.C
		stop()
	})
	if got.Outcome != accepted || got.Took != 20*time.Second {
		t.Errorf("%+v", got)
	}
	if want := "the reply was lost: there was no link to the hub in time"; !strings.Contains(log.String(), want) {
		t.Errorf("the log does not say %q:\n%s", want, log)
	}
}

func TestStopDrains(t *testing.T) {
	for _, tt := range []struct {
		name  string
		takes time.Duration
		want  string
		after time.Duration
	}{
		{"in time", 3 * time.Second, `{"n":"p_result","p":{"profile":{"id":"jane"}}}`, 3 * time.Second},
		{"too late", 10 * time.Second, `{"n":"p_result","p":{"err":{"message":"Unexpected Error","inner":{"message":"the connector is stopping"}}}}`, 5 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log := &diary{}
			bubble(t, slow(tt.takes), func(o *Options) { o.Log = slog.New(slog.NewTextHandler(log, nil)) },
				func(t *testing.T, hub *rawHub, c *Client, s *states, stop func()) {
					l := hub.accept(t)
					l.text(t, ask("authenticate_user", `{"pid":"p","username":"jane","password":"secret"}`))
					synctest.Wait()
					start := time.Now()
					go stop()
					synctest.Wait()
					l.text(t, ask("authenticate_user", `{"pid":"late","username":"jane","password":"secret"}`))
					if got := l.hear(t); got != tt.want || time.Since(start) != tt.after {
						t.Errorf("got %s after %v", got, time.Since(start))
					}
					l.farewell(t)
					stop() // the hub does not say farewell: it is not waited for long
					if took := time.Since(start); took > tt.after+2*time.Second {
						t.Errorf("stopped after %v", took)
					}
				})
			for _, want := range []string{"auth0: Connection closed as requested.", "a command came too late"} {
				if !strings.Contains(log.String(), want) {
					t.Errorf("the log does not say %q", want)
				}
			}
		})
	}
}

// TestStopAnywhere ends Run in each of its states; it must return at once.
func TestStopAnywhere(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, hub *rawHub){
		"dialling":                func(t *testing.T, hub *rawHub) { <-hub.conns },
		"waiting for the verdict": func(t *testing.T, hub *rawHub) { _, _, _ = hub.next(t).read() },
		"backing off":             func(t *testing.T, hub *rawHub) { conn := <-hub.conns; hub.setDeny(true); _ = conn.Close() },
		"in the middle of a frame": func(t *testing.T, hub *rawHub) {
			l := hub.accept(t)
			l.raw(t, rawFrame(0x80|opText, 1000, "{"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, &people{}, nil, func(t *testing.T, hub *rawHub, c *Client, s *states, stop func()) {
				prepare(t, hub)
				synctest.Wait()
				start := time.Now()
				stop()
				if took := time.Since(start); took > 5*time.Second {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}
