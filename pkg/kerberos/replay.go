package kerberos

import (
	"crypto/sha256"
	"sync"
	"time"
)

// maxSeen is how many tokens are remembered in a generation: more than two
// hundred logins a second, at some 4 MB.
const maxSeen = 1 << 17

// replays remembers the tokens that were taken, for as long as they would be
// taken again (RFC 4120, section 3.2.3), in two generations: looking is cheap,
// and nothing must tidy up. A process knows of its own tokens only.
type replays struct {
	keep time.Duration // a token is forgotten between once and twice this time
	most int

	mu       sync.Mutex
	turned   time.Time
	now, old map[[16]byte]struct{}
}

// newReplays remembers tokens whose clock may be off by skew: one that is ahead
// is good until twice as long.
func newReplays(skew time.Duration) *replays { return &replays{keep: 2 * skew, most: maxSeen} }

// first reports whether an authenticator has not been seen before, and whether
// there was room to remember it. Only those whose ticket is good come here, so
// strangers cannot fill it.
func (r *replays) first(authenticator []byte, now time.Time) (first, room bool) {
	sum := sha256.Sum256(authenticator)
	key := [16]byte(sum[:])
	r.mu.Lock()
	defer r.mu.Unlock()
	if age := now.Sub(r.turned); r.now == nil || age >= r.keep {
		r.old, r.now, r.turned = r.now, map[[16]byte]struct{}{}, now
		if age >= 2*r.keep {
			r.old = nil
		}
	}
	if _, seen := r.now[key]; seen {
		return false, true
	}
	if _, seen := r.old[key]; seen {
		return false, true
	}
	if len(r.now) >= r.most {
		return true, false
	}
	r.now[key] = struct{}{}
	return true, true
}
