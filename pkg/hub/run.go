package hub

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	lastWords = 1 * time.Second  // for the faults of the commands that did not make it
	settled   = 10 * time.Second // an acceptance that lasts so long was a good one
	brief     = 1 * time.Second  // one that lasts no longer was none
	hung      = 10 * time.Second // an attempt that took so long has been a pause already
)

// Run keeps the links to the hub, and answers its commands, until ctx ends.
// Then it takes no more of them, lets those in flight finish within
// Options.Drain, closes the links, and returns nil, at most 3 s later than
// that. It returns an error only when it is called twice.
func (c *Client) Run(ctx context.Context) error {
	if c.running.Swap(true) {
		return errors.New("hub: Run was called twice")
	}
	if fault := c.verify.fault(); fault != nil {
		c.log.Error("no command can be verified", "err", fault)
	}
	// Commands outlive ctx: they are given time to finish. So do the links.
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	c.base = base
	serving, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	defer hangUp()
	var work, answers sync.WaitGroup
	for i := range c.places {
		work.Go(func() { c.keep(ctx, serving, i) })
	}
	answering, silence := context.WithCancel(context.WithoutCancel(ctx))
	defer silence()
	answers.Go(func() { c.sheds(answering) })
	answers.Go(func() { c.watch.run(answering) })
	if c.verify.ring != nil {
		answers.Go(func() { c.verify.ring.run(answering) })
	}
	<-ctx.Done()
	c.drain(cancel)
	hangUp()
	work.Wait()
	silence()
	answers.Wait()
	return nil
}

// keep keeps the link of place i: until ctx ends it makes a new one when one is
// lost, and one that stands when ctx ends it closes when serving does.
func (c *Client) keep(ctx, serving context.Context, i int) {
	pause := backoff{random: c.random, most: c.o.MaxBackoff}
	if !sleep(ctx, time.Duration(i)*stagger) {
		return
	}
	for c.turn(ctx, i) {
		began := time.Now()
		lasted, err := c.attempt(ctx, serving, i)
		if ctx.Err() != nil {
			return
		}
		var wait time.Duration
		state, detail, event := Lost, err.Error(), LinkFailed
		switch {
		case errors.Is(err, ErrRejected):
			wait = pause.rejected()
			event = LinkRejected
			state, detail = Rejected, fmt.Sprintf("%v; next attempt in %v", err, wait.Round(time.Second))
		case lasted > 0:
			event = LinkEnded
			if lasted >= settled {
				pause.reset()
			}
			wait = c.comeBack(i, &pause, lasted)
		default:
			wait = pause.next()
			if time.Since(began) >= hung {
				wait = pause.jitter(min(firstBackoff, c.o.MaxBackoff))
			}
		}
		c.change(i, func(p *place) {
			*p = place{state: state, detail: detail}
			c.err = err
		})
		c.o.Event(event)
		if state == Rejected {
			c.log.Error("auth0: Agent rejected.", "hub", c.host, "err", err, "retry", wait.Round(time.Second))
		} else {
			c.log.Warn("auth0: Connection closed, reconnecting.", "hub", c.host, "err", err, "retry", wait.Round(time.Millisecond))
		}
		if !sleep(ctx, wait) {
			return
		}
	}
}

// sleep reports whether it lasted as long as it was to, and not until ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// attempt is one link from dialling to its end. It says how long the agent was
// accepted, and why the link ended.
func (c *Client) attempt(ctx, serving context.Context, i int) (lasted time.Duration, err error) {
	c.change(i, func(p *place) { p.state, p.detail = Connecting, "" })
	c.log.Info("Connecting to websocket...", "hub", c.host)
	l, err := c.dial(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { l.close(err) }()
	if err := c.introduce(ctx, l); err != nil {
		return 0, err
	}
	start := time.Now()
	c.verify.renew() // the tenant may have exchanged its keys meanwhile
	c.change(i, func(p *place) { p.link, p.state, p.detail = l, Accepted, "" })
	c.o.Event(LinkAccepted)
	c.log.Info("auth0: Agent accepted.", "hub", c.host)
	l.work.Go(func() { l.ping(c) })
	select {
	case <-l.ctx.Done():
		return max(1, time.Since(start)), fmt.Errorf("the link to the hub ended: %w", context.Cause(l.ctx))
	case <-serving.Done():
		if c.heirs() != nil {
			l.part()
		} else {
			l.farewell()
		}
		c.log.Info("auth0: Connection closed as requested.", "hub", c.host)
		return 0, serving.Err()
	}
}

// introduce sends the agent's token and waits for the hub's verdict.
func (c *Client) introduce(ctx context.Context, l *link) error {
	token, err := proof(c.o.Signer, c.o.Connection, c.o.Realm, c.o.Now())
	if err != nil {
		return err
	}
	if err := l.write(authenticateFrame(token)); err != nil {
		return err
	}
	return l.await(ctx)
}

// await waits for the hub's verdict. A hub may close the link in the same
// breath as it says no: what it said counts, not that it closed.
func (l *link) await(ctx context.Context) error {
	timer := time.NewTimer(verdictTimeout)
	defer timer.Stop()
	var end error
	select {
	case accepted := <-l.verdict:
		return l.judged(accepted)
	case <-l.ctx.Done():
		end = fmt.Errorf("the link to the hub ended before its verdict: %w", context.Cause(l.ctx))
	case <-timer.C:
		end = fmt.Errorf("the hub did not answer the agent's token within %v", verdictTimeout)
	case <-ctx.Done():
		l.farewell()
		return ctx.Err()
	}
	select {
	case accepted := <-l.verdict:
		return l.judged(accepted)
	default:
		return end
	}
}

func (l *link) judged(accepted bool) error {
	if accepted {
		return nil
	}
	l.farewell()
	return ErrRejected
}

// drain takes no more commands, as soon as it may, and waits for those in
// flight. After Options.Drain those left are cancelled, and answered with a
// fault if there is a link.
func (c *Client) drain(cancelCommands func()) {
	if c.heirs() != nil {
		c.lull()
	} else {
		c.shut()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.pending.Wait()
	}()
	timer := time.NewTimer(c.o.Drain)
	defer timer.Stop()
	select {
	case <-done:
		return
	case <-timer.C:
	}
	cancelCommands()
	c.clear()
	timer.Reset(lastWords)
	select {
	case <-done:
	case <-timer.C:
	}
}
