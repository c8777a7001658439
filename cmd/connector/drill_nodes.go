package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"
)

// nodesRate is how many logins a second the drill of several nodes has, unless
// somebody wants it otherwise.
const nodesRate = 200

// nodesDrill breaks and changes the nodes of a connector, one after the other.
func nodesDrill() drill {
	return drill{
		name: "nodes", says: "three nodes are killed, stopped, cut off, restarted and updated in turn, under steady logins",
		lasts: 5 * time.Minute, instead: playNodes, signIn: true,
		starts: func(*drillGround) error { return nil }, // they are three of its own
	}
}

const (
	// A drill that lasts so long has each thing befall each node.
	nodesLong = 2 * time.Minute

	// Of so many logins one comes by a browser, that often at the most.
	browsersEach  = 40
	browsersLeast = 100 * time.Millisecond
)

// A nodesKind is one thing that befalls a node.
type nodesKind struct {
	name    string
	planned bool // whoever does it wants no login lost
	heir    bool // another process takes the node's place at once: no command may go unanswered
	parts   int  // of the time that the drill lasts
	all     bool // it is done to all nodes, however short the drill
	do      func(context.Context, *nodesPlay, *drillNode) error
	undo    func(context.Context, *nodesPlay, *drillNode) error // nil: it is over by itself
	while   expectation                                         // what the others say of the node until undo
}

func nodesKinds() []nodesKind {
	signal := func(to func(int) error, stopped bool) func(context.Context, *nodesPlay, *drillNode) error {
		return func(_ context.Context, _ *nodesPlay, n *drillNode) error {
			n.stopped = stopped
			return n.signal(to)
		}
	}
	hold := func(on bool) func(context.Context, *nodesPlay, *drillNode) error {
		return func(_ context.Context, _ *nodesPlay, n *drillNode) error { n.way.Hold(on, on); return nil }
	}
	start := func(_ context.Context, p *nodesPlay, n *drillNode) error { return n.start(p.manager) }
	kill := func(_ context.Context, _ *nodesPlay, n *drillNode) error {
		return errors.Join(n.signal(killProcess), n.gone())
	}
	stop := func(_ context.Context, _ *nodesPlay, n *drillNode) error { return n.stop() }
	restart := func(ctx context.Context, _ *nodesPlay, n *drillNode) error { return n.restart(ctx) }
	update := func(ctx context.Context, p *nodesPlay, n *drillNode) error { return n.update(ctx, p.next) }
	return []nodesKind{
		{name: "killed", parts: 1, do: kill, undo: start, while: isLost},
		{name: "paused", parts: 2, do: signal(stopProcess, true), undo: signal(continueProcess, false), while: isLost},
		{name: "cut off", parts: 2, do: hold(true), undo: hold(false), while: isThere},
		{name: "restarted", parts: 1, planned: true, heir: true, do: restart},
		{name: "stopped", parts: 1, planned: true, do: stop, undo: start, while: isLost},
		{name: "updated", parts: 1, planned: true, heir: true, all: true, do: update},
	}
}

// possible reports whether this system has what a kind needs.
func (k nodesKind) possible(manager string) bool {
	switch k.name {
	case "paused":
		return canSignal
	case "restarted", "updated":
		return manager != ""
	}
	return true
}

// A nodesStep is one kind that befalls one node.
type nodesStep struct {
	nodesKind
	node     int
	lasts    time.Duration
	from, to time.Duration // of the load: from its begin until all is well again
	recovery time.Duration // after undo

	unanswered int // commands of that time, at the end
}

// nodesSteps divides the time. A short drill has each kind for one node, and
// updates all all the same.
func nodesSteps(lasts time.Duration, nodes int, manager string) (steps []nodesStep) {
	parts := 0
	for i, k := range nodesKinds() {
		if !k.possible(manager) {
			continue
		}
		for n := range nodes {
			if k.all || lasts >= nodesLong || n == i%nodes {
				steps = append(steps, nodesStep{nodesKind: k, node: n})
				parts += k.parts
			}
		}
	}
	for i := range steps {
		steps[i].lasts = lasts * time.Duration(steps[i].parts) / time.Duration(max(parts, 1))
	}
	return steps
}

// A nodesPlay is the drill of several nodes under way.
type nodesPlay struct {
	g       *drillGround
	say     func(format string, args ...any)
	nodes   []*drillNode
	manager string // the socket of a service manager's place
	program string // that the nodes begin with
	next    string // that they are updated to
	load    *rateLoad
	looks   int // at status --cluster that were judged

	hurried  time.Duration
	haproxy  string // the program; "" is none, and no browsers
	balancer string // where it listens
	hurry    bool   // the drill is a short one
	roots    *x509.CertPool
	browsers *browserLoad
}

// nodesReady is how long nodes may take to be all well.
const nodesReady = 45 * time.Second

