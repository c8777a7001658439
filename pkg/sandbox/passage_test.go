package sandbox

import (
	"bufio"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

// talk opens a connection through a way to an echo of the test's own.
func talk(t *testing.T) (p *Passage, near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	if p, err = StartPassage(l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	if near, err = net.Dial("tcp", p.Addr()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = near.Close() })
	if far, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = far.Close() })
	return p, near, far
}

// sends writes a word at one end and reports whether it comes out at the other.
// One that is held is not waited for long.
func sends(t *testing.T, from, to net.Conn, held bool) bool {
	t.Helper()
	if _, err := io.WriteString(from, "word"); err != nil {
		t.Fatal(err)
	}
	wait := time.Minute
	if held {
		wait = 50 * time.Millisecond
	}
	return hears(t, to, 4, wait)
}

func hears(t *testing.T, at net.Conn, n int, wait time.Duration) bool {
	t.Helper()
	if err := at.SetReadDeadline(time.Now().Add(wait)); err != nil {
		t.Fatal(err)
	}
	_, err := io.ReadFull(at, make([]byte, n))
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		var late net.Error
		if !errors.As(err, &late) || !late.Timeout() {
			t.Fatal(err)
		}
	}
	return err == nil
}

func TestAPassageHoldsOctets(t *testing.T) {
	t.Parallel()
	for name, held := range map[string]struct{ there, back bool }{
		"neither way": {}, "there": {true, false}, "back": {false, true}, "both ways": {true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, near, far := talk(t)
			if !sends(t, near, far, false) || !sends(t, far, near, false) {
				t.Fatal("nothing passes")
			}
			p.Hold(held.there, held.back)
			if sends(t, near, far, held.there) == held.there || sends(t, far, near, held.back) == held.back {
				t.Error("it passes where it is held, or does not where it is not")
			}
			_ = far.Close() // its end is as stuck as the octets before it
			if held.back && hears(t, near, 1, 50*time.Millisecond) {
				t.Error("the end was to be seen")
			}
			p.Hold(false, false)
			if held.back && !hears(t, near, 4, time.Minute) {
				t.Error("what was held did not come")
			}
			if hears(t, near, 1, time.Minute) {
				t.Error("something else came")
			}
		})
	}
}

// TestAPassageEnds also while it holds, with whoever is on it, and where nobody
// is at the other end.
func TestAPassageEnds(t *testing.T) {
	t.Parallel()
	p, near, _ := talk(t)
	p.Hold(true, true)
	if _, err := io.WriteString(near, "word"); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if hears(t, near, 1, time.Minute) {
		t.Error("something came")
	}
	nowhere, err := StartPassage("127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", nowhere.Addr())
	if err != nil {
		t.Fatal(err)
	}
	if hears(t, conn, 1, time.Minute) {
		t.Error("somebody answered")
	}
	_ = conn.Close() // the other end is what was looked at
	if err := nowhere.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestAProxyLeadsToOnePlace: whatever a proxied agent asks for, it gets to the
// tenant, which sees whose way it came.
func TestAProxyLeadsToOnePlace(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	p, err := StartProxy(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	other, err := StartProxy(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	dial := func(says string) (near net.Conn, answer string) {
		t.Helper()
		near, err := net.Dial("tcp", p.Addr())
		if err != nil {
			t.Fatal(err)
		}
		if err := near.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(near, says); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(io.LimitReader(near, int64(len("HTTP/1.1 200")))).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		return near, line
	}
	near, answer := dial("CONNECT " + ProxiedName + ":443 HTTP/1.1\r\nHost: " + ProxiedName + ":443\r\n\r\n")
	defer func() { _ = near.Close() }()
	far, err := l.Accept()
	if err != nil || answer != "HTTP/1.1 200" {
		t.Fatalf("%q, %v", answer, err)
	}
	defer func() { _ = far.Close() }()
	if from := far.RemoteAddr().String(); !p.Carried(from) || other.Carried(from) || p.Carried(near.LocalAddr().String()) {
		t.Errorf("%s came by another way", from)
	}
	if !sends(t, near, far, false) {
		t.Error("nothing passes")
	}
	p.Hold(true, true)
	if sends(t, near, far, true) {
		t.Error("something passes that was held")
	}
	for _, says := range []string{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\x16\x03\x01\r\n\r\n"} {
		near, answer := dial(says)
		if answer != "HTTP/1.1 405" {
			t.Errorf("%q was answered %q", says, answer)
		}
		_ = near.Close()
	}
	silent, err := net.Dial("tcp", other.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	if err := errors.Join(p.Close(), other.Close()); err != nil { // one that says nothing holds nobody up
		t.Error(err)
	}
}
