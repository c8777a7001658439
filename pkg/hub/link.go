package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

const (
	handshakeTimeout = 20 * time.Second
	verdictTimeout   = 30 * time.Second // from the agent's token to the hub's answer

	// A dead hub is found within 25 s: one wait, and five pings.
	pingInterval = 5 * time.Second
	pongTimeout  = 4 * time.Second
	pingTries    = 5

	// A longer reply goes out in fragments of this size (RFC 6455, section 5.4),
	// between which the hub's pings are answered; the library gives up a link
	// whose pong could not be written within 5 s. Each fragment may take
	// writeTimeout: a dead line is found by the first that does not go out, and
	// a slow one may take its time over the whole.
	fragment     = 64 << 10
	writeTimeout = 10 * time.Second

	maxFrame = 1 << 20  // longer frames are skipped
	maxSkip  = 64 << 20 // a frame that is longer still ends the link
)

// A pace is how often the hub is pinged.
type pace struct{ interval, pong time.Duration }

// A link is one websocket to the hub, from the handshake to its end.
type link struct {
	conn    *websocket.Conn
	socket  net.Conn        // below conn; nil behind an unusual transport
	ctx     context.Context // ends with the link
	end     context.CancelCauseFunc
	work    sync.WaitGroup // of the reader and the pinger
	verdict chan bool      // the hub's answer to the agent's token
	writer  chan struct{}  // held by whoever writes
	nth     int            // of the client's links
	busy    atomic.Int64   // ns that the reader has spent on frames; what came after them had to wait
}

// dial opens a websocket. It offers no compression, which is the hub's to
// refuse anyway: replies are small, a deflate writer takes 1.2 MB, a compressed
// frame may expand a thousandfold, and the length of a compressed text gives
// away what it has in common with a secret beside it. It sends neither Origin, subprotocol nor User-Agent, as
// the existing connector does.
func (c *Client) dial(ctx context.Context) (*link, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, handshakeTimeout,
		fmt.Errorf("no answer to the handshake within %v: %w", handshakeTimeout, context.DeadlineExceeded))
	defer cancel()
	l := &link{verdict: make(chan bool, 1), writer: make(chan struct{}, 1)}
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { l.socket = info.Conn },
	})
	conn, _, err := websocket.Dial(traced, c.url, &websocket.DialOptions{ //nolint:bodyclose // it is the library's to close
		HTTPClient:      c.http,
		HTTPHeader:      http.Header{"User-Agent": {""}},
		CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, fmt.Errorf("connect to the hub at %s: %w", c.host, c.o.Explain(bare(err)))
	}
	conn.SetReadLimit(-1) // read does it, without losing the link
	l.conn, l.nth = conn, int(c.dialled.Add(1))
	l.ctx, l.end = context.WithCancelCause(context.Background())
	l.work.Go(func() { l.end(l.read(c)) })
	return l, nil
}

// number is the link's among all of its client, from 1; 0 when there is none.
func (l *link) number() int {
	if l == nil {
		return 0
	}
	return l.nth
}

// bare strips the library's own introductions from an error.
func bare(err error) error {
	for strings.HasPrefix(err.Error(), "failed to ") {
		inner := errors.Unwrap(err)
		if inner == nil {
			break
		}
		err = inner
	}
	return err
}

// judge notes the hub's verdict; only the first one counts.
func (l *link) judge(accepted bool) {
	select {
	case l.verdict <- accepted:
	default:
	}
}

// read hands each text frame to the client until the link ends, and says why
// it did. The link's context reaches the socket: ending it closes the socket.
func (l *link) read(c *Client) error {
	buf := make([]byte, 0, 4096)
	skipped := false
	for {
		kind, r, err := l.conn.Reader(l.ctx)
		if err != nil {
			return bare(err)
		}
		var rest int64
		buf, rest, err = readFrame(r, buf[:0])
		switch {
		case errors.Is(err, errTooLong):
			// The reader stands in the middle of the frame, where no farewell
			// can be read: only a new link helps.
			return err
		case err != nil:
			return bare(err)
		case rest > 0:
			c.o.Event(FrameIgnored)
			if !skipped {
				c.log.Warn("a frame of the hub was skipped: it is too long", "bytes", int64(len(buf))+rest, "limit", maxFrame)
			}
			skipped = true
		case kind != websocket.MessageText:
			c.o.Event(FrameIgnored)
			c.quiet.frames.say(c.log.Warn, "a frame of the hub was ignored", "reason", "not a text frame", "bytes", len(buf))
		default:
			begun := time.Now()
			c.receive(l, buf)
			l.busy.Add(int64(time.Since(begun)))
		}
		if cap(buf) > 64<<10 {
			buf = make([]byte, 0, 4096)
		}
	}
}

