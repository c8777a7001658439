package hub

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/testdata/lab"
)

// A holed connection loses what passes, in one direction or both, as a firewall
// does that has forgotten it. The sender sees nothing of that.
type holed struct {
	net.Conn
	in, out atomic.Bool
}

func (h *holed) Write(p []byte) (int, error) {
	if h.out.Load() {
		return len(p), nil
	}
	return h.Conn.Write(p)
}

func (h *holed) Read(p []byte) (int, error) {
	for {
		n, err := h.Conn.Read(p)
		if err != nil || !h.in.Load() {
			return n, err
		}
	}
}

// holes makes every connection of a client one that may be holed.
type holes struct {
	mu  sync.Mutex
	all []*holed
}

func (h *holes) client(hub *rawHub) *http.Client {
	transport := hub.client().Transport.(*http.Transport)
	dial := transport.DialContext
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.all = append(h.all, &holed{Conn: conn})
		return h.all[len(h.all)-1], nil
	}
	return &http.Client{Transport: transport}
}

func (h *holes) last() *holed {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all[len(h.all)-1]
}

// within is how soon a dead link is found.
const within = 30 * time.Second

func TestHalfOpenLinksAreFound(t *testing.T) {
	for name, tt := range map[string]struct{ in, out bool }{
		"both ways are dead":        {true, true},
		"the way to us is dead":     {true, false},
		"the way to the hub is one": {false, true},
	} {
		for _, busy := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				agentKey()
				synctest.Test(t, func(t *testing.T) {
					hub, s := newRawHub(), &states{}
					var paths holes
					o := options("http://hub.example", io.Discard)
					o.HTTP, o.State = paths.client(hub), s.told
					start(t, slow(time.Minute/2), o)
					l := hub.accept(t)
					minded(l)
					sleep(t.Context(), 57*time.Second)
					if busy {
						l.text(t, ask("authenticate_user", `{"pid":"p","username":"jane","password":"secret"}`))
					}
					synctest.Wait()
					if !strings.HasPrefix(s.last(), "accepted") {
						t.Fatalf("state %q", s.last())
					}
					hole := paths.last()
					hole.in.Store(tt.in)
					hole.out.Store(tt.out)
					begun := time.Now()
					next := hub.accept(t)
					if took := time.Since(begun); took > within {
						t.Errorf("found after %v", took)
					}
					texts, _ := minded(next)
					if busy {
						if got := heard(t, texts); !strings.HasPrefix(got, `{"n":"p_result","p":{"profile"`) {
							t.Errorf("heard %s", got)
						}
					}
				})
			})
		}
	}
}

// TestAHubThatStalls stops in the middle of whatever it does.
func TestAHubThatStalls(t *testing.T) {
	huge := profile(`{"id":"` + strings.Repeat("x", 1<<20) + `"}`)
	many := make([]identity.Profile, 20)
	for i := range many {
		many[i] = huge
	}
	h := &people{search: func(context.Context, identity.Query) ([]identity.Profile, error) { return many, nil }}
	for name, stall := range map[string]func(t *testing.T, l *rawLink){
		"half a frame's head":          func(t *testing.T, l *rawLink) { l.raw(t, []byte{0x80 | opText}) },
		"half a frame":                 func(t *testing.T, l *rawLink) { l.raw(t, rawFrame(0x80|opText, 1000, "{")) },
		"half a frame that is skipped": func(t *testing.T, l *rawLink) { l.raw(t, rawFrame(0x80|opText, 60<<20, strings.Repeat(" ", 2<<20))) },
		"half a message":               func(t *testing.T, l *rawLink) { l.raw(t, rawFrame(opText, 1, "{")) },
		"a byte a second": func(t *testing.T, l *rawLink) {
			l.raw(t, rawFrame(0x80|opText, 1<<20, ""))
			go func() {
				for err := error(nil); err == nil && sleep(t.Context(), time.Second); {
					_, err = l.Write([]byte(" "))
				}
			}()
		},
		"it no longer reads": func(t *testing.T, l *rawLink) {
			l.text(t, ask("authenticate_user", `{"pid":"p","username":"jane","password":"secret"}`))
		},
		"it no longer reads a long reply": func(t *testing.T, l *rawLink) {
			l.text(t, ask("search_users", `{"pid":"all"}`))
			for range 10 {
				if op, payload, err := l.read(); err != nil || op > opText || len(payload) != fragment {
					t.Fatalf("opcode %d of %d octets, %v", op, len(payload), err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, h, func(o *Options) { o.MaxBackoff = time.Millisecond }, func(t *testing.T, hub *rawHub, c *Client, s *states, _ func()) {
				l := hub.accept(t)
				stall(t, l)
				begun := time.Now()
				next := hub.accept(t)
				if took := time.Since(begun); took > within {
					t.Errorf("found after %v", took)
				}
				texts, _ := minded(next)
				next.text(t, ask("authenticate_user", `{"pid":"next","username":"jane","password":"secret"}`))
				for !strings.HasPrefix(heard(t, texts), `{"n":"next_result","p":{"profile"`) { // after what was left undone
				}
			})
		})
	}
}

// TestASlowHubIsHeardOut takes a long reply a bit at a time, more slowly than
// the old limit of a write: it lives, and gets the whole.
func TestASlowHubIsHeardOut(t *testing.T) {
	one := profile(`{"id":"` + strings.Repeat("x", 1<<20) + `"}`)
	h := &people{search: func(context.Context, identity.Query) ([]identity.Profile, error) {
		return []identity.Profile{one, one}, nil
	}}
	bubble(t, h, nil, func(t *testing.T, hub *rawHub, c *Client, s *states, _ func()) {
		l := hub.accept(t)
		l.text(t, ask("search_users", `{"pid":"p"}`))
		begun, got := time.Now(), 0
		for got < 2<<20 {
			sleep(t.Context(), writeTimeout-time.Second)
			op, payload, err := l.read()
			if err != nil || op > opText {
				t.Fatalf("after %v and %d octets: opcode %d, %v", time.Since(begun), got, op, err)
			}
			got += len(payload)
		}
		if took := time.Since(begun); took < 4*time.Minute || !c.Accepted() {
			t.Errorf("%d octets in %v, state %q", got, took, s.last())
		}
		_ = l.Close()
	})
}

// TestABlackHole is the real thing: sockets, and something between them that
// lets nothing pass any more.
func TestABlackHole(t *testing.T) {
	hub := newPretendHub(t)
	hole := lab.NewProxy(t, strings.TrimPrefix(hub.URL, "http://"))
	c, err := New(&people{}, options("http://"+hole.Addr, io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	c.pace = pace{interval: 100 * time.Millisecond, pong: 400 * time.Millisecond} // instead of 5 s and 4 s
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	hub.accept(t).login(t)
	hole.HangLinks()
	l := hub.accept(t)
	l.login(t)
	hole.Hang() // now for new ones, too
	lab.Eventually(t, "the agent to see that the link is dead", func() bool { return !c.Accepted() })
	begun := time.Now()
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took > patience || errors.Is(c.Err(), ErrRejected) {
		t.Errorf("stopped after %v, %v", took, c.Err())
	}
	hole.Resume()
}
