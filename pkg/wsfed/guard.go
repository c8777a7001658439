package wsfed

import (
	"net/netip"
	"strings"
	"sync"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// A Guard keeps passwords from being guessed and accounts from being locked
// through the form. It counts the tries that the directory refused, and those
// under way, for each user name and for each address that they come from, and
// lets no further one reach the directory while there are as many as allowed
// within the time of Limits. A right password forgives its user's. Each node
// counts for itself. It is safe for concurrent use.
type Guard struct {
	limits Limits

	mu      sync.Mutex
	users   tries
	sources tries
}

// Limits bound the tries of the form. A number of 0 or less is no bound.
type Limits struct {
	PerUser   int
	PerSource int
	Within    time.Duration
}

// maxCounted bounds how many names, and how many addresses, are counted.
const maxCounted = 20_000

// tries are the times of tries in milliseconds, the oldest first, by whom they
// are counted for.
type tries map[string][]int64

// NewGuard returns a guard that has counted nothing yet.
func NewGuard(l Limits) *Guard { return &Guard{limits: l, users: tries{}, sources: tries{}} }

// An attempt is one try that was let through.
type attempt struct {
	guard        *Guard
	user, source string
	at           int64
}

// try counts a try. When there have been too many it is not let through: wait
// is how long until one is.
func (g *Guard) try(user, source string, now time.Time) (a *attempt, wait time.Duration) {
	a = &attempt{guard: g, user: folded(user), source: source, at: now.UnixMilli()}
	g.mu.Lock()
	defer g.mu.Unlock()
	wait = max(
		g.users.wait(a.user, g.limits.PerUser, g.limits.Within, a.at),
		g.sources.wait(a.source, g.limits.PerSource, g.limits.Within, a.at),
	)
	if wait > 0 {
		return nil, wait
	}
	if g.limits.PerUser > 0 {
		g.users.add(a.user, g.limits.Within, a.at)
	}
	if g.limits.PerSource > 0 {
		g.sources.add(a.source, g.limits.Within, a.at)
	}
	return a, 0
}

// right says that the password was, and forgives the user's wrong ones. Those
// of the address stay: whoever has one account might guess at others.
func (a *attempt) right() {
	a.guard.mu.Lock()
	defer a.guard.mu.Unlock()
	delete(a.guard.users, a.user)
	a.guard.sources.drop(a.source, a.at)
}

// unasked says that the directory was not, or did not answer.
func (a *attempt) unasked() {
	a.guard.mu.Lock()
	defer a.guard.mu.Unlock()
	a.guard.users.drop(a.user, a.at)
	a.guard.sources.drop(a.source, a.at)
}

// wait is how long until there are fewer than limit within the time.
func (t tries) wait(key string, limit int, within time.Duration, now int64) time.Duration {
	if limit <= 0 {
		return 0
	}
	recent := t.recent(key, within, now)
	if len(recent) < limit {
		return 0
	}
	return max(time.Millisecond, within-time.Duration(now-recent[len(recent)-limit])*time.Millisecond)
}

// recent forgets what is too long ago, and returns the rest.
func (t tries) recent(key string, within time.Duration, now int64) []int64 {
	times := t[key]
	for len(times) > 0 && now-times[0] >= within.Milliseconds() {
		times = times[1:]
	}
	if len(times) == 0 {
		delete(t, key)
		return nil
	}
	t[key] = times
	return times
}

func (t tries) add(key string, within time.Duration, now int64) {
	if _, known := t[key]; !known && len(t) >= maxCounted {
		for k := range t {
			t.recent(k, within, now)
		}
		// All recent: somebody has very many addresses. Some are forgotten, at
		// random; refusing everybody would be what they want.
		for k := range t {
			if len(t) < maxCounted*9/10 {
				break
			}
			delete(t, k)
		}
	}
	t[key] = append(t[key], now)
}

func (t tries) drop(key string, at int64) {
	times := t[key]
	for i, v := range times {
		if v == at {
			t[key] = append(times[:i:i], times[i+1:]...)
			break
		}
	}
	if len(t[key]) == 0 {
		delete(t, key)
	}
}

// folded is the name that all spellings of a user's name are counted under:
// without a domain, case, accents or outer spaces, which Active Directory does
// not look at. Users of the same name in two domains share their tries.
func folded(user string) string {
	if i := strings.LastIndexByte(user, '\\'); i >= 0 {
		user = user[i+1:]
	}
	user, _, _ = strings.Cut(user, "@")
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) || unicode.IsSpace(r) || unicode.IsControl(r) {
			return -1
		}
		return unicode.ToLower(unicode.ToUpper(r))
	}, norm.NFKD.String(user))
}

// sourceOf is what an address is counted under: itself, or the network of an
// IPv6 address, of which one user has as many as they like.
func sourceOf(remote string) string {
	var ip netip.Addr
	if at, err := netip.ParseAddrPort(remote); err == nil {
		ip = at.Addr()
	} else if ip, err = netip.ParseAddr(remote); err != nil {
		return remote
	}
	ip = ip.Unmap().WithZone("")
	if p, err := ip.Prefix(64); ip.Is6() && err == nil {
		return p.String()
	}
	return ip.String()
}
