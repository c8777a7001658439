package hub

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ad-ldap-connector/pkg/identity"
)

// heap watches how much memory is in use while do runs, in octets beyond what
// was before.
func heap(t *testing.T, do func()) (most uint64) {
	t.Helper()
	use := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	runtime.GC()
	before := use()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				most = max(most, use())
			case <-stop:
				return
			}
		}
	}()
	do()
	close(stop)
	<-stopped
	return most - min(most, before)
}

// loopback is a raw hub on a socket, whose client is the system's.
func loopbackHub(t *testing.T) (hub *rawHub, url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	hub = newRawHub()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			hub.conns <- conn
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close() // nobody is to come any more
		<-done
	})
	return hub, "http://" + listener.Addr().String()
}

// stuckSearches is a directory that does not come back from a search.
func stuckSearches(release <-chan struct{}) *people {
	return &people{search: func(ctx context.Context, _ identity.Query) ([]identity.Profile, error) {
		select {
		case <-release:
		case <-ctx.Done():
		}
		return nil, ctx.Err()
	}}
}

// TestFlood lets the hub send a million frames, as fast as it can, while the
// directory is stuck in searches: the agent's memory and log stay small, every
// search is answered, and logins work throughout and afterwards.
func TestFlood(t *testing.T) {
	frames := 1_000_000
	if testing.Short() || raced {
		frames = 50_000
	}
	hub, url := loopbackHub(t)
	release, log := make(chan struct{}), &diary{}
	o := options(url, log)
	o.RequestTimeout = 10 * time.Minute // whatever is slow here, nobody gives up
	start(t, stuckSearches(release), o)
	l := hub.accept(t)
	var answered atomic.Int64
	var writing sync.Mutex // a pong goes between two frames, not into one
	w := bufio.NewWriterSize(l.Conn, 64<<10)
	say := func(op byte, text string, flush bool) {
		writing.Lock()
		defer writing.Unlock()
		_, err := w.Write(rawFrame(0x80|op, len(text), text))
		if err == nil && flush {
			err = w.Flush()
		}
		if err != nil {
			t.Errorf("write: %v", err)
		}
	}
	logins := make(chan string, 100)
	minding := make(chan struct{})
	go func() {
		defer close(minding)
		for {
			op, payload, err := l.read()
			switch {
			case err != nil:
				return
			case op == opPing:
				say(opPong, string(payload), true)
			case op == opText && strings.Contains(string(payload[:40]), "login"):
				logins <- string(payload)
			case op == opText:
				answered.Add(1)
			}
		}
	}()
	login := func(i int) {
		t.Helper()
		begun := time.Now()
		say(opText, ask("authenticate_user", fmt.Sprintf(`{"pid":"login%d","username":"jane","password":"secret"}`, i)), true)
		select {
		case got := <-logins:
			if want := fmt.Sprintf(`{"n":"login%d_result","p":{"profile":{"id":"jane"}}}`, i); got != want {
				t.Errorf("a login got %s", got)
			}
		case <-time.After(2 * time.Minute):
			t.Fatalf("a login had no answer for %v, after %d frames", time.Since(begun), i)
		}
	}
	asked := 1 // the listing, once
	grown := heap(t, func() {
		replayed := ask("list_groups", `{"pid":"once"}`)
		for i := range frames {
			text := `{"n":"nosuch","p":{}}`
			switch k := i % 20; {
			case k == 0:
				asked++
				text = ask("search_users", fmt.Sprintf(`{"pid":"%d","search":"x"}`, i))
			case k == 1:
				text = replayed
			case k < 4:
				text = replayed[:len(replayed)-10] + `AAAAAA"}}`
			case k < 10:
				text = "not JSON"
			}
			say(opText, text, false)
			if i%(frames/10) == frames/20 {
				login(i)
			}
		}
		login(frames)
		close(release)
		deadline := time.Now().Add(2 * time.Minute)
		for answered.Load() < int64(asked) && time.Now().Before(deadline) {
			<-time.After(10 * time.Millisecond)
		}
	})
	if got := answered.Load(); got != int64(asked) {
		t.Errorf("%d of %d commands were answered", got, asked)
	}
	if grown > 96<<20 {
		t.Errorf("it took %d MiB", grown>>20)
	}
	if n := len(log.String()); n > 1<<20 {
		t.Errorf("it took %d octets of log", n)
	}
	t.Logf("%d frames, %d commands, %d MiB, %d octets of log", frames, asked, grown>>20, len(log.String()))
	_ = l.Close()
	<-minding
}

// TestHeavyFlood is few frames, each nearly as long as a frame may be.
func TestHeavyFlood(t *testing.T) {
	hub, url := loopbackHub(t)
	release := make(chan struct{})
	o := options(url, io.Discard)
	o.MaxInFlight, o.RequestTimeout = 8, 10*time.Minute
	start(t, stuckSearches(release), o)
	l := hub.accept(t)
	texts, ended := minded(l)
	frames := 60
	if raced {
		frames = 20
	}
	term := strings.Repeat("x", 700<<10)
	busy := 0
	grown := heap(t, func() {
		for i := range frames {
			l.text(t, ask("search_users", fmt.Sprintf(`{"pid":"%d","search":%q}`, i, term)))
			for len(texts) > 0 {
				if !strings.Contains(<-texts, tooBusy) {
					t.Error("a search was answered")
				}
				busy++
			}
		}
		l.text(t, ask("authenticate_user", `{"pid":"login","username":"jane","password":"secret"}`))
		for {
			got := <-texts
			if strings.Contains(got, "login_result") {
				break
			}
			busy++
		}
		close(release)
		for ; busy < frames; busy++ {
			<-texts
		}
	})
	if grown > 96<<20 { // 5 at work and some 8 that wait; the rest is garbage not yet collected
		t.Errorf("it took %d MiB", grown>>20)
	}
	_ = l.Close()
	<-ended
}
