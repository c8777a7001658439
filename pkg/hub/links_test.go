package hub

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ad-ldap-connector/pkg/identity"
)

// minded answers the pings on a link, and hands on what the agent says: its
// texts, and "farewell" with the code of a close frame.
func minded(l *rawLink) (texts <-chan string, ended <-chan struct{}) {
	said, end := make(chan string, 1000), make(chan struct{})
	go func() {
		defer close(end)
		for {
			op, payload, err := l.read()
			if err != nil {
				return
			}
			switch op {
			case opText:
				said <- string(payload)
			case opPing, opClose:
				if op == opPing {
					op = opPong
				} else if len(payload) == 2 {
					said <- fmt.Sprint("farewell ", int(payload[0])<<8|int(payload[1]))
				}
				if _, err := l.Write(rawFrame(0x80|op, len(payload), string(payload))); err != nil {
					return
				}
			}
		}
	}()
	return said, end
}

// heard waits for the next of minded's texts. In a bubble, where pings pass the
// time, nobody would ever notice that it does not come.
func heard(t *testing.T, texts <-chan string) string {
	t.Helper()
	select {
	case text := <-texts:
		return text
	case <-time.After(time.Hour):
		t.Fatal("the agent said nothing")
		return ""
	}
}

func two(o *Options) { o.Links = 2 }

// TestTwoLinksDoNotEndTogether is a tenant whose nodes close each link when it
// has lasted for so long, and at times all of them at once. But for the latter
// there is always one.
func TestTwoLinksDoNotEndTogether(t *testing.T) {
	const life = 10 * time.Minute
	var mu sync.Mutex
	for seed := range uint64(5) {
		luck := rand.New(rand.NewPCG(seed, 0))
		random := func() float64 { // of both places
			mu.Lock()
			defer mu.Unlock()
			return luck.Float64()
		}
		luckyBubble(t, &people{}, two, random, func(t *testing.T, hub *rawHub, c *Client, s *states, _ func()) {
			open := map[*rawLink]time.Time{}
			admit := func() {
				l := hub.accept(t)
				minded(l)
				open[l] = time.Now()
				synctest.Wait()
			}
			admit()
			first := time.Now()
			admit()
			if apart := time.Since(first); apart != stagger {
				t.Errorf("the second link came %v after the first", apart)
			}
			closings, without := 0, 0
			for begin, all := time.Now(), time.Now(); time.Since(begin) < 3*time.Hour; {
				sleep(t.Context(), time.Second)
				if time.Since(all) > time.Hour { // all at once
					all = time.Now()
					for l := range open {
						_ = l.Close()
						delete(open, l)
					}
					admit()
				}
				for l, since := range open {
					if time.Since(since) < life {
						continue
					}
					_ = l.Close()
					delete(open, l)
					synctest.Wait()
					closings++
					if !c.Accepted() {
						without++
					}
				}
				for len(hub.conns) > 0 {
					admit()
				}
			}
			if closings < 30 || without > 0 {
				t.Errorf("seed %d: of %d closings %d left the tenant without the agent", seed, closings, without)
			}
		})
	}
}