func playNodes(ctx context.Context, a *app, g *drillGround, d drill, _ int) (r drillResult, err error) {
	p := &nodesPlay{g: g, say: a.say, program: g.program, next: d.program, hurried: a.hurried, roots: g.cloud.CAPool().Clone(), hurry: d.lasts < nodesLong}
	if p.haproxy, err = findHAProxy(d.haproxy); err != nil {
		return r, err
	}
	defer func() {
		for _, n := range p.nodes {
			err = errors.Join(err, n.end())
		}
	}()
	if err := p.set(ctx, 3); err != nil {
		return r, fmt.Errorf("before any fault: %w", err)
	}
	if p.haproxy == "" {
		p.say("  without HAProxy: there is none here, and so no sign-ins through it")
	}
	steps := nodesSteps(d.lasts, len(p.nodes), p.manager)
	if err := p.well(ctx); err != nil {
		return r, fmt.Errorf("before any fault: %w", err)
	}
	p.load = startRate(ctx, g.cloud, d.rate, p.nodeOf)
	defer p.load.end()
	if p.haproxy != "" {
		p.browsers = startBrowsers(ctx, g.cloud, p.roots, max(browsersEach*time.Second/time.Duration(d.rate), browsersLeast), p.load.start)
		defer p.browsers.end()
	}
	begun, untrue := p.load.now(), []error{}
	for i := range steps {
		s := &steps[i]
		if err := p.step(ctx, s); err != nil {
			untrue = append(untrue, fmt.Errorf("%s %s: %w", p.nodes[s.node].name, s.name, err))
		}
		if ctx.Err() != nil {
			return r, context.Cause(ctx)
		}
	}
	lasted := p.load.now() - begun
	if p.browsers != nil {
		p.browsers.end() // before the nodes, which end after the logins
	}
	p.load.end()
	p.settle(ctx, steps)
	r, lost := p.count(steps)
	r.Detail = strings.Join([]string{
		fmt.Sprintf("%.0f logins a second for %.0f s", float64(len(p.load.tries))/p.load.now().Seconds(), lasted.Seconds()),
		fmt.Sprintf("status --cluster was asked %d times", p.looks),
	}, "; ")
	if p.load.held > 0 {
		r.Detail += fmt.Sprintf("; %d logins had to wait, because %d were under way", p.load.held, rateMost)
	}
	if p.browsers != nil {
		lost = append(lost, p.countBrowsers(&r, steps)...)
	}
	p.report(r)
	return r, errors.Join(append(untrue, lost...)...)
}

// step lets one thing befall one node, and waits until all is well again.
func (p *nodesPlay) step(ctx context.Context, s *nodesStep) (err error) {
	n, begun := p.nodes[s.node], time.Now()
	s.from = p.load.now()
	defer func() { s.to = p.load.now() }()
	if err := s.do(ctx, p, n); err != nil {
		return err
	}
	if s.undo != nil {
		untrue := p.watch(ctx, s, begun)
		if err := errors.Join(untrue, s.undo(ctx, p, n)); err != nil {
			return err
		}
	}
	mended := time.Now()
	if err := p.well(ctx); err != nil {
		return fmt.Errorf("after it: %w", err)
	}
	s.recovery = time.Since(mended)
	if err := pass(ctx, max(s.lasts-time.Since(begun), lookEvery)); err != nil {
		return err
	}
	p.say("  %-9s %s, all well after %.1f s", s.name, n.name, s.recovery.Seconds())
	return nil
}

// nodesLook is how often status --cluster is asked while something lasts.
const nodesLook = time.Second

// watch has the others say what they know of a node to which something happens,
// at least once, and as long as that lasts.
func (p *nodesPlay) watch(ctx context.Context, s *nodesStep, begun time.Time) error {
	for {
		want := p.all(isWell)
		if want[s.node] = s.while; s.while == isThere && time.Since(begun) > linkDeath+slack {
			want[s.node] = isAiling
		}
		if err := p.look(ctx, s.node+1, want); err != nil {
			return err
		}
		if rest := s.lasts - time.Since(begun); rest < nodesLook {
			return pass(ctx, max(rest, 0))
		}
		if err := pass(ctx, nodesLook); err != nil {
			return err
		}
	}
}

// nodesAgain is how often a look is taken again that was not as it should be: on
// a machine with much to do a node may not answer in time.
const nodesAgain = 3

func (p *nodesPlay) look(ctx context.Context, from int, want []expectation) (err error) {
	for range nodesAgain {
		c, well, asked := askOf(ctx, p.nodes[from%len(p.nodes)])
		if err = asked; err == nil {
			err = c.judge(well, p.nodes, want)
		}
		if err == nil {
			p.looks++
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return err
}

func (p *nodesPlay) all(e expectation) (want []expectation) {
	for range p.nodes {
		want = append(want, e)
	}
	return want
}

// well waits until each node says of all that they are well.
func (p *nodesPlay) well(ctx context.Context) error {
	for i, late := 0, time.Now().Add(nodesReady); i < len(p.nodes); {
		err := p.look(ctx, i, p.all(isWell))
		if err == nil {
			i++
			continue
		}
		if ctx.Err() != nil {
			return err
		}
		for _, n := range p.nodes {
			if n.over() && n.own() {
				return fmt.Errorf("%s ended: %w: %s", n.name, n.endedBy, n.log.lastLine())
			}
		}
		if time.Now().After(late) {
			return fmt.Errorf("all is not well after %s: %w", nodesReady, err)
		}
		if err := pass(ctx, lookEvery); err != nil {
			return err
		}
	}
	return nil
}

// settle waits for the last answers, and counts those that never came.
func (p *nodesPlay) settle(ctx context.Context, steps []nodesStep) {
	count := func() (wanting int) {
		for i := range steps {
			s := &steps[i]
			s.unanswered = p.g.cloud.UnansweredOf(p.load.start.Add(s.from), p.load.start.Add(s.to))
			if s.heir {
				wanting += s.unanswered
			}
		}
		return wanting
	}
	for late := time.Now().Add(lostWithin); count() > 0 && time.Now().Before(late) && ctx.Err() == nil; {
		_ = pass(ctx, lookEvery) // what was counted is what there is
	}
}

// lostWithin is how long an answer may take that is not lost.
const lostWithin = 5 * time.Second
