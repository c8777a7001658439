package hub

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"ad-ldap-connector/pkg/identity"
)

// commands is the bookkeeping of the commands at work and of those that wait.
type commands struct {
	base  context.Context // of every request
	quiet *mufflers
	shed  *shedder
	stop  chan struct{} // closed when no link will follow
	held  chan struct{} // has one for each command whose token waits for keys

	gate     sync.Mutex // guards what follows
	lanes    *lanes
	alarm    *time.Timer // for those that wait too long; nil while none is set
	stopping bool
	pending  tally // of frames and tasks; nothing starts anew once stopping
}

// enter admits a frame, unless the connector is stopping. Whoever entered says
// pending.Done.
func (c *commands) enter() bool {
	c.gate.Lock()
	defer c.gate.Unlock()
	if !c.stopping {
		c.pending.Add(1)
	}
	return !c.stopping
}

// shut admits no more commands.
func (c *commands) shut() {
	c.gate.Lock()
	defer c.gate.Unlock()
	c.stopped()
}

// stopped notes that no more commands are admitted. The caller holds the gate.
func (c *commands) stopped() {
	if !c.stopping {
		c.stopping = true
		close(c.stop)
	}
}

// receive acts on one text frame. It never blocks on a handler, and survives
// whatever the frame holds.
func (c *Client) receive(l *link, text []byte) {
	defer func() {
		if v := recover(); v != nil { // not known to happen; a deaf socket would be worse than a log line
			c.log.Error("a frame panicked", "stack", string(debug.Stack()))
		}
	}()
	f, err := decodeFrame(text)
	if err != nil {
		c.o.Event(FrameIgnored)
		c.quiet.frames.say(c.log.Warn, "a frame of the hub was ignored", "reason", printable(err.Error()), "bytes", len(text))
		return
	}
	switch f.Name {
	case "authenticated":
		l.judge(true)
	case "authentication_failure":
		l.judge(false) // of no effect once the agent is accepted
	default:
		if cmd, ok := commandsByName[f.Name]; ok {
			c.command(l, cmd, f, text)
		} else {
			c.quiet.events.say(c.log.Debug, "an event of the hub was ignored", "event", printable(f.Name))
		}
	}
}

// command verifies a command's token and starts the work. Text is its frame. A
// nil link is one of another client.
func (c *Client) command(l *link, cmd *command, f frame, text []byte) {
	if !c.enter() {
		if to := c.heirs(); to != nil {
			to.Command(text)
			return
		}
		c.o.Event(CommandLost)
		c.quiet.drops.say(c.log.Warn, "a command came too late: the connector is stopping", "command", cmd.name)
		return
	}
	defer c.pending.Done() // what it starts is counted in its turn, while this one still is
	// Not the tokens' clock, which jumps when it is corrected.
	arrived := time.Now()
	if cmd.name == "change_password" && !c.o.WriteBack {
		c.quiet.writeBack.say(c.log.Warn, "change_password was ignored: write-back is not enabled", "command", cmd.name)
		return
	}
	token, err := f.token()
	if err != nil {
		c.unauthorized(cmd, err)
		return
	}
	if keys := c.verify.await(token); keys != nil {
		c.hold(l, cmd, token, arrived, keys)
		return
	}
	c.judge(l, cmd, token, arrived)
}

// judge begins a command whose token is the tenant's. The caller has entered.
func (c *Client) judge(l *link, cmd *command, token string, arrived time.Time) {
	got, err := c.verify.check(token)
	if err != nil {
		c.unauthorized(cmd, err)
		return
	}
	c.begin(l, cmd, got, arrived)
}

func (c *Client) unauthorized(cmd *command, err error) {
	c.o.Event(Unverified)
	c.quiet.tokens.say(c.log.Warn, cmd.unauthorized, "command", cmd.name, "reason", err.Error())
}

// begin takes a command in that the tenant has signed. The caller has entered.
func (c *Client) begin(l *link, cmd *command, got claims, arrived time.Time) {
	r, err := newRequest(cmd, got)
	t := &task{r: r, from: l, arrived: arrived}
	c.pending.Add(1)
	if err != nil {
		c.turnAway(t, Malformed, err.Error())
		return
	}
	c.gate.Lock()
	away := c.lanes.add(t)
	c.start()
	c.gate.Unlock()
	if away != nil {
		c.turnAway(away, Busy, tooBusy)
	}
}

const tooBusy = "too busy"

// start starts all that may start, and has the alarm set while others wait.
// The caller holds the gate.
func (c *Client) start() {
	for t := c.lanes.next(time.Now()); t != nil; t = c.lanes.next(time.Now()) {
		go c.serve(t)
	}
	if c.alarm == nil {
		if at := c.lanes.alarm(); !at.IsZero() {
			c.alarm = time.AfterFunc(time.Until(at), c.giveUp)
		}
	}
}

// giveUp answers those that have waited for so long that whoever asked has
// surely given up on them.
func (c *Client) giveUp() {
	c.gate.Lock()
	late := c.lanes.late(time.Now())
	c.alarm = nil
	c.start()
	c.gate.Unlock()
	for _, t := range late {
		c.turnAway(t, Busy, "no answer in time: it waited for others")
	}
}

// clear answers all that wait, because the connector is stopping.
func (c *Client) clear() {
	c.gate.Lock()
	waiting := c.lanes.clear()
	if c.alarm != nil {
		c.alarm.Stop()
	}
	c.gate.Unlock()
	for _, t := range waiting {
		c.turnAway(t, Stopping, "the connector is stopping: it waited for others")
	}
}

// serve lets the handler work, and replies at the deadline at the latest. A
// handler that does not return in time keeps its place until it does, so that
// there are never more than MaxInFlight of them; so does one whose reply finds
// no way to the hub, because replies may be large.
func (c *Client) serve(t *task) {
	defer func() {
		c.gate.Lock()
		defer c.gate.Unlock()
		c.lanes.done(t.r.command.lane)
		c.start()
	}()
	ctx, cancel := context.WithDeadline(c.base, t.arrived.Add(c.o.RequestTimeout))
	defer cancel()
	t.progress = new(progress)
	ctx = identity.WithWatch(identity.WithRequest(ctx, t.r.id()), t.progress.begin)
	var answered atomic.Bool
	conclude := func(res result) {
		if !answered.Swap(true) {
			_ = c.conclude(ctx, t, res) // it has been logged
			c.pending.Done()
		}
	}
	late := context.AfterFunc(ctx, func() { conclude(t.r.faulted(ended(ctx))) })
	res := c.perform(ctx, t.r)
	late()
	conclude(res)
}

var errNoLink = errors.New("there was no link to the hub in time")

// deliver writes a reply on the link that its command came on or, when that has
// ended, on another one that is accepted now. When it breaks meanwhile, or
// there is none, the next one is waited for until the request's deadline.
func (c *Client) deliver(ctx context.Context, from *link, reply []byte) error {
	for {
		l, changed := c.pick(from)
		if l != nil {
			if l.write(reply) == nil {
				return nil
			}
			continue // it has ended by that, and is not picked again
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return errNoLink
		case <-c.stop: // no link will follow
			if to := c.heirs(); to != nil {
				return to.Reply(ctx, reply)
			}
			return errNoLink
		}
	}
}
