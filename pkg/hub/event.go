package hub

import (
	"context"
	"errors"
)

// An Event is something that is counted beside the answers.
type Event string

// What a client tells of, in Options.Event.
const (
	LinkAccepted  Event = "link_accepted"  // the hub accepted the agent on a link
	LinkEnded     Event = "link_ended"     // an accepted link ended without our doing
	LinkRejected  Event = "link_rejected"  // the hub does not know this agent's key
	LinkFailed    Event = "link_failed"    // a link was not to be had
	FrameIgnored  Event = "frame_ignored"  // it was not understood
	Unverified    Event = "unverified"     // the token of a command did not verify; it gets no answer
	CommandLost   Event = "command_lost"   // a command was dropped without an answer
	ReplyLost     Event = "reply_lost"     // an answer found no way to the hub
	CommandTurned Event = "command_turned" // a command was answered without work: too many wait, or for too long
)

// Events are all there are.
var Events = []Event{LinkAccepted, LinkEnded, LinkRejected, LinkFailed, FrameIgnored, Unverified, CommandLost, ReplyLost, CommandTurned}

// A Fault says in one word why a command was answered with a fault.
type Fault string

// The kinds of faults.
const (
	NoFault    Fault = ""           // the command was accepted or refused
	Busy       Fault = "busy"       // it waited for others, and was turned away
	Late       Fault = "late"       // the answer was not there in time
	Stopping   Fault = "stopping"   // the connector was
	Malformed  Fault = "malformed"  // the command itself
	Internal   Fault = "internal"   // the connector's own error
	Unanswered Fault = "unanswered" // the directory could not be asked, or the mapper does not work
)

// Faults are all kinds but NoFault.
var Faults = []Fault{Busy, Late, Stopping, Malformed, Internal, Unanswered}

// ended says why a request's context is over.
func ended(ctx context.Context) (Fault, string) {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return Late, "no answer in time"
	}
	return Stopping, "the connector is stopping"
}

// A Load is what a client has in hand at one moment.
type Load struct {
	Links, MostLinks int // accepted, and how many are kept
	Working, Most    int // commands at work, and how many may be
	Waiting          int // commands in the queue
	Unsent           int // answers of commands that were turned away
	Held             int // commands that wait until the tenant's keys are read
}

// Load says what c has in hand.
func (c *Client) Load() Load {
	l := Load{MostLinks: c.o.Links, Unsent: len(c.shed.queue), Held: len(c.held)}
	c.mu.Lock()
	for _, p := range c.places {
		if p.link != nil && p.link.ctx.Err() == nil {
			l.Links++
		}
	}
	c.mu.Unlock()
	c.gate.Lock()
	defer c.gate.Unlock()
	l.Working, l.Most = c.lanes.running, c.lanes.most
	for _, one := range c.lanes.all {
		l.Waiting += len(one.waiting)
	}
	return l
}
