package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/hub"
	"ad-ldap-connector/pkg/service"
)

// changeWithin is how long the parts of a reload's next node may take to say how
// they fare, and then the hub to accept it as it did the one that runs. It takes
// over anyway: whoever reloads wants the new configuration, and what is wrong
// may be the old one.
const changeWithin = 10 * time.Second

// A succession runs nodes, one after the other as the configuration is reloaded,
// and owns what they cannot have twice.
type succession struct {
	home      *home.Home
	environ   []string
	log       *slog.Logger
	manager   *service.Notifier
	counts    *stats
	listeners *listeners
	hangup    chan os.Signal // one waits while one is at work; more say nothing new
	current   atomic.Pointer[node]
	waiting   waiting
	setup     bool // a home that nobody has set up waits for it, in the console
}

// newSuccession takes signals to reload from now on, until run has returned.
func newSuccession(h *home.Home, environ []string, manager *service.Notifier) *succession {
	s := &succession{
		home: h, environ: environ, manager: manager,
		counts: &stats{seen: hub.NewSeen()}, listeners: newListeners(), hangup: make(chan os.Signal, 1),
	}
	signal.Notify(s.hangup, syscall.SIGHUP)
	return s
}

// A turn is one node at work.
type turn struct {
	*node
	stop context.CancelFunc
	done chan error
}

// begin starts the next node, beside the one that runs. It does not join the
// hub yet. An error means a configuration that cannot work.
func (s *succession) begin(ctx context.Context) (*turn, error) {
	n, err := newNode(s.home, s.environ, s.log, s.counts)
	if err != nil {
		return nil, err
	}
	n.listeners, n.joins, n.takeUp = s.listeners, make(chan struct{}), s.takeUp
	if former := s.current.Load(); former != nil {
		n.offset.Store(former.offset.Load()) // till it has measured for itself: the hub looks at the time
	}
	ctx, stop := context.WithCancel(ctx)
	t := &turn{node: n, stop: stop, done: make(chan error, 1)}
	go func() { t.done <- n.run(ctx) }()
	return t, nil
}

// end lets the node finish what it has in hand, and returns when it has.
func (s *succession) end(t *turn) {
	t.stop()
	if err := <-t.done; err != nil {
		s.log.Warn("stop", "err", err)
	}
}

// lead makes the node the one that is asked from now on.
func (s *succession) lead(t *turn) {
	s.current.Store(t.node)
	close(t.leads)
}

// run serves until ctx ends, or another process has taken over. Only a
// configuration that cannot work at the start is an error, and a takeover of
// its own that comes to nothing.
func (s *succession) run(ctx context.Context, c *claim, over *takeover) error {
	defer s.listeners.close()
	defer signal.Stop(s.hangup)
	over.bring(s.listeners)
	handOver := func(*turn) { s.listeners.settle() }
	if s.setup && over == nil {
		var err error
		if handOver, err = s.setUp(ctx); err != nil || ctx.Err() != nil {
			return err
		}
	}
	t, err := s.begin(ctx)
	if err != nil {
		return over.refuse(err)
	}
	s.log.Info("connector starts", "version", thisBuild().Version, "home", s.home.Dir(), "instance", t.identity.ID)
	s.current.Store(t.node)
	if over == nil {
		close(t.joins) // what is asked meanwhile waits for the parts
	}
	if err := over.complete(ctx, s, t); err != nil {
		s.end(t)
		return err
	}
	s.lead(t)
	p := &pulse{ask: func() { s.current.Load().touch() }, within: pulseWithin}
	go s.manager.Watch(ctx, p.well, func(err error) { s.log.Error("the connector hangs", "err", err) })
	go s.manager.Show(ctx, func() (news, rest string) { return s.current.Load().statusLine() })
	// It has begun, and is ready in that sense: the network, the tenant and the
	// directory may come later.
	if err := s.manager.Ready(); err != nil {
		s.log.Warn("the service manager was not told", "err", err)
	}
	go handOver(t)
	d := newPorter(c, s)
	defer d.open(ctx)()
	for {
		select {
		case <-ctx.Done():
			s.end(t)
			s.log.Info("connector stopped")
			return nil
		case <-s.hangup:
			t = s.reload(ctx, t)
		case h := <-d.taken():
			if !h.settle() {
				continue
			}
			t.leave(h)
			s.listeners.close()
			s.end(t)
			h.close()
			s.log.Info("connector stopped: another process has taken over", "pid", h.pid, "version", h.version)
			return nil
		}
	}
}

