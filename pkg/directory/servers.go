package directory

import (
	"errors"
	"sync"
	"time"
)

// servers are the URLs in order of preference, and which of them works.
type servers struct {
	all []*server
	err error // of URLs that cannot be used

	mu       sync.Mutex
	current  int
	switched time.Time // when current was last chosen instead of the first
	probing  bool
}

func (ss *servers) parse(o Options) {
	if len(o.URLs) == 0 {
		ss.err = errors.New("no URL is configured")
		return
	}
	var bad unreachable
	for _, text := range o.URLs {
		s, err := parseURL(text, o)
		if err != nil {
			bad = append(bad, err)
			continue
		}
		ss.all = append(ss.all, s)
	}
	if len(bad) > 0 {
		ss.err = bad
	}
}

// preferred returns the server that works, as far as is known; nil when there
// is none at all.
func (ss *servers) preferred() *server {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if len(ss.all) == 0 {
		return nil
	}
	return ss.all[ss.current]
}

// order returns the servers in the order in which to try them.
func (ss *servers) order() []*server {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	out := make([]*server, 0, len(ss.all))
	for i := range ss.all {
		out = append(out, ss.all[(ss.current+i)%len(ss.all)])
	}
	return out
}

// choose remembers the server that works, and reports whether it is another.
func (ss *servers) choose(s *server, now time.Time) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.all[ss.current] == s {
		return false
	}
	for i, other := range ss.all {
		if other == s {
			ss.current, ss.switched = i, now
		}
	}
	return true
}

// probe returns the first server when it is time to try it again, and nil
// otherwise. Whoever gets it calls probed.
func (ss *servers) probe(now time.Time) *server {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.current == 0 || ss.probing || now.Sub(ss.switched) < preferAfter {
		return nil
	}
	ss.probing = true
	return ss.all[0]
}

func (ss *servers) probed(now time.Time) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.probing, ss.switched = false, now
}
