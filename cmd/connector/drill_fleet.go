package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/hub"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/pkg/install"
)

const (
	fleetSize = 200

	// What is asked of a fleet whose links all end at once: no second may hold
	// more of the returns than this share, and all are back within this time.
	fleetCrowd  = 0.15
	fleetReturn = 30 * time.Second
)

// fleetDrill shows many nodes of one connection, in this one process.
func fleetDrill() drill {
	return drill{
		name: "fleet", says: fmt.Sprintf("%d agents share the work, lose all links at once, and half of them leave", fleetSize),
		lasts: 10 * time.Second, instead: fleetOf(fleetSize),
		starts: func(*drillGround) error { return nil }, // no process of its own
	}
}

// A fleetAgent is one node, as far as the hub sees it.
type fleetAgent struct {
	client   *hub.Client
	answered atomic.Int64
	stop     context.CancelFunc
	ended    chan error

	mu   sync.Mutex
	up   bool
	back time.Time // when the hub accepted it last
}

func (f *fleetAgent) state(s hub.State, _ string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.up = s == hub.Accepted; f.up {
		f.back = time.Now()
	}
}

// since says when the hub accepted it again, if that was after a moment.
func (f *fleetAgent) since(moment time.Time) (after time.Duration, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.back.Sub(moment), f.up && f.back.After(moment)
}

type fleet []*fleetAgent

// back are the times after a moment at which agents were accepted again, in
// order.
func (f fleet) back(moment time.Time) (times []time.Duration) {
	for _, one := range f {
		if after, ok := one.since(moment); ok {
			times = append(times, after)
		}
	}
	slices.Sort(times)
	return times
}

// spread are the fewest and the most answers of one agent.
func (f fleet) spread() (least, most int64) {
	least = f[0].answered.Load()
	for _, one := range f {
		n := one.answered.Load()
		least, most = min(least, n), max(most, n)
	}
	return least, most
}

// leave has agents stop in good order, all at once.
func (f fleet) leave() error {
	for _, one := range f {
		one.stop()
	}
	var errs []error
	for _, one := range f {
		errs = append(errs, <-one.ended)
	}
	return errors.Join(errs...)
}

// crowded is the largest share of times, in order, within one second, wherever
// that second is laid.
func crowded(times []time.Duration) float64 {
	most, end := 0, 0
	for i, from := range times {
		for end < len(times) && times[end]-from < time.Second {
			end++
		}
		most = max(most, end-i)
	}
	return float64(most) / float64(max(len(times), 1))
}

// gather starts the agents: one home's settings and key pair, as the nodes of a
// connection have them, and one client of the directory.
func (g *drillGround) gather(ctx context.Context, size int) (f fleet, closing func() error, err error) {
	log := slog.New(slog.DiscardHandler)
	h, err := home.Open(g.home, nil)
	if err != nil {
		return nil, nil, err
	}
	c, err := h.Config()
	if err != nil {
		return nil, nil, err
	}
	t, err := homeTransport(h, c.Network, g.environ)
	if err != nil {
		return nil, nil, err
	}
	r, err := newProvisioner(h, t).Refresh(ctx)
	if err != nil {
		return nil, nil, err
	}
	dir, err := openDirectory(h, r.Config, t, log, nil)
	if err != nil {
		return nil, nil, err
	}
	m, err := openMapper(h, r.Config, log)
	if err != nil {
		return nil, nil, errors.Join(err, dir.Close())
	}
	closing = func() error { t.HTTP.CloseIdleConnections(); return errors.Join(m.Close(), dir.Close()) }
	users := &identity.Authenticator{Directory: dir, Mapper: m, Policy: policy(r.Config)}
	for range size {
		one := &fleetAgent{ended: make(chan error, 1)}
		if one.client, err = hub.New(users, fleetOptions(r, t, one)); err != nil {
			return nil, nil, errors.Join(err, f.leave(), closing())
		}
		var running context.Context
		running, one.stop = context.WithCancel(ctx)
		go func() { one.ended <- one.client.Run(running) }()
		f = append(f, one)
	}
	return f, closing, nil
}

