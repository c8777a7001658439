package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/cenkalti/backoff/v5"

	"ad-ldap-connector/pkg/agent"
	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/hub"
	"ad-ldap-connector/pkg/install"
	"ad-ldap-connector/pkg/tenant"
)

// serveHub brings the home in line with the tenant and then keeps the hub's
// link until ctx ends. A tenant that does not answer within checkTime is no
// reason to stop: the hub is tried with the settings of the last start, and the
// tenant again in the background.
func (n *node) serveHub(ctx context.Context, report func(agent.State, string)) error {
	r, fresh := n.settings(ctx, report)
	if ctx.Err() != nil || !n.mayJoin(ctx, report) {
		return nil
	}
	ctx, restart := context.WithCancelCause(ctx)
	defer restart(nil)
	stale, lost := make(chan struct{}, 1), false
	t := r.Config.Tenant
	n.served.Store(&t)
	n.setSignIn(t, r.Keys)
	client, err := hub.New(n.users, hub.Options{
		URL: t.Hub, Connection: t.Connection, Realm: t.Realm,
		Signer: r.Keys.Signer, SigningKey: string(t.SigningKey), KeySet: n.keySet(t),
		Seen: n.stats.seen, HTTP: n.transport.HTTP, Log: n.log.With("part", "hub"), Now: n.now,
		WriteBack: n.config.Policy.WriteBack, MaxInFlight: n.config.Agent.MaxInFlight,
		Links: n.config.Agent.HubLinks, Drain: n.config.Agent.Drain,
		RequestTimeout: n.config.Agent.RequestTimeout, MaxBackoff: n.config.Agent.ReconnectInterval,
		Explain:  func(err error) error { return tenant.Explain("", hostOf(t.Hub), err) }, // hub says itself what it was doing
		Answered: n.answered, Event: counting(n.stats.metrics().ofHub),
		State: func(s hub.State, detail string) {
			n.hubState.Store(s)
			// The hub knows only that it does not know us; the tenant said why.
			if why := n.unasked.Load(); s == hub.Rejected && why != nil {
				detail += "; " + *why
			}
			if s != hub.Connecting { // until it is known better, what was said last holds
				report(hubHealth(s), detail)
			}
			// A tenant that sends its signing key may have exchanged it while we
			// were away; one that publishes its keys is asked by the hub's client.
			back := lost && s == hub.Accepted && t.SigningKey != ""
			lost = s != hub.Accepted && (lost || s == hub.Lost)
			if back || s == hub.Rejected {
				select {
				case stale <- struct{}{}:
				default: // one is waiting already
				}
			}
		},
	})
	if err != nil {
		return err
	}
	n.hub.Store(client)
	report(agent.Down, "connecting to the hub at "+hostOf(t.Hub))
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.keepFresh(ctx, fresh, r, stale, restart)
	}()
	err = client.Run(ctx)
	restart(nil)
	<-done
	if errors.Is(context.Cause(ctx), errMoved) {
		return errMoved // the agent starts this part again, with the new settings
	}
	return err
}

// mayJoin waits until this node is wanted at the hub: one that comes after
// another one is not, until it can answer.
func (n *node) mayJoin(ctx context.Context, report func(agent.State, string)) bool {
	if n.joins == nil {
		return true
	}
	report(agent.Down, "waiting for the directory, before the hub may ask")
	select {
	case <-n.joins:
		return true
	case <-ctx.Done():
		return false
	}
}

// keySet reads the keys that the tenant publishes, where its ticket came from;
// nil when there is none.
func (n *node) keySet(t config.Tenant) func(context.Context) ([]byte, error) {
	ticket, err := tenant.ParseTicket(string(t.Ticket))
	if err != nil {
		return nil
	}
	return func(ctx context.Context) ([]byte, error) { return n.provisioner.Tenant.KeySet(ctx, ticket) }
}

