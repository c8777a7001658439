package hub

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"
	"time"
)

// commands is the bookkeeping of the commands at work. Each has a goroutine
// from arrival to reply; slots bounds those that run, room those that run or
// wait, and shed those that are told "too busy".
type commands struct {
	room, slots, shed chan struct{}
	base              context.Context // of every request
	ignored           time.Time       // when an unwanted change_password was last logged

	gate     sync.Mutex // keeps pending from growing once it is waited for
	stopping bool
	stop     chan struct{} // closed when no link will follow
	pending  sync.WaitGroup
}

// enter admits a command, unless the connector is stopping. Whoever entered
// says pending.Done.
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
		c.log.Warn("a frame of the hub was ignored", "reason", printable(err.Error()), "bytes", len(text))
		return
	}
	switch f.Name {
	case "authenticated":
		l.judge(true)
	case "authentication_failure":
		l.judge(false) // of no effect once the agent is accepted
	default:
		if cmd, ok := commandsByName[f.Name]; ok {
			c.command(cmd, f)
		} else {
			c.log.Debug("an event of the hub was ignored", "event", printable(f.Name))
		}
	}
}

// command verifies a command's token and starts the work.
func (c *Client) command(cmd *command, f frame) {
	if !c.enter() {
		c.log.Warn("a command came too late: the connector is stopping", "command", cmd.name)
		return
	}
	defer c.pending.Done() // the goroutines below enter in their turn, while this one is counted
	// Not the tokens' clock, which jumps when it is corrected.
	arrived := time.Now()
	if cmd.name == "change_password" && !c.o.WriteBack {
		if arrived.Sub(c.ignored).Abs() >= time.Minute {
			c.ignored = arrived
			c.log.Warn("change_password was ignored: write-back is not enabled", "command", cmd.name)
		}
		return
	}
	token, err := f.token()
	var got claims
	if err == nil {
		got, err = c.verify.check(token)
	}
	if err != nil {
		c.log.Warn(cmd.unauthorized, "command", cmd.name, "reason", err.Error())
		return
	}
	r, err := newRequest(cmd, got)
	if err != nil {
		c.shedLoad(r, arrived, err.Error())
		return
	}
	select {
	case c.room <- struct{}{}:
		c.pending.Add(1)
		go c.serve(r, arrived)
	default:
		c.shedLoad(r, arrived, "too busy")
	}
}

// shedLoad answers a command at once with a fault. When even that many
// goroutines wait for the line, the hub does not read, and the command is
// dropped.
func (c *Client) shedLoad(r request, arrived time.Time, text string) {
	select {
	case c.shed <- struct{}{}:
	default:
		c.log.Error("a command was dropped: too busy", "command", r.command.name, "user", r.who())
		return
	}
	c.pending.Add(1)
	go func() {
		defer c.pending.Done()
		defer func() { <-c.shed }()
		ctx, cancel := context.WithTimeout(c.base, c.o.RequestTimeout)
		defer cancel()
		c.conclude(ctx, r, arrived, r.faulted(text))
	}()
}

// serve waits for a slot, lets the handler work, and replies at the deadline
// at the latest. A handler that does not return in time keeps its slot until
// it does, so that there are never more than MaxInFlight of them.
func (c *Client) serve(r request, arrived time.Time) {
	defer c.pending.Done()
	defer func() { <-c.room }()
	ctx, cancel := context.WithTimeout(c.base, c.o.RequestTimeout)
	defer cancel()
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		c.conclude(ctx, r, arrived, r.faulted(ended(ctx)+": it waited for others"))
		return
	}
	done := make(chan result, 1)
	go func() {
		defer func() { <-c.slots }()
		done <- c.perform(ctx, r)
	}()
	var res result
	select {
	case res = <-done:
	case <-ctx.Done():
		select {
		case res = <-done:
		default:
			res = r.faulted(ended(ctx))
		}
	}
	c.conclude(ctx, r, arrived, res)
}

var errNoLink = errors.New("there was no link to the hub in time")

// deliver writes a reply on the link that is accepted now. When that breaks, or
// there is none, it waits for the next until the request's deadline.
func (c *Client) deliver(ctx context.Context, reply []byte) error {
	var broken *link
	for {
		l, changed := c.current()
		if l != nil && l != broken {
			if l.write(reply) == nil {
				return nil
			}
			broken = l
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return errNoLink
		case <-c.stop:
			return errNoLink // no link will follow
		}
	}
}
