package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/testdata/lab"
)

// A holder keeps one connection open.
type holder struct {
	net.Conn
	r *bufio.Reader
}

// ask sends a request on the connection, and reports whether it was answered.
func (h *holder) ask() bool {
	if _, err := io.WriteString(h.Conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return false
	}
	res, err := http.ReadResponse(h.r, nil)
	if err != nil {
		return false
	}
	defer func() { _ = res.Body.Close() }() // it was only read
	_, err = io.Copy(io.Discard, res.Body)
	return err == nil
}

// TestACrowd has somebody hold connections: others find room all the same, as
// long as those are idle.
func TestACrowd(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := newCrowd(ln, func(a netip.Addr) bool { return a == netip.MustParseAddr("127.0.0.9") })
	c.most, c.perPlace = 4, 2
	hold := make(chan struct{})
	server := &http.Server{ConnState: c.state, ReadHeaderTimeout: patience, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hold" {
			<-hold
		}
	})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(c) }()
	t.Cleanup(func() { _ = server.Close(); <-served }) // its error says so
	come := func(from string) *holder {
		t.Helper()
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: patience}
		conn, err := d.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", ln.Addr().(*net.TCPAddr).Port))
		if err != nil {
			t.Skipf("%s is no address of this machine: %v", from, err)
		}
		t.Cleanup(func() { _ = conn.Close() }) // it may be closed
		if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		return &holder{conn, bufio.NewReader(conn)}
	}
	count := func() (n int) {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.all)
	}
	// An answer is there a moment before the server has done with it.
	quiet := func() {
		t.Helper()
		lab.Eventually(t, "all to be idle", func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			for _, g := range c.all {
				if g.busy {
					return false
				}
			}
			return true
		})
	}
	first, second := come("127.0.0.2"), come("127.0.0.2")
	if !first.ask() {
		t.Fatal("there was room")
	}
	quiet() // so that it is the first in this too
	if !second.ask() {
		t.Fatal("there was room")
	}
	quiet()
	// A third of the same address takes the place of the one that is idle longest.
	third := come("127.0.0.2")
	if !third.ask() || first.ask() || !second.ask() || count() != 2 {
		t.Error("one address has more than its share, or another lost its place")
	}
	quiet()
	// A balancer has no such bound; all together have.
	for range 3 {
		if b := come("127.0.0.9"); !b.ask() {
			t.Error("a balancer found no room")
		}
		quiet()
	}
	if third.ask() || count() != 4 {
		t.Errorf("there are %d", count())
	}
	// What is under way is nobody's place.
	var busy []*holder
	for i := range 4 {
		b := come(fmt.Sprintf("127.0.0.1%d", i))
		if _, err := io.WriteString(b, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		lab.Eventually(t, "it to be busy", func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			n := 0
			for _, g := range c.all {
				if g.busy {
					n++
				}
			}
			return n == i+1
		})
		busy = append(busy, b)
	}
	if come("127.0.0.20").ask() {
		t.Error("somebody found room where all is taken")
	}
	close(hold)
	for _, b := range busy {
		if res, err := http.ReadResponse(b.r, nil); err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("who was being answered: %v", err)
		}
	}
	if !come("127.0.0.20").ask() {
		t.Error("nobody finds room any more")
	}
	for _, b := range busy {
		_ = b.Close()
	}
	lab.Eventually(t, "the closed ones to be forgotten", func() bool { return count() <= 1 })
}

// TestACrowdIsTold: before there is no room at all, connections end with their
// answers, and then these are that it is full.
func TestACrowdIsTold(t *testing.T) {
	t.Parallel()
	c := newCrowd(nil, nil)
	c.most = 8
	told := 0
	h := c.keep(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }), func(int) { told++ })
	for size, want := range map[int]string{6: "204  ", 7: "204 close ", 8: "503 close 2"} {
		clear(c.all)
		for range size {
			c.all[&comer{}] = &guest{}
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		if got := fmt.Sprintf("%d %s %s", w.Code, w.Header().Get("Connection"), w.Header().Get("Retry-After")); got != want {
			t.Errorf("with %d: %q, want %q", size, got, want)
		}
	}
	if told != 1 {
		t.Errorf("it was told %d times", told)
	}
}

func TestPlaceOf(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]string{
		"192.0.2.1:1": "192.0.2.1 192.0.2.1", "[2001:db8::1:2]:1": "2001:db8::1:2 2001:db8::", "[::ffff:192.0.2.1]:1": "192.0.2.1 192.0.2.1",
	} {
		from, place := placeOf(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(remote)))
		if got := strings.Join([]string{from.String(), place.String()}, " "); got != want {
			t.Errorf("%s: %s, want %s", remote, got, want)
		}
	}
}
