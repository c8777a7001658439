package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/hub"
)

// porterFile is the socket, in the home, at which a running connector is asked by
// other processes of its home.
const porterFile = "state/run.sock"

const (
	porterPatience = 5 * time.Second  // with a peer that is to say something, or to listen
	lockPatience   = 15 * time.Second // with one that locks or unlocks a home
	turnPatience   = time.Second      // with a takeover that is about to come to nothing
	porterVisitors = 8                // at a time
)

// errNoPorter says that this system has no such thing.
var errNoPorter = errors.New("on this system no process can take over from another one")

// A claim is this process's lock of the home.
type claim struct {
	home   *home.Home
	mu     sync.Mutex
	unlock func() error // nil: another process has it
}

// take locks the home, within so much time if another process is about to
// unlock it.
func (c *claim) take(within time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for end := time.Now().Add(within); ; time.Sleep(readyEvery) {
		unlock, err := c.home.Lock()
		if err == nil {
			c.unlock = unlock
			return nil
		}
		if !errors.Is(err, home.ErrLocked) || time.Now().After(end) {
			return err
		}
	}
}

// release unlocks the home, if this process has locked it.
func (c *claim) release() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unlock == nil {
		return nil
	}
	unlock := c.unlock
	c.unlock = nil
	return unlock()
}

// A porter is where a running connector is asked to give way to another process.
// Only its own account and root are answered.
type porter struct {
	claim *claim
	s     *succession
	goes  chan *handover
	over  chan struct{}   // holds one while a takeover is under way
	ctx   context.Context // ends with the porter
	work  sync.WaitGroup

	mu        sync.Mutex
	heir      int       // the process that was started to take over; 0: none
	succeeded chan word // learns of heir
	why       error     // what heir said of why it comes to nothing
	left      bool      // the socket is the next process's
}

func newPorter(c *claim, s *succession) *porter {
	return &porter{claim: c, s: s, goes: make(chan *handover), over: make(chan struct{}, 1)}
}

// open begins to answer, until close. Without it nothing but takeovers is
// missing.
func (d *porter) open(ctx context.Context) (closing func()) {
	path := d.claim.home.Path(porterFile)
	_ = os.Remove(path) // of a process that was killed: the home is ours
	ln, err := listenPorter(path)
	if errors.Is(err, errNoPorter) {
		return func() {}
	}
	if err != nil {
		d.s.log.Warn("no other process can take over", "err", err)
		return func() {}
	}
	ctx, end := context.WithCancel(ctx)
	d.ctx = ctx
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		d.accept(ln)
	}()
	return func() {
		_ = ln.Close() // it has no more to say
		<-ended
		end()
		d.mu.Lock()
		if !d.left {
			_ = os.Remove(path) // one that stays is told from one that answers
		}
		d.mu.Unlock()
		d.work.Wait() // what was answered is to be heard
	}
}

func (d *porter) accept(ln net.Listener) {
	visitors := make(chan struct{}, porterVisitors)
	for {
		conn, err := ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(readyEvery) // no descriptor is left, say
			continue
		}
		select {
		case visitors <- struct{}{}:
			d.work.Go(func() {
				defer func() { <-visitors }()
				d.serve(conn)
			})
		default:
			_ = conn.Close() // whoever asks may ask again
		}
	}
}

// serve answers one visitor.
func (d *porter) serve(conn net.Conn) {
	kept := false
	defer func() {
		if !kept {
			_ = conn.Close() // all is said
		}
	}()
	wire := newPorterWire(conn, maxAsking)
	uid, peer, err := peerOf(conn)
	if err == nil && uid != 0 && uid != os.Geteuid() {
		err = &hinted{fmt.Errorf("the account %d may not ask", uid), "run it as root, or as the account that the connector runs under"}
	}
	var ask word
	if err == nil {
		ask, err = wire.hear(porterPatience, sayTakeover, saySucceed, sayAble)
	}
	switch {
	case err != nil:
	case ask.Say == sayTakeover:
		ask.PID = max(ask.PID, peer) // where the system does not tell, the peer does
		if peer > 0 {
			ask.PID = peer
		}
		kept, err = d.give(wire, ask)
	case ask.Say == sayAble:
		if err = d.able(); err == nil {
			err = wire.say(word{Say: sayDone, Version: thisBuild().Version, PID: pid()}, porterPatience)
		}
	default:
		err = d.succeed(wire, ask)
	}
	if err != nil {
		_ = wire.say(refusal(err), porterPatience) // to whoever still listens
	}
}

