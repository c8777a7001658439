package sandbox

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"runtime/debug"
	"sync"
	"time"
)

// Limits of a connection.
const (
	ldapMaxMessage   = 4 << 20          // octets of a request
	ldapMaxParallel  = 32               // operations at a time; more are told busy
	ldapIdle         = 15 * time.Minute // as domain controllers have it
	ldapWriteTimeout = 30 * time.Second // for a client that does not read
	ldapTLSTimeout   = 10 * time.Second
)

// ldapConn is one client's connection.
type ldapConn struct {
	d  *Directory
	br *bufio.Reader

	mu      sync.Mutex // guards what follows
	nc      net.Conn
	secure  bool
	who     *storeEntry // nil: anonymous
	must    bool        // the password must be changed before anything else
	running map[int]*ldapOperating
	cursors map[string]ldapCursor

	wmu sync.Mutex // one message at a time
	bw  *bufio.Writer
	wg  sync.WaitGroup // running operations
}

// ldapOperating is an operation that has not been answered yet.
type ldapOperating struct{ cancel context.CancelFunc }

func newLDAPConn(d *Directory, nc net.Conn) *ldapConn {
	c := &ldapConn{d: d, running: map[int]*ldapOperating{}, cursors: map[string]ldapCursor{}}
	c.use(nc)
	return c
}

// use reads and writes through nc from now on.
func (c *ldapConn) use(nc net.Conn) {
	c.mu.Lock()
	c.nc = nc
	c.mu.Unlock()
	c.wmu.Lock()
	c.bw = bufio.NewWriterSize(nc, 16<<10)
	c.wmu.Unlock()
	c.br = bufio.NewReaderSize(nc, 4<<10)
}

// close ends the connection; whoever reads or writes gets an error.
func (c *ldapConn) close() {
	c.mu.Lock()
	nc := c.nc
	c.mu.Unlock()
	// The client may be gone already; there is nobody to tell.
	_ = nc.Close()
}

// serve answers requests until the client unbinds, goes away or sends what can
// not be understood.
func (c *ldapConn) serve(secure bool) {
	ctx, cancel := context.WithCancel(c.d.ctx)
	defer c.wg.Wait()
	defer c.close()
	defer cancel()
	defer c.rescue()
	if secure && !c.startTLS() {
		return
	}
	for {
		if err := c.nc.SetReadDeadline(time.Now().Add(ldapIdle)); err != nil {
			return
		}
		frame, err := berFrame(c.br, ldapMaxMessage)
		switch {
		case errors.Is(err, errFrameTooLong), errors.Is(err, errFrameKind):
			c.disconnect(err.Error())
			return
		case err != nil:
			if !errors.Is(err, io.EOF) && ctx.Err() == nil {
				c.d.log.Debug("connection ended", "err", err)
			}
			return
		}
		m, err := parseMessage(frame)
		if err != nil {
			c.disconnect(err.Error())
			return
		}
		if !c.dispatch(ctx, m) {
			return
		}
	}
}

// rescue keeps a fault of ours from ending the program.
func (c *ldapConn) rescue() {
	if r := recover(); r != nil {
		c.d.log.Error("request broke the directory", "panic", r, "stack", string(debug.Stack()))
		c.close()
	}
}

// dispatch starts an operation. It reports false when the connection is over.
func (c *ldapConn) dispatch(ctx context.Context, m *ldapMessage) bool {
	switch m.op {
	case ldapUnbindRequest:
		return false
	case ldapAbandonRequest:
		if id, err := berNumber(m.body); err == nil {
			c.abandon(id)
		}
		return true
	}
	if _, ok := ldapResponses[m.op]; !ok {
		c.disconnect("unknown operation")
		return false
	}
	if m.op == ldapBindRequest || isStartTLS(m) {
		// Whoever the client becomes, what it asked before is finished first
		// (RFC 4511, section 4.2.1).
		c.wg.Wait()
		return c.operate(ctx, m)
	}
	ctx, cancel := context.WithCancel(ctx)
	op := &ldapOperating{cancel}
	c.mu.Lock()
	_, taken := c.running[m.id]
	busy := len(c.running) >= ldapMaxParallel
	if !taken && !busy {
		c.running[m.id] = op
	}
	c.mu.Unlock()
	if taken || busy {
		cancel()
		res := ldapResult{code: ldapBusy}
		if taken {
			res = ldapResult{code: ldapProtocolError, text: "message number is in use"}
		}
		c.send(c.d.ctx, res.encode(m.id, ldapResponses[m.op]), true)
		return true
	}
	c.wg.Go(func() {
		defer cancel()
		defer c.ended(m.id, op)
		defer c.rescue()
		if !c.operate(ctx, m) {
			c.close()
		}
	})
	return true
}

// abandon ends an operation without an answer; after its end it is a no-op.
func (c *ldapConn) abandon(id int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if op := c.running[id]; op != nil {
		op.cancel()
		delete(c.running, id)
	}
}

// ended counts an operation out that ended without an answer. One that was
// answered is out already, and another may have its number by now.
func (c *ldapConn) ended(id int, op *ldapOperating) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running[id] == op {
		delete(c.running, id)
	}
}