// settings asks the tenant until there is enough to serve the hub with, and
// says whether it comes from the tenant and not from the last start. When ctx
// ends there may be nothing.
func (n *node) settings(ctx context.Context, report func(agent.State, string)) (r install.Result, fresh bool) {
	report(agent.Down, "asking the tenant for its settings")
	pause := &backoff.ExponentialBackOff{InitialInterval: time.Second, RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: 30 * time.Second}
	pause.Reset()
	for {
		r, err := n.refresh(ctx)
		switch {
		case err == nil || ctx.Err() != nil:
			return r, err == nil
		case complete(r):
			n.log.Warn("going on with the tenant's settings of the last start", "part", "hub", "err", err)
			return r, false
		}
		n.log.Warn("ask the tenant for its settings", "part", "hub", "err", err)
		report(agent.Down, err.Error())
		select {
		case <-ctx.Done():
			return r, false
		case <-time.After(pause.NextBackOff()):
		}
	}
}

var errMoved = errors.New("the tenant's settings or the agent's keys changed")

func hubHealth(s hub.State) agent.State {
	switch s {
	case hub.Accepted:
		return agent.OK
	case hub.Rejected, hub.Keyless:
		return agent.Degraded
	}
	return agent.Down
}

// refresh asks the tenant, within a bound.
func (n *node) refresh(ctx context.Context) (install.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	if n.config.Tenant.Ticket == "" { // a home that was set up by hand, without a ticket
		pair, err := n.home.Keys(n.config)
		return install.Result{Config: n.config, Keys: pair}, err
	}
	r, err := n.provisioner.Refresh(ctx)
	n.unasked.Store(nil)
	if err != nil {
		why := err.Error()
		n.unasked.Store(&why)
	}
	for _, note := range r.Notes {
		n.log.Warn(note, "part", "hub")
	}
	if err == nil {
		n.log.Info("Connector setup complete.", "connection", r.Config.Tenant.Connection, "part", "hub")
	}
	return r, err
}

// complete reports whether a home knows enough to serve the hub without asking
// the tenant first.
func complete(r install.Result) bool {
	t := r.Config.Tenant
	return r.Keys != nil && t.Hub != "" && t.Connection != "" && t.Realm != ""
}

// keepFresh asks the tenant again, with backoff, while the settings are not
// fresh, and whenever they are stale: when the hub rejects the agent, for a
// tenant that lost the certificate learns it anew, and when a link is there
// again. Settings that changed restart the part.
func (n *node) keepFresh(ctx context.Context, fresh bool, served install.Result, stale <-chan struct{}, restart context.CancelCauseFunc) {
	pause := &backoff.ExponentialBackOff{InitialInterval: 5 * time.Second, RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: 5 * time.Minute}
	pause.Reset()
	failed := !fresh
	for {
		if fresh {
			failed = false
			pause.Reset()
			select {
			case <-ctx.Done():
				return
			case <-stale:
				fresh = false
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause.NextBackOff()):
		}
		r, err := n.refresh(ctx)
		if err != nil {
			n.log.Warn("ask the tenant for its settings", "part", "hub", "err", err)
			failed = true
			continue
		}
		fresh = true
		n.setSignIn(r.Config.Tenant, r.Keys)
		// An agent that could not register, and now did, need not wait until the
		// hub is tried again, slowly.
		if !sameHub(served, r) || failed && n.hubState.Load() == hub.Rejected {
			restart(errMoved)
			return
		}
	}
}

// sameHub reports whether two results lead to the same hub with the same keys,
// the tenant's and ours: a key pair that was exchanged in the home has just
// been registered, and the hub would reject the former one for ever.
func sameHub(a, b install.Result) bool {
	t, u := a.Config.Tenant, b.Config.Tenant
	return t.Hub == u.Hub && t.Connection == u.Connection && t.Realm == u.Realm && t.SigningKey == u.SigningKey &&
		a.Keys.Thumbprint() == b.Keys.Thumbprint()
}

// How often the tenant's clock is asked: often while something is wrong with
// it, so that a mended clock is seen at once.
const (
	clockEvery      = 10 * time.Second
	clockWrongEvery = 5 * time.Second
	clockSaidEvery  = 10 * time.Minute // in the log, while it stays wrong
	clockWarns      = time.Second
	clockDegrades   = 5 * time.Second
)