// reload starts a node of the home's present configuration beside the one that
// runs and, once it serves, lets the former one end. A configuration that
// cannot work is refused, and the running one stays.
func (s *succession) reload(ctx context.Context, t *turn) *turn {
	tell := s.waiting.served()
	next, err := s.begin(ctx)
	if err != nil {
		tell(oneLine(err.Error()))
		s.counts.metrics().reloads.WithLabelValues("refused").Inc()
		s.log.Error("reload refused; the running configuration stays", "err", oneLine(err.Error()))
		return t
	}
	next.await(ctx, changeWithin, next.mute)
	close(next.joins)
	next.await(ctx, changeWithin, func() string { return next.behind(t.node) })
	s.lead(next)
	tell("")
	t.leave(next)
	s.end(t)
	s.listeners.settle()
	s.counts.metrics().reloads.WithLabelValues("done").Inc()
	s.log.Info("configuration reloaded")
	return next
}

// leave tells the node's hub client who comes after.
func (n *node) leave(to hub.Heir) {
	n.relieved.Store(true)
	if client := n.hub.Load(); client != nil {
		client.Leave(to)
	}
}

var _ hub.Heir = (*node)(nil)

// Command carries out what the hub has sent to a node that was about to end.
func (n *node) Command(frame []byte) {
	if client := n.hub.Load(); client != nil {
		client.Command(frame)
	}
}

// Reply sends the reply of a node that has lost its link.
func (n *node) Reply(ctx context.Context, reply []byte) error {
	client := n.hub.Load()
	if client == nil {
		return errors.New("there is no client of the hub yet")
	}
	return client.Reply(ctx, reply)
}

// readyEvery is how often a node that begins is looked at.
const readyEvery = 10 * time.Millisecond

// await waits until nothing is missing any more, for so long at the most; then
// it returns what still is.
func (n *node) await(ctx context.Context, within time.Duration, missing func() string) string {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	beat := time.NewTicker(readyEvery)
	defer beat.Stop()
	for {
		what := missing()
		if what == "" {
			return ""
		}
		select {
		case <-ctx.Done():
			return what
		case <-beat.C:
		}
	}
}

// mute says which of the node's parts has not said yet how it fares, without
// which no login is answered; "" is none.
func (n *node) mute() string {
	switch {
	case !n.dirReport.heard() && n.directory.failed() == nil:
		return "directory: not asked yet"
	case !n.mapper.settled():
		return "mapper: not ready"
	}
	return ""
}

// unable says what the node lacks to answer logins, and why; "" is nothing.
func (n *node) unable() string {
	if n.dirReport.well() {
		return n.mute()
	}
	return "directory: " + n.detail("directory")
}

// behind says what the node has not got yet of what the former one has: the
// hub's acceptance.
func (n *node) behind(former *node) string {
	if former.accepted() {
		return n.outside()
	}
	return ""
}

// outside says why the hub has not accepted the node, or "".
func (n *node) outside() string {
	if n.accepted() {
		return ""
	}
	return "hub: " + n.detail("hub")
}

// detail is what a part says of itself.
func (n *node) detail(part string) string {
	for _, p := range n.agent.Health() {
		if p.Part == part {
			return p.Detail
		}
	}
	return ""
}

func (n *node) accepted() bool {
	client := n.hub.Load()
	return client != nil && client.Accepted()
}
