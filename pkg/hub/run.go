package hub

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	drainTimeout = 5 * time.Second  // for the commands in flight when Run is to end
	lastWords    = 1 * time.Second  // for the faults of those that did not make it
	settled      = 10 * time.Second // an acceptance that lasts so long was a good one
)

// Run keeps the link to the hub, and answers its commands, until ctx ends. Then
// it takes no more of them, lets those in flight finish within 5 s, closes the
// link, and returns nil. It returns an error only when it is called twice.
func (c *Client) Run(ctx context.Context) error {
	if c.running.Swap(true) {
		return errors.New("hub: Run was called twice")
	}
	if c.verify.fault != nil {
		c.log.Error("no command can be verified", "err", c.verify.fault)
	}
	// Commands outlive ctx: they are given time to finish.
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	c.base = base

	pause := backoff{random: c.random, most: c.o.MaxBackoff}
	for {
		lasted, err := c.attempt(ctx, cancel)
		if ctx.Err() != nil {
			c.drain(cancel)
			return nil
		}
		c.set(nil, err)
		var wait time.Duration
		if errors.Is(err, ErrRejected) {
			wait = pause.rejected()
			c.o.State(Rejected, fmt.Sprintf("%v; next attempt in %v", err, wait.Round(time.Second)))
			c.log.Error("auth0: Agent rejected.", "hub", c.host, "err", err, "retry", wait.Round(time.Second))
		} else {
			if lasted >= settled {
				pause.reset()
			}
			wait = pause.next()
			c.o.State(Lost, err.Error())
			c.log.Warn("auth0: Connection closed, reconnecting.", "hub", c.host, "err", err, "retry", wait.Round(time.Millisecond))
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			c.drain(cancel)
			return nil
		}
	}
}

// attempt is one link from dialling to its end. It says how long the agent was
// accepted, and why the link ended. When ctx ends, the commands in flight are
// drained first.
func (c *Client) attempt(ctx context.Context, cancelCommands func()) (lasted time.Duration, err error) {
	c.o.State(Connecting, "")
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
	c.set(l, nil)
	defer func() { c.set(nil, err) }()
	detail := ""
	if c.verify.fault != nil {
		detail = c.verify.fault.Error()
	}
	c.o.State(Accepted, detail)
	c.log.Info("auth0: Agent accepted.", "hub", c.host)
	l.work.Go(func() { l.ping(c) })
	select {
	case <-l.ctx.Done():
		return time.Since(start), fmt.Errorf("the link to the hub ended: %w", context.Cause(l.ctx))
	case <-ctx.Done():
		c.drain(cancelCommands)
		l.farewell()
		c.log.Info("auth0: Connection closed as requested.", "hub", c.host)
		return 0, ctx.Err()
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

// drain takes no more commands and waits for those in flight. After
// drainTimeout those left are cancelled, and answered with a fault if there is
// a link. To call it again is harmless.
func (c *Client) drain(cancelCommands func()) {
	c.shut()
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.pending.Wait()
	}()
	timer := time.NewTimer(drainTimeout)
	defer timer.Stop()
	select {
	case <-done:
		return
	case <-timer.C:
	}
	cancelCommands()
	timer.Reset(lastWords)
	select {
	case <-done:
	case <-timer.C:
	}
}