// operate does an operation and answers it. It reports false when the
// connection is to be closed.
func (c *ldapConn) operate(ctx context.Context, m *ldapMessage) bool {
	traits := c.d.traits.Load()
	name := ldapOperation(m.op)
	if wait := traits.delay(name); wait > 0 {
		limit := c.timeLimit(m)
		timer := time.NewTimer(min(wait, limit))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return true
		}
		if limit < wait {
			c.answer(ctx, m, ldapResult{code: ldapTimeLimitExceeded})
			return true
		}
	}
	switch traits.fault(name) {
	case FaultDrop:
		return false
	case FaultSilence:
		return true
	case FaultBusy:
		c.answer(ctx, m, ldapResult{code: ldapBusy, text: c.say("0000200E: SvcErr: DSID-031A11C9, problem 5001 (BUSY), data 0", "")})
		return true
	case FaultUnavailable:
		c.answer(ctx, m, ldapResult{code: ldapUnavailable, text: c.say("0000200F: SvcErr: DSID-031A11C9, problem 5002 (UNAVAILABLE), data 0", "")})
		return true
	}
	if res, ok := c.refuseControls(m); ok {
		c.answer(ctx, m, res)
		return true
	}
	if res, ok := c.refuseStranger(m); ok {
		c.answer(ctx, m, res)
		return true
	}
	switch m.op {
	case ldapBindRequest:
		c.answer(ctx, m, c.bind(m))
	case ldapSearchRequest:
		c.answer(ctx, m, c.search(ctx, m))
	case ldapModifyRequest:
		c.answer(ctx, m, c.modify(m))
	case ldapCompareRequest:
		c.answer(ctx, m, c.compare(m))
	case ldapExtendedRequest:
		return c.extended(ctx, m)
	default:
		c.answer(ctx, m, ldapResult{code: ldapUnwilling, text: c.say(adUnwilling("0000001F"), "the sandbox neither adds, deletes nor renames entries")})
	}
	return true
}

func ldapOperation(op byte) string {
	switch op {
	case ldapBindRequest:
		return "bind"
	case ldapSearchRequest:
		return "search"
	case ldapCompareRequest:
		return "compare"
	case ldapExtendedRequest:
		return "extended"
	}
	return "modify"
}

// answer sends the result of an operation, unless it was abandoned.
func (c *ldapConn) answer(ctx context.Context, m *ldapMessage, res ldapResult) {
	if res.silent {
		return
	}
	if res.text != "" && c.d.traits.Load().TrailingNUL {
		res.text += "\x00"
	}
	message := res.encode(m.id, ldapResponses[m.op])
	c.wmu.Lock()
	defer c.wmu.Unlock()
	// The client may use the number again as soon as it has the answer. Not
	// earlier than its turn to be written: answers that wait for a client that
	// does not read count as running, so that there are never many.
	c.mu.Lock()
	if ctx.Err() == nil {
		delete(c.running, m.id)
	}
	c.mu.Unlock()
	c.write(ctx, message, true)
}

// disconnect tells the client why the connection is closed (the notice of
// disconnection, RFC 4511, section 4.4.1).
func (c *ldapConn) disconnect(text string) {
	c.send(c.d.ctx, ldapResult{code: ldapProtocolError, text: text, name: "1.3.6.1.4.1.1466.20036"}.encode(0, ldapExtendedResponse), true)
}

// send sends a message, one at a time.
func (c *ldapConn) send(ctx context.Context, message []byte, flush bool) {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	c.write(ctx, message, flush)
}

// write writes a message. After its operation was abandoned nothing is sent; a
// client that is gone or does not read loses the connection. The caller holds
// wmu.
func (c *ldapConn) write(ctx context.Context, message []byte, flush bool) {
	if ctx.Err() != nil {
		return
	}
	c.mu.Lock()
	nc := c.nc
	c.mu.Unlock()
	err := nc.SetWriteDeadline(time.Now().Add(ldapWriteTimeout))
	if err == nil {
		_, err = c.bw.Write(message)
	}
	if err == nil && flush {
		err = c.bw.Flush()
	}
	if err != nil {
		c.close()
	}
}

// startTLS begins TLS on the connection.
func (c *ldapConn) startTLS() bool {
	t := tls.Server(c.nc, c.d.tls)
	ctx, cancel := context.WithTimeout(c.d.ctx, ldapTLSTimeout)
	defer cancel()
	if err := t.HandshakeContext(ctx); err != nil {
		c.d.log.Debug("TLS not established", "err", err)
		return false
	}
	c.use(t)
	c.mu.Lock()
	c.secure = true
	c.mu.Unlock()
	return true
}

// say picks the diagnostic text of the directory that is played.
func (c *ldapConn) say(ad, plain string) string {
	if c.d.ad() {
		return ad
	}
	return plain
}

// adUnwilling is Active Directory's diagnostic of what it will not do; the code
// says why.
func adUnwilling(code string) string {
	return code + ": SvcErr: DSID-031A124C, problem 5003 (WILL_NOT_PERFORM), data 0"
}
