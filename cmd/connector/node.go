package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"ad-ldap-connector/pkg/agent"
	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/hub"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/pkg/install"
	"ad-ldap-connector/pkg/profile"
	"ad-ldap-connector/pkg/tenant"
	"ad-ldap-connector/pkg/wsfed"
)

// A node is one running connector: its parts, and what it tells of itself.
type node struct {
	home        *home.Home
	environ     []string
	config      config.Config
	transport   *transport
	log         *slog.Logger
	provisioner *install.Provisioner
	directory   lazyDirectory
	dirReport   relay
	mapper      lazyMapper
	users       *identity.Authenticator
	agent       *agent.Agent
	stats       *stats
	offset      atomic.Int64 // the tenant's clock minus ours, once it is worth correcting
	skew        skewSaid     // of the clock's part alone
	identity    instance
	listeners   *listeners
	leads       chan struct{} // closed when it is the one that is asked: of two, the later one
	relieved    atomic.Bool   // there is another node that serves, so that this one may go
	tracer      *tracer       // nil: nobody wants traces
	joins       chan struct{} // closed when it may join the hub, which then asks it; nil: at once

	// For the console's pages.
	takeUp  func(context.Context) string // reloads the home; see succession.takeUp. nil: nobody can
	saving  sync.Mutex                   // of the mapper
	settled func()                       // of a home that is being set up for the first time: that it is; nil: it was

	// For /metrics; nil until they are known.
	hub             atomic.Pointer[hub.Client]
	hubState        atomic.Value                  // a hub.State
	unasked         atomic.Pointer[string]        // why the tenant did not take the agent in when it was last asked
	measured        atomic.Pointer[time.Duration] // the clock's offset
	certificateEnds atomic.Pointer[time.Time]

	served atomic.Pointer[config.Tenant] // the tenant settings that the hub is served with

	signIn        atomic.Pointer[signInSettings]
	signInChanged chan struct{} // holds one: there are others than before
	signInGuard   *wsfed.Guard
}

// farewells is what the hub's part may take beyond the time for the requests in
// hand, generously.
const farewells = 5 * time.Second

