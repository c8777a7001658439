package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"ad-ldap-connector/pkg/home"
)

const (
	takeoverFlag = "--takeover"
	// takeoverWithin is how long a process that takes over may take to serve.
	takeoverWithin = 60 * time.Second
	handedWithin   = 10 * time.Second // for a reply of the process before
)

// A takeover is this process on its way to take the place of the one that runs
// in the home.
type takeover struct {
	wire    *porterWire
	claim   *claim
	former  word
	sockets []net.Listener // as in former
	within  time.Duration
	watch   time.Duration // how long it has to be well before it takes over
}

// knock asks the connector that runs in the home for its sockets. Nil means that
// none does, and that there is nothing to take over.
func knock(h *home.Home, c *claim, within time.Duration) (*takeover, error) {
	if !h.Locked() {
		return nil, nil //nolint:nilnil // see above
	}
	conn, err := dialPorter(h.Path(porterFile))
	if err != nil {
		return nil, silentError(h, err)
	}
	o := &takeover{wire: newPorterWire(conn, maxHanded), claim: c, within: within}
	err = o.wire.say(word{Say: sayTakeover, Version: thisBuild().Version, PID: pid()}, porterPatience)
	if err == nil {
		o.former, o.sockets, err = hearWithSockets(o.wire, porterPatience, sayHello)
	}
	if err != nil {
		_ = conn.Close() // all is said
		return nil, silentError(h, err)
	}
	return o, nil
}

// silentError explains that the running connector did not answer, unless it did.
func silentError(h *home.Home, err error) error {
	if refused := (*refusedError)(nil); errors.As(err, &refused) {
		return fmt.Errorf("take over from the connector in %s: %w", h.Dir(), err)
	}
	if errors.Is(err, errNoPorter) {
		return fmt.Errorf("take over from the connector in %s: %w", h.Dir(), err)
	}
	return &hinted{fmt.Errorf("take over from the connector in %s: it does not answer: %w", h.Dir(), err),
		"it is of an earlier version, or hangs; restart it by its service manager: systemctl restart auth0-adldap"}
}

// bring makes the sockets of the former process those of this one.
func (o *takeover) bring(to *listeners) {
	if o == nil {
		return
	}
	for i, ln := range o.sockets {
		to.adopt(o.former.Sockets[i], ln)
	}
}

// complete makes this process the one that runs, once its node serves. After an
// error the former one goes on.
func (o *takeover) complete(ctx context.Context, s *succession, t *turn) error {
	if o == nil {
		return nil
	}
	err := o.settle(ctx, t, s.log)
	if err != nil {
		return o.refuse(err)
	}
	s.manager.Speak()
	s.log.Info("took over", "from", o.former.PID, "version", o.former.Version)
	go o.inherit(s)
	return nil
}

// wellFor says what is missing until for so long nothing was.
func (t *turn) wellFor(watch time.Duration) func() string {
	since := time.Now()
	return func() string {
		what := t.unable()
		if what == "" {
			what = t.outside()
		}
		switch {
		case what != "":
			since = time.Now()
		case time.Since(since) < watch:
			what = fmt.Sprintf("it has been well for %v only", time.Since(since).Round(time.Second))
		}
		return what
	}
}

// refuse says that this process will not take over.
func (o *takeover) refuse(err error) error {
	if o != nil {
		_ = o.wire.say(refusal(err), porterPatience) // it may have ended
		_ = o.wire.conn.Close()                      // the same
	}
	return err
}

func (o *takeover) settle(ctx context.Context, t *turn, log *slog.Logger) error {
	begun := time.Now()
	what := t.await(ctx, o.within, t.unable)
	if what == "" {
		close(t.joins)
		what = t.await(ctx, o.within-time.Since(begun), t.outside)
	}
	if what == "" && o.watch > 0 {
		log.Info("serving beside the former process", "from", o.former.PID, "watch", o.watch)
		what = t.await(ctx, o.within+o.watch, t.wellFor(o.watch))
	}
	if what != "" {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return &hinted{fmt.Errorf("take over from process %d: not ready within %v: %s", o.former.PID, o.within, what),
			"the former process goes on; mend what is named, or give it more time: --takeover-timeout"}
	}
	err := o.wire.say(word{Say: sayGo}, porterPatience)
	if err == nil {
		// It may be in the middle of a reload, and let a node end.
		_, err = o.wire.hear(o.within, sayYours)
	}
	if refused := (*refusedError)(nil); errors.As(err, &refused) {
		return fmt.Errorf("take over from process %d: %w", o.former.PID, err)
	}
	if err != nil { // whoever has the lock knows whether it has ended
		log.Warn("the former process fell silent", "pid", o.former.PID, "err", err)
	}
	if err := o.claim.take(lockPatience); err != nil {
		return fmt.Errorf("take over from process %d: %w", o.former.PID, err)
	}
	if err = o.wire.say(word{Say: sayHere}, porterPatience); err == nil {
		_, err = o.wire.hear(lockPatience, sayDone)
	}
	if refused := (*refusedError)(nil); errors.As(err, &refused) {
		return errors.Join(fmt.Errorf("take over from process %d: %w", o.former.PID, err), o.claim.release())
	}
	return nil // if it has ended meanwhile, the home is ours
}

// inherit acts on what the former process hands on, until it has ended.
func (o *takeover) inherit(s *succession) {
	defer func() { _ = o.wire.conn.Close() }() // the other end has ended
	for {
		w, err := o.wire.hear(0, sayCommand, sayReply)
		switch {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			s.log.Warn("the former process fell silent", "pid", o.former.PID, "err", err)
			return
		case w.Say == sayCommand:
			s.current.Load().Command(w.Frame)
		default:
			go func() {
				ctx, cancel := context.WithTimeout(context.Background(), handedWithin)
				defer cancel()
				if err := s.current.Load().Reply(ctx, w.Frame); err != nil {
					s.log.Error("a reply of the former process was lost", "err", err)
				}
			}()
		}
	}
}
