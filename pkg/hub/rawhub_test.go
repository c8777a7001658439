package hub

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
)

// A rawHub speaks the websocket protocol (RFC 6455) by hand, so that it can
// break it, and over pipes, so that a synctest bubble can hold it.
type rawHub struct {
	conns chan net.Conn
	dials int
	mu    sync.Mutex
	deny  bool // connections are refused
}

func newRawHub() *rawHub { return &rawHub{conns: make(chan net.Conn, 1000)} }

// client returns an HTTP client whose every connection leads to the hub.
func (h *rawHub) client() *http.Client {
	dial := func(context.Context, string, string) (net.Conn, error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.dials++
		if h.deny {
			return nil, fmt.Errorf("connection refused")
		}
		ours, theirs := net.Pipe()
		h.conns <- theirs
		return ours, nil
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
}

func (h *rawHub) setDeny(deny bool) (dials int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.deny = deny
	return h.dials
}

// A rawLink is one websocket at the hub's end.
type rawLink struct {
	net.Conn
	r      *bufio.Reader
	header http.Header
}

// next takes a connection and shakes hands.
func (h *rawHub) next(t *testing.T) *rawLink {
	t.Helper()
	conn := <-h.conns
	t.Cleanup(func() { conn.Close() }) // a test's end
	l := &rawLink{Conn: conn, r: bufio.NewReader(conn)}
	req, err := http.ReadRequest(l.r)
	if err != nil {
		t.Fatalf("handshake: %v", err)
	}
	l.header = req.Header
	sum := sha1.Sum([]byte(req.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	l.raw(t, fmt.Appendf(nil, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:])))
	return l
}

// accept takes a connection, hears the agent's token, and lets it in.
func (h *rawHub) accept(t *testing.T) *rawLink {
	t.Helper()
	l := h.next(t)
	if op, _, err := l.read(); err != nil || op != opText {
		t.Fatalf("the agent's token: opcode %d, %v", op, err)
	}
	l.text(t, `{"n":"authenticated"}`)
	return l
}

const (
	opText  = 1
	opClose = 8
	opPing  = 9
	opPong  = 10
)

func (l *rawLink) raw(t *testing.T, b []byte) {
	t.Helper()
	if _, err := l.Write(b); err != nil {
		t.Fatalf("write: %v", err)
	}
}

func (l *rawLink) text(t *testing.T, s string) {
	t.Helper()
	l.raw(t, rawFrame(0x80|opText, len(s), s))
}

// rawFrame is a server's frame: first byte as given, length as given (which
// may be a lie), no mask.
func rawFrame(first byte, length int, payload string) []byte {
	b := []byte{first}
	switch {
	case length < 126:
		b = append(b, byte(length))
	case length < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(length))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(length))
	}
	return append(b, payload...)
}

// read reads one masked frame of the agent.
func (l *rawLink) read() (op byte, payload []byte, err error) {
	var head [14]byte
	if _, err := io.ReadFull(l.r, head[:2]); err != nil {
		return 0, nil, err
	}
	if head[1]&0x80 == 0 {
		return 0, nil, fmt.Errorf("a client's frame without a mask")
	}
	op = head[0] & 0x0f
	length := uint64(head[1] & 0x7f)
	if extra := map[uint64]int{126: 2, 127: 8}[length]; extra > 0 {
		if _, err := io.ReadFull(l.r, head[:extra]); err != nil {
			return 0, nil, err
		}
		length = 0
		for _, b := range head[:extra] {
			length = length<<8 | uint64(b)
		}
	}
	var mask [4]byte
	if _, err := io.ReadFull(l.r, mask[:]); err != nil {
		return 0, nil, err
	}
	payload = make([]byte, length)
	if _, err := io.ReadFull(l.r, payload); err != nil {
		return 0, nil, err
	}
	for i := range payload {
		payload[i] ^= mask[i%4]
	}
	return op, payload, nil
}

// hear returns the next text, and answers pings meanwhile.
func (l *rawLink) hear(t *testing.T) string {
	t.Helper()
	for {
		op, payload, err := l.read()
		if err != nil {
			t.Fatalf("read: %v", err)
		}
		switch op {
		case opText:
			return string(payload)
		case opPing:
			l.raw(t, rawFrame(0x80|opPong, len(payload), string(payload)))
		case opClose:
			t.Fatalf("the agent closed the link: %q", payload)
		}
	}
}

// farewell wants a close frame with the code 1000, and nothing but pings
// before it.
func (l *rawLink) farewell(t *testing.T) {
	t.Helper()
	for {
		op, payload, err := l.read()
		if err == nil && op == opPing {
			continue
		}
		if err != nil || op != opClose || string(payload) != "\x03\xe8" {
			t.Errorf("farewell: opcode %d %q, %v", op, payload, err)
		}
		return
	}
}

// login proves that logins work on this link.
func (l *rawLink) login(t *testing.T) {
	t.Helper()
	pid := rand.Text()
	l.text(t, ask("authenticate_user", fmt.Sprintf(`{"pid":%q,"username":"jane","password":"secret"}`, pid)))
	if got, want := l.hear(t), `{"n":"`+pid+`_result","p":{"profile":{"id":"jane"}}}`; got != want {
		t.Fatalf("a good login got %s, want %s", got, want)
	}
}