// newNode wires a node from its home. An error means a configuration that
// cannot work; whatever may come right by itself is a part's business.
func newNode(h *home.Home, environ []string, log *slog.Logger, counts *stats) (*node, error) {
	c, err := h.Config()
	if err != nil {
		return nil, err
	}
	for _, warning := range c.Warnings() {
		log.Warn(warning)
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Stored() { // it costs no time to open, and a reload that cannot must not take the place of what runs
		if _, err := bindPassword(h, c); err != nil {
			return nil, err
		}
	}
	t, err := homeTransport(h, c.Network, environ)
	if err != nil {
		return nil, err
	}
	for _, note := range t.Notes {
		log.Info(note)
	}
	n := &node{home: h, environ: environ, config: c, transport: t, log: log, stats: counts, listeners: newListeners(), leads: make(chan struct{})}
	if n.identity, err = loadInstance(h); err != nil {
		return nil, err
	}
	n.signInChanged, n.signInGuard = make(chan struct{}, 1), newSignInGuard(c.SignIn)
	n.provisioner = newProvisioner(h, t)
	if _, err := directoryOptions(c, "", t, log, nil); err != nil {
		return nil, err
	}
	n.directory.groupsRead = n.dirReport.groupsRead
	n.directory.watch, n.mapper.watch = counts.metrics().stage, counts.metrics().stage
	n.users = &identity.Authenticator{Directory: &n.directory, Mapper: &n.mapper, Policy: policy(c), GroupsFailed: n.groupsFailed}
	parts := []agent.Part{
		{Name: "hub", Run: n.serveHub},
		{Name: "directory", Run: n.watchDirectory},
		{Name: "clock", Run: n.watchClock},
		{Name: "mapper", Run: n.serveMapper},
		{Name: "certificate", Run: n.watchCertificate},
		{Name: "console", Run: n.serveConsole},
		{Name: "signin", Run: n.serveSignIn},
	}
	// What few have is no part of those who have it not.
	if c.Agent.PeerAddr != "" {
		parts = append(parts, agent.Part{Name: "peers", Run: n.servePeers})
	}
	if c.Signals.AuditFile != "" {
		parts = append(parts, agent.Part{Name: "audit", Run: n.watchAudit})
	}
	if n.tracer = newTracer(n); n.tracer != nil {
		parts = append(parts, agent.Part{Name: "traces", Run: n.serveTraces})
	}
	if c.Signals.HealthAddr != "" {
		parts = append(parts, agent.Part{Name: "health", Run: n.serveHealth})
	}
	if c.Signals.MetricsAddr != "" {
		parts = append(parts, agent.Part{Name: "metrics", Run: n.serveMetrics})
	}
	n.agent = agent.New(log, parts...)
	n.agent.EndWithin = max(n.agent.EndWithin, c.Agent.Leave+c.Agent.Drain+farewells)
	return n, nil
}

func newProvisioner(h *home.Home, t *transport) *install.Provisioner {
	hostname, err := os.Hostname()
	if err != nil {
		hostname = "localhost" // only names SERVER_URL, which the operator may set
	}
	return &install.Provisioner{
		Home: h, Tenant: newTenant(t),
		Version: thisBuild().Version, Hostname: hostname, Now: time.Now,
	}
}

func newTenant(t *transport) *tenant.Client {
	return &tenant.Client{HTTP: t.HTTP, Now: time.Now, UserAgent: "ad-ldap-connector/" + thisBuild().Version}
}

// run runs the node until ctx ends, and lets it finish what it has in hand.
func (n *node) run(ctx context.Context) error {
	n.stats.follow(n)
	err := n.agent.Run(ctx)
	n.transport.HTTP.CloseIdleConnections() // the next node has a transport of its own
	return errors.Join(err, n.directory.Close(), n.mapper.Close())
}

// now is the tenant's time as well as this machine knows it: tokens live a
// minute, and a machine whose clock is wrong must still get in.
func (n *node) now() time.Time { return time.Now().Add(time.Duration(n.offset.Load())) }

// groupsFailed makes a login without its groups loud.
func (n *node) groupsFailed(ctx context.Context, user *identity.Entry, err error) {
	n.stats.metrics().withoutGroups.Inc()
	n.log.Error("login went on without groups", "part", "directory", "request", identity.Request(ctx), "dn", user.DN, "err", err)
	n.dirReport.groupsFailed(err.Error())
}

// watchDirectory opens the service account's password and then watches over
// the directory. Opening takes as long as all else at a start together, on
// purpose (scrypt), so the hub does not wait for it.
func (n *node) watchDirectory(ctx context.Context, report func(agent.State, string)) error {
	report(agent.Degraded, "not asked yet")
	n.dirReport.set(report)
	defer n.dirReport.set(nil)
	d, err := openDirectory(n.home, n.config, n.transport, n.log, n.dirReport.watch, func(o *directory.Options) {
		o.Event = counting(n.stats.metrics().ofDirectory)
	})
	debug.FreeOSMemory() // scrypt took 16 MiB once, and will not again
	n.directory.set(d, err)
	if err != nil {
		n.log.Error("the directory cannot be asked", "part", "directory", "err", err)
		report(agent.Down, err.Error())
		<-ctx.Done() // it takes another configuration, and so a reload
		return nil
	}
	return d.Run(ctx)
}

// A relay passes on to the part that is running, if one is, how the directory
// fares: what its watch says and, while that is good, whether groups were read
// when they were last asked for.
type relay struct {
	mu      sync.Mutex
	to      func(agent.State, string)
	watched bool // whether the watch has said anything yet
	ok      bool // what it said last
	detail  string
	groups  string // why groups could not be read; "" when they could
}

// set begins a run of the part, or ends it when to is nil.
func (r *relay) set(to func(agent.State, string)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.to, r.watched, r.groups = to, false, ""
}

func (r *relay) watch(ok bool, detail string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watched, r.ok, r.detail = true, ok, detail
	r.say()
}

// heard reports whether the watch has said anything yet.
func (r *relay) heard() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.watched
}

// well reports whether the directory answered when it was last asked.
func (r *relay) well() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.watched && r.ok
}

func (r *relay) groupsFailed(why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.groups = why
	r.say()
}

func (r *relay) groupsRead() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.groups != "" {
		r.groups = ""
		r.say()
	}
}

// say reports the worse of the two. The lock is held.
func (r *relay) say() {
	switch {
	case r.to == nil || !r.watched:
	case !r.ok:
		r.to(agent.Down, r.detail)
	case r.groups != "":
		r.to(agent.Degraded, "groups could not be read: "+r.groups)
	default:
		r.to(agent.OK, r.detail)
	}
}

// mapperAgain is how long a mapper that does not work is left alone.
const mapperAgain = 30 * time.Second

// serveMapper brings the mapper up. A script that cannot work leaves the part
// down and every login a fault that says why. It is tried again all the same:
// what failed may have been a machine too busy to run a child in time.
func (n *node) serveMapper(ctx context.Context, report func(agent.State, string)) error {
	said := ""
	for {
		m, err := openMapper(n.home, n.config, n.log, func(o *profile.Options) { o.Event = counting(n.stats.metrics().ofMapper) })
		n.mapper.set(m, err)
		if err == nil {
			report(agent.OK, m.detail)
			<-ctx.Done()
			return nil
		}
		if err.Error() != said {
			said = err.Error()
			n.log.Error("the profile mapper does not work", "part", "mapper", "err", err)
		}
		report(agent.Down, said)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(mapperAgain):
		}
	}
}