// taken gives the handovers that are to be settled.
func (d *porter) taken() <-chan *handover { return d.goes }

// give hands the sockets to a process that wants to take over, and waits until
// it serves. Unless it comes to that, nothing has happened. The connection is
// kept for what comes too late if it does.
func (d *porter) give(wire *porterWire, ask word) (kept bool, err error) {
	select {
	case d.over <- struct{}{}:
		defer func() { <-d.over }()
	case <-time.After(turnPatience):
		return false, errors.New("another process is taking over already")
	}
	d.mu.Lock()
	heir := d.heir
	d.mu.Unlock()
	if d.s.manager.Managed() && ask.PID != heir {
		return false, &hinted{errors.New("it is a service, which another process cannot become"), "connector restart has the service start its successor itself"}
	}
	hello := word{Say: sayHello, Version: thisBuild().Version, PID: pid()}
	if err := sayWithSockets(wire, hello, d.s.listeners); err != nil {
		return false, err
	}
	d.s.log.Info("another process is about to take over", "pid", ask.PID, "version", ask.Version)
	gone := context.AfterFunc(d.ctx, func() { _ = wire.conn.Close() })
	defer gone()
	if _, err := wire.hear(0, sayGo); err != nil {
		d.mu.Lock()
		if refused := (*refusedError)(nil); ask.PID == d.heir && errors.As(err, &refused) {
			d.why = err
		}
		d.mu.Unlock()
		d.s.log.Warn("the takeover came to nothing; this process goes on", "pid", ask.PID, "err", err)
		return false, nil
	}
	h := &handover{porter: d, wire: wire, pid: ask.PID, version: ask.Version, settled: make(chan bool, 1)}
	select {
	case d.goes <- h:
		return <-h.settled, nil
	case <-d.ctx.Done():
		return false, errors.New("it is about to end")
	}
}

// A handover is another process that serves already.
type handover struct {
	porter  *porter
	wire    *porterWire
	pid     int
	version string
	settled chan bool
}

var _ hub.Heir = (*handover)(nil)

// settle makes the other process the one that runs in the home, and the
// service's main process, and reports whether it came to that. If it did not,
// all is as before.
func (h *handover) settle() bool {
	d := h.porter
	err := h.exchange()
	if err == nil {
		d.mu.Lock()
		d.left = true
		if d.heir == h.pid && d.succeeded != nil {
			d.succeeded <- word{Say: sayDone, Version: h.version, PID: h.pid}
		}
		d.mu.Unlock()
		h.settled <- true
		return true
	}
	d.s.log.Warn("the takeover came to nothing; this process goes on", "pid", h.pid, "err", err)
	_ = h.wire.say(refusal(err), porterPatience) // it may have died
	_ = h.wire.conn.Close()                      // all is said
	if err := d.claim.take(lockPatience); err != nil {
		d.s.log.Error("the home is no longer locked", "err", err)
	}
	h.settled <- false
	return false
}

func (h *handover) exchange() error {
	if err := h.porter.claim.release(); err != nil {
		return err
	}
	if err := h.wire.say(word{Say: sayYours}, porterPatience); err != nil {
		return err
	}
	if _, err := h.wire.hear(lockPatience, sayHere); err != nil {
		return err
	}
	manager := h.porter.s.manager
	if err := manager.Become(h.pid); err != nil {
		return err
	}
	err := h.wire.say(word{Say: sayDone}, porterPatience)
	if err != nil { // it has died since
		err = errors.Join(err, manager.Become(pid()))
		manager.Speak()
	}
	return err
}

// Command gives the other process a frame that came too late.
func (h *handover) Command(frame []byte) {
	if err := h.wire.say(word{Say: sayCommand, Frame: frame}, porterPatience); err != nil {
		h.porter.s.log.Error("a command was lost: the process that took over does not take it", "err", err)
	}
}

// Reply gives it a reply.
func (h *handover) Reply(_ context.Context, reply []byte) error {
	return h.wire.say(word{Say: sayReply, Frame: reply}, porterPatience)
}

// close says that nothing more comes.
func (h *handover) close() { _ = h.wire.conn.Close() }