// TestRepliesGoWhereSomebodyHears: on the link that the command came on while
// it lives, else on the other one.
func TestRepliesGoWhereSomebodyHears(t *testing.T) {
	work := make(chan struct{})
	var logins atomic.Int32
	h := &people{authenticate: func(context.Context, identity.Credentials) (identity.Profile, error) {
		logins.Add(1)
		<-work
		return profile(`{"id":"jane"}`), nil
	}}
	bubble(t, h, two, func(t *testing.T, hub *rawHub, c *Client, s *states, _ func()) {
		work = make(chan struct{}) // of this bubble
		a := hub.accept(t)
		atA, _ := minded(a)
		b := hub.accept(t)
		atB, _ := minded(b)
		silent := func(texts <-chan string) {
			t.Helper()
			synctest.Wait()
			if len(texts) > 0 {
				t.Errorf("on the wrong link: %s", <-texts)
			}
		}
		want := func(texts <-chan string, pid string) {
			t.Helper()
			if got := heard(t, texts); got != `{"n":"`+pid+`_result","p":{"profile":{"id":"jane"}}}` {
				t.Errorf("heard %s instead of %s", got, pid)
			}
		}
		login := func(pid string) string {
			return ask("authenticate_user", fmt.Sprintf(`{"pid":%q,"username":"jane","password":"secret"}`, pid))
		}
		for i, l := range []*rawLink{a, b} {
			pid := fmt.Sprint("own", i)
			l.text(t, login(pid))
			work <- struct{}{}
			want([]<-chan string{atA, atB}[i], pid)
			silent(atA)
			silent(atB)
		}

		again := login("again") // a tenant that is not sure asks on the other link too
		a.text(t, again)
		b.text(t, again)
		synctest.Wait()
		if got := logins.Load(); got != 3 {
			t.Errorf("%d logins were tried, not 3", got)
		}
		_ = a.Close()
		synctest.Wait()
		work <- struct{}{}
		want(atB, "again")
		silent(atB)

		b.text(t, login("lost"))
		synctest.Wait()
		_ = b.Close()
		synctest.Wait()
		if c.Accepted() {
			t.Error("accepted without a link")
		}
		work <- struct{}{}
		next := hub.accept(t)
		atNext, _ := minded(next)
		want(atNext, "lost")
		next.text(t, login("lost")) // and asked again there
		silent(atNext)
		if got := logins.Load(); got != 4 {
			t.Errorf("%d logins were tried, not 4", got)
		}
	})
}

// TestOneLinkOfTwoIsEnough: the state tells of a link that is missing, and that
// the agent serves all the same.
func TestOneLinkOfTwoIsEnough(t *testing.T) {
	bubble(t, &people{}, two, func(t *testing.T, hub *rawHub, c *Client, s *states, stop func()) {
		expect := func(want string) {
			t.Helper()
			synctest.Wait()
			if got := s.last(); !strings.HasPrefix(got, want) || strings.HasPrefix(got, "accepted") != c.Accepted() {
				t.Errorf("state %q, want %q", got, want)
			}
		}
		a := hub.accept(t)
		minded(a)
		expect("accepted 1 of 2 links")
		b := hub.accept(t)
		minded(b)
		expect("accepted ")
		if got := s.last(); got != "accepted " {
			t.Errorf("with both links: %q", got)
		}
		_ = a.Close()
		expect("accepted 1 of 2 links: the link to the hub ended: ")
		conn := hub.next(t)
		if _, _, err := conn.read(); err != nil {
			t.Fatal(err)
		}
		conn.text(t, `{"n":"authentication_failure"}`)
		_ = conn.Close()
		expect("accepted 1 of 2 links: " + ErrRejected.Error())
		if c.Err() != nil {
			t.Errorf("while it serves: %v", c.Err())
		}
		hub.setDeny(true)
		_ = b.Close()
		expect("lost the link to the hub ended: ")
		sleep(t.Context(), 10*time.Minute)
		if dials := hub.setDeny(false); dials > 70 { // each place every 30 s at the most, in the end
			t.Errorf("%d dials in ten minutes", dials)
		}
		a = hub.accept(t)
		minded(a)
		expect("accepted 1 of 2 links")
		b = hub.accept(t)
		minded(b)
		expect("accepted ")
		stop()
	})
}

// TestALinkThatHangsDoesNotHoldTheOther: the second attempt takes for ever,
// and the first link ends meanwhile.
func TestALinkThatHangsDoesNotHoldTheOther(t *testing.T) {
	bubble(t, &people{}, two, func(t *testing.T, hub *rawHub, c *Client, s *states, _ func()) {
		a := hub.accept(t)
		minded(a)
		hung := <-hub.conns // its handshake is never answered
		go func() { _, _ = io.Copy(io.Discard, hung) }()
		defer func(conn net.Conn) { _ = conn.Close() }(hung)
		_ = a.Close()
		start := time.Now()
		minded(hub.accept(t))
		synctest.Wait()
		if took := time.Since(start); took > stagger || !c.Accepted() {
			t.Errorf("back after %v, accepted %t", took, c.Accepted())
		}
	})
}