func (n *node) watchClock(ctx context.Context, report func(agent.State, string)) error {
	ticket, err := tenant.ParseTicket(string(n.config.Tenant.Ticket))
	if err != nil {
		report(agent.OK, "not compared: there is no ticket that names the tenant")
		<-ctx.Done()
		return nil //nolint:nilerr // it has been said
	}
	// A machine that has just started may have its network in a moment.
	silent := &backoff.ExponentialBackOff{InitialInterval: time.Second, RandomizationFactor: 0.2, Multiplier: 2, MaxInterval: clockEvery}
	silent.Reset()
	for {
		pause := clockWrongEvery
		clock, err := n.provisioner.Tenant.Clock(ctx, ticket)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the node stops, and so the question was given up
		}
		switch {
		case err != nil:
			report(agent.Degraded, err.Error())
			pause = silent.NextBackOff()
		case n.judge(clock, report):
			pause = clockEvery
			silent.Reset()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// skewSaid is when the log was last told that the clock is wrong, and how much.
type skewSaid struct {
	at  time.Time
	bad bool
}

// judge reports one comparison of clocks, and whether they agree. Half the
// round trip is the comparison's own uncertainty, and not held against anyone.
func (n *node) judge(clock tenant.Clock, report func(agent.State, string)) bool {
	n.measured.Store(&clock.Offset)
	n.stats.console().series.Clock(clock.Offset)
	apart := max(0, clock.Offset.Abs()-clock.RoundTrip/2)
	if apart <= clockWarns {
		n.offset.Store(0)
		n.skew = skewSaid{}
		report(agent.OK, fmt.Sprintf("%s apart", clock.Offset.Abs().Round(time.Millisecond)))
		return true
	}
	n.offset.Store(int64(clock.Offset))
	now := time.Now()
	skew := &install.ClockSkewError{Local: now, Tenant: now.Add(clock.Offset)}
	bad := apart > clockDegrades
	if n.skew.at.IsZero() || bad != n.skew.bad || now.Sub(n.skew.at) >= clockSaidEvery {
		n.skew = skewSaid{now, bad}
		n.log.Warn(skew.Error(), "part", "clock", "hint", skew.Hint())
	}
	if bad {
		report(agent.Degraded, skew.Error())
	} else {
		report(agent.OK, skew.Error())
	}
	return false
}

// certificateWarns is how long before its end the certificate is spoken of.
const certificateWarns = 30 * 24 * time.Hour

// How often the certificate is read: often while it cannot be, for the hub's
// part makes it at the first start; and when its file has changed, which is
// looked at more often.
const (
	certificateEvery      = time.Hour
	certificateWrongEvery = 5 * time.Second
	certificateLook       = 2 * time.Second
)

func (n *node) watchCertificate(ctx context.Context, report func(agent.State, string)) error {
	for {
		pause, seen := certificateEvery, n.certificateFile()
		pair, err := n.home.Keys(n.config)
		if err == nil {
			n.certificateEnds.Store(&pair.Certificate.NotAfter)
		}
		switch {
		case err != nil:
			report(agent.Degraded, err.Error())
			pause = certificateWrongEvery
		case time.Until(pair.Certificate.NotAfter) < certificateWarns:
			report(agent.Degraded, fmt.Sprintf("the agent's certificate %s ends on %s; renew it: connector keys renew", pair.Thumbprint(), pair.Certificate.NotAfter.UTC().Format(time.DateOnly)))
		default:
			report(agent.OK, "thumbprint "+pair.Thumbprint())
		}
		for again := time.Now().Add(pause); time.Now().Before(again) && sameFile(seen, n.certificateFile()); {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(certificateLook):
			}
		}
	}
}

// certificateFile is what can be seen of the certificate's file, nil where
// there is none.
func (n *node) certificateFile() fs.FileInfo {
	info, err := os.Lstat(n.home.Path("certs", "cert.pem"))
	if err != nil {
		return nil
	}
	return info
}
