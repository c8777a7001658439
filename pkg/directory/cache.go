package directory

import (
	"context"
	"sync"
	"time"

	"ad-ldap-connector/pkg/identity"

	"github.com/jellydator/ttlcache/v3"
)

// How many users' groups are remembered, and in how many octets; the ones that
// were not asked for longest go first.
const (
	maxCached       = 10_000
	maxCachedOctets = 64 << 20
)

// A membership is the groups of one user.
type membership struct {
	groups  []identity.Group
	server  string
	how     string    // by which question, for whoever explains a login; "" means GroupsFilter
	skipped int       // groups of other domains, or that are not to be seen
	asOf    time.Time // of the oldest thing it was made of; zero means now
	cached  bool
}

// groupCache remembers the groups of users, and lets those who ask for the
// same user at the same time wait for one search.
type groupCache struct {
	ttl   time.Duration
	now   func() time.Time
	life  context.Context
	spawn func(func()) bool
	kept  *ttlcache.Cache[string, remembered]

	mu      sync.Mutex
	loading map[string]*load
}

type remembered struct {
	membership
	until time.Time
}

// cost is about how many octets one user's groups take, and no less: an
// allocation may be an eighth larger than what was asked for.
func cost(item ttlcache.CostItem[string, remembered]) uint64 {
	n := len(item.Key) + 600 // the cache's own
	for _, g := range item.Value.groups {
		n += len(g.DN) + 15 + len(g.Label) + 40 // a string's and a slice's own
	}
	return uint64(n + n/8)
}

// A load is a search under way.
type load struct {
	done    chan struct{}
	cancel  context.CancelFunc
	waiters int
	m       membership
	err     error
}

func newGroupCache(life context.Context, ttl time.Duration, now func() time.Time, spawn func(func()) bool) *groupCache {
	return &groupCache{
		ttl: ttl, now: now, life: life, spawn: spawn,
		// The age is kept here, by our clock; the library bounds the number and
		// the size.
		kept:    ttlcache.New(ttlcache.WithCapacity[string, remembered](maxCached), ttlcache.WithMaxCost(maxCachedOctets, cost)),
		loading: map[string]*load{},
	}
}

// get returns the groups of dn, remembered or read. What read returns with an
// error is not remembered.
func (g *groupCache) get(ctx context.Context, dn string, read func(context.Context) (membership, error)) (membership, error) {
	if g.ttl <= 0 {
		return read(ctx)
	}
	key := dn // as it is: to some directories case tells one user from another
	g.mu.Lock()
	if item := g.kept.Get(key); item != nil && g.now().Before(item.Value().until) {
		g.mu.Unlock()
		m := item.Value().membership
		m.cached = true
		return m.clone(), nil
	}
	l := g.loading[key]
	if l == nil {
		l = g.start(key, read)
	}
	if l == nil {
		g.mu.Unlock()
		return membership{}, ErrClosed
	}
	l.waiters++
	g.mu.Unlock()

	select {
	case <-l.done:
		return l.m.clone(), l.err
	case <-ctx.Done():
		g.mu.Lock()
		defer g.mu.Unlock()
		if l.waiters--; l.waiters == 0 { // nobody wants it any more
			l.cancel()
			if g.loading[key] == l {
				delete(g.loading, key)
			}
		}
		return membership{}, context.Cause(ctx)
	}
}

// start reads in a goroutine that outlives its first caller, if another waits.
// It returns nil when there is no reading any more.
func (g *groupCache) start(key string, read func(context.Context) (membership, error)) *load {
	ctx, cancel := context.WithCancel(g.life)
	l := &load{done: make(chan struct{}), cancel: cancel}
	began := g.now()
	if !g.spawn(func() {
		defer cancel()
		l.m, l.err = guardedRead(ctx, read)
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.loading[key] == l {
			delete(g.loading, key)
		}
		if l.err == nil {
			since := l.m.asOf
			if since.IsZero() {
				since = began
			}
			// The copy holds no more than what its cost says.
			g.kept.Set(key, remembered{l.m.clone(), since.Add(g.ttl)}, ttlcache.NoTTL)
		}
		close(l.done)
	}) {
		cancel()
		return nil
	}
	g.loading[key] = l
	return l
}

// guardedRead reads, and turns a panic into an error: it would end the process.
func guardedRead(ctx context.Context, read func(context.Context) (membership, error)) (m membership, err error) {
	defer guard(&err)
	return read(ctx)
}

// clone copies what callers may write to.
func (m membership) clone() membership {
	if m.groups == nil {
		return m
	}
	size := 0
	for _, g := range m.groups {
		size += len(g.Label)
	}
	labels := make([]byte, 0, size)
	groups := make([]identity.Group, len(m.groups))
	for i, g := range m.groups {
		start := len(labels)
		labels = append(labels, g.Label...)
		groups[i] = identity.Group{DN: g.DN, Label: labels[start:len(labels):len(labels)]}
	}
	m.groups = groups
	return m
}
