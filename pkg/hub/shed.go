package hub

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	maxShed       = 1024
	maxShedWeight = 8 << 20 // octets
	// shedPatience is how long the reading of a link waits for the hub to take
	// answers. It is less than a pong may take.
	shedPatience = time.Second
)

// A shedding is the answer to a command that is not carried out.
type shedding struct {
	t    *task
	kind Fault
	text string
}

// A shedder holds the answers that need no work until the hub takes them.
type shedder struct {
	queue  chan shedding
	weight atomic.Int64  // of what is in queue
	room   chan struct{} // told when there is more
	deaf   atomic.Bool   // the hub takes no answers
}

func newShedder() *shedder {
	return &shedder{queue: make(chan shedding, maxShed), room: make(chan struct{}, 1)}
}

// put reports whether there was room.
func (s *shedder) put(one shedding) bool {
	weight := int64(one.t.weight())
	if s.weight.Add(weight) <= maxShedWeight {
		select {
		case s.queue <- one:
			return true
		default:
		}
	}
	s.weight.Add(-weight)
	return false
}

// turnAway answers a command with a fault and without any work. The answers go
// out one after the other. When too many wait for that, so does whoever reads
// from the hub: a hub that sends faster than it takes the answers must not fill
// the memory, nor be left without an answer. One that takes none at all loses
// them, until it does again.
func (c *Client) turnAway(t *task, kind Fault, text string) {
	if kind == Busy {
		c.o.Event(CommandTurned)
	}
	one := shedding{t, kind, text}
	if c.shed.put(one) {
		return
	}
	timer := time.NewTimer(shedPatience)
	defer timer.Stop()
	for waits := !c.shed.deaf.Load(); waits; {
		select {
		case <-c.shed.room:
			if c.shed.put(one) {
				return
			}
		case <-timer.C:
			c.shed.deaf.Store(true)
			waits = false
		case <-c.base.Done():
			waits = false
		}
	}
	defer c.pending.Done()
	c.o.Event(CommandLost)
	c.quiet.drops.say(c.log.Error, "a command was dropped: the hub does not take its answer",
		"command", t.r.command.name, "user", t.r.who(), "reason", text, "request", t.r.id())
}

// sheds sends the answers of turnAway until ctx ends. What is left then is
// given up.
func (c *Client) sheds(ctx context.Context) {
	for {
		select {
		case one := <-c.shed.queue:
			c.answer(one)
			continue
		case <-ctx.Done():
		}
		for len(c.shed.queue) > 0 {
			<-c.shed.queue
			c.pending.Done()
		}
		return
	}
}

func (c *Client) answer(one shedding) {
	defer c.pending.Done()
	ctx, cancel := context.WithDeadline(c.base, one.t.arrived.Add(c.o.RequestTimeout))
	defer cancel()
	if c.conclude(ctx, one.t, one.t.r.faulted(one.kind, one.text)) == nil {
		c.shed.deaf.Store(false)
	}
	c.shed.weight.Add(-int64(one.t.weight()))
	select {
	case c.shed.room <- struct{}{}:
	default: // somebody will look already
	}
}