var errTooLong = fmt.Errorf("the hub sent a frame of more than %d MiB", maxSkip>>20)

// readFrame reads a frame of up to maxFrame bytes into buf. Of a longer one it
// reads and forgets the rest, and says how much that was.
func readFrame(r io.Reader, buf []byte) (frame []byte, rest int64, err error) {
	for len(buf) < maxFrame {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):min(cap(buf), maxFrame)])
		buf = buf[:len(buf)+n]
		if errors.Is(err, io.EOF) {
			return buf, 0, nil
		}
		if err != nil {
			return buf, 0, err
		}
	}
	rest, err = io.Copy(io.Discard, io.LimitReader(r, maxSkip-maxFrame+1))
	if err == nil && rest > maxSkip-maxFrame {
		err = errTooLong
	}
	return buf, rest, err
}

// write sends one text message. Writers take turns, and each has its own time
// limit; one that misses it ends the link, because half a frame is out.
func (l *link) write(text []byte) error {
	select {
	case l.writer <- struct{}{}:
		defer func() { <-l.writer }()
	case <-l.ctx.Done():
		return context.Cause(l.ctx)
	}
	if l.ctx.Err() != nil { // both were possible
		return context.Cause(l.ctx)
	}
	if err := l.send(text); err != nil {
		err = fmt.Errorf("write to the hub: %w", bare(err))
		l.end(err)
		return err
	}
	return nil
}

func (l *link) send(text []byte) error {
	ctx, cancel := context.WithCancelCause(l.ctx)
	defer cancel(nil)
	limit := time.AfterFunc(writeTimeout, func() {
		cancel(fmt.Errorf("the hub took nothing for %v: %w", writeTimeout, context.DeadlineExceeded))
	})
	defer limit.Stop()
	err := l.sendParts(ctx, text, limit)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause // the library says less
	}
	return err
}

func (l *link) sendParts(ctx context.Context, text []byte, limit *time.Timer) error {
	if len(text) <= fragment {
		return l.conn.Write(ctx, websocket.MessageText, text)
	}
	w, err := l.conn.Writer(ctx, websocket.MessageText)
	if err != nil {
		return err
	}
	for part := range slices.Chunk(text, fragment) {
		if _, err := w.Write(part); err != nil {
			return err // the link ends, and the writer with it
		}
		limit.Reset(writeTimeout)
	}
	return w.Close()
}

// ping ends the link when the hub does not answer. The library numbers its
// pings where the existing connector's were empty; the pong repeats either
// (RFC 6455, section 5.5.3).
func (l *link) ping(c *Client) {
	wait := time.NewTimer(c.pace.interval)
	defer wait.Stop()
	for {
		select {
		case <-wait.C:
		case <-l.ctx.Done():
			return
		}
		failed := 0
		for failed < pingTries {
			busy := l.busy.Load()
			if l.pong(c.pace.pong) || l.ctx.Err() != nil {
				break
			}
			if time.Duration(l.busy.Load()-busy) < c.pace.pong/2 { // else the pong may well be there, behind a flood
				failed++
			}
		}
		switch {
		case l.ctx.Err() != nil:
			return
		case failed == pingTries:
			c.log.Warn("Auth0 server didn't respond to 5 ping commands. Re-pinging.")
			l.end(fmt.Errorf("the hub did not answer %d pings", pingTries))
			return
		case failed > 0:
			c.log.Info("Ping success after failed pings.", "failed", failed)
		}
		wait.Reset(c.pace.interval)
	}
}

// pong sends one ping and reports whether it was answered in time. It waits
// for a long reply under way, behind which the ping would come too late, and
// whose own time limit watches the link meanwhile.
func (l *link) pong(within time.Duration) bool {
	select {
	case l.writer <- struct{}{}:
		<-l.writer
	case <-l.ctx.Done():
		return false
	}
	ctx, cancel := context.WithTimeout(l.ctx, within)
	defer cancel()
	return l.conn.Ping(ctx) == nil
}

// close ends the link without a farewell, and waits for its goroutines.
func (l *link) close(why error) {
	l.end(why)
	l.hangUp()
	_ = l.conn.CloseNow() // it is over either way
	l.work.Wait()
}

// hangUp closes the socket below the websocket, whose own closing may wait for
// a hub that stalls in the middle of a frame.
func (l *link) hangUp() {
	if l.socket != nil {
		_ = l.socket.Close() // nobody is left to care
	}
}

// farewell closes the link by a close frame, and waits for the hub's for as
// long as it is worth.
func (l *link) farewell() {
	timer := time.AfterFunc(2*time.Second, func() {
		l.end(context.DeadlineExceeded)
		l.hangUp()
	})
	defer timer.Stop()
	_ = l.conn.Close(websocket.StatusNormalClosure, "") // whether the hub answered does not matter
	l.close(context.Canceled)
}