func fleetOptions(r install.Result, t *transport, one *fleetAgent) hub.Options {
	at, a := r.Config.Tenant, r.Config.Agent
	return hub.Options{
		URL: at.Hub, Connection: at.Connection, Realm: at.Realm, Signer: r.Keys.Signer, SigningKey: string(at.SigningKey),
		HTTP: t.HTTP, Now: time.Now, WriteBack: r.Config.Policy.WriteBack,
		MaxInFlight: a.MaxInFlight, Links: a.HubLinks, Drain: a.Drain, RequestTimeout: a.RequestTimeout, MaxBackoff: a.ReconnectInterval,
		State: one.state, Answered: func(hub.Answer) { one.answered.Add(1) },
	}
}

// fleetOf plays the drill with so many agents. The acceptance is that of
// fleetSize: the returns of few crowd by chance.
func fleetOf(size int) func(context.Context, *app, *drillGround, drill, int) (drillResult, error) {
	return func(ctx context.Context, _ *app, g *drillGround, d drill, inFlight int) (r drillResult, err error) {
		f, closing, err := g.gather(ctx, size)
		if err != nil {
			return r, err
		}
		left := f
		defer func() { err = errors.Join(err, left.leave(), closing()) }()
		began := time.Time{}
		if err := g.await(ctx, fleetReturn, func() bool { return len(f.back(began)) == size }); err != nil {
			return r, fmt.Errorf("wait for %d agents to be accepted: %w", size, err)
		}
		load := startLoad(ctx, g.cloud, inFlight, nil)
		defer load.end()
		if err := pass(ctx, d.lasts); err != nil {
			return r, err
		}
		least, most := f.spread()

		dropped, from := time.Now(), load.now()
		g.cloud.DropAgents()
		late := g.await(ctx, fleetReturn+slack, func() bool { return len(f.back(dropped)) == size })
		times := f.back(dropped)
		share, last := crowded(times), time.Duration(0)
		if len(times) > 0 {
			last = times[len(times)-1]
		}

		left = f[size/2:]
		if err := f[:size/2].leave(); err != nil {
			return r, fmt.Errorf("stop half of the agents: %w", err)
		}
		if err := g.await(ctx, waitTime, func() bool { return load.steady(load.now() - time.Second) }); err != nil {
			return r, fmt.Errorf("after half of the agents have left: %w", err)
		}
		load.end()
		c := load.count(from, from)
		r = drillResult{
			Answered: c.accepted + c.refused + c.faulted + c.wrong, Refused: c.refused, Lost: c.lost, Faulted: c.faulted,
			Recover: ms(last), Worst: ms(c.worst),
			Detail: fmt.Sprintf("each of %d agents answered %d to %d logins; after all links ended at once no second held more than %.1f%% of the returns, and all were back after %.1f s; then %d left under load",
				size, least, most, 100*share, last.Seconds(), size/2),
		}
		return r, errors.Join(late, judgeFleet(size, least, share, last, c))
	}
}

func judgeFleet(size int, least int64, share float64, last time.Duration, c outcomes) error {
	var errs []error
	if least == 0 {
		errs = append(errs, errors.New("an agent had no work"))
	}
	if size >= fleetSize && share > fleetCrowd {
		errs = append(errs, fmt.Errorf("%.1f%% of the agents came back in one second", 100*share))
	}
	if last > fleetReturn {
		errs = append(errs, fmt.Errorf("the last agent was back after %s", last.Round(time.Second)))
	}
	if c.lost+c.faulted+c.wrong > 0 {
		errs = append(errs, fmt.Errorf("%d logins got no answer, %d were faults, %d answers were not true", c.lost, c.faulted, c.wrong))
	}
	return errors.Join(errs...)
}
