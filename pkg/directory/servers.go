package directory

import (
	"slices"
	"sync"
	"time"
)

// maxPause is the longest time between two tries to return to a server that
// refuses the service account: each counts towards a lock.
const maxPause = 15 * time.Minute

// servers are those that hold the directory, in order of preference, and which
// of them is in use. It does no I/O: who does tells it what came of it.
type servers struct {
	returnAfter time.Duration
	now         func() time.Time

	mu      sync.Mutex
	all     []*server
	current *server
}

// A mark is what the list knows of one of its servers.
type mark struct {
	rank   int           // servers of the same rank are as good as each other; lower is better
	listed bool          // whether it belongs to the list still
	down   bool          // it could not be used when that was last tried
	why    error         // of down
	pause  time.Duration // between two tries to return to it
	again  time.Time     // when the next is due
	trying bool
}

// A change is one of the server in use.
type change struct {
	from, to *server // from is nil at first
	why      error   // why from is no longer used; nil when to is the better one
}

// set replaces the list. Servers that stay keep what is known of them.
func (ss *servers) set(all []*server, ranks []int) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	for _, s := range ss.all {
		s.mark.listed = false
	}
	for i, s := range all {
		s.mark.listed, s.mark.rank = true, ranks[i]
	}
	ss.all = all
}

// order returns the servers in the order in which to try them: the one in use,
// and those that are known not to work last.
func (ss *servers) order() []*server {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	out := slices.Clone(ss.all)
	place := func(s *server) int {
		switch {
		case s.mark.down:
			return 2
		case s == ss.current:
			return 0
		}
		return 1
	}
	slices.SortStableFunc(out, func(a, b *server) int { return place(a) - place(b) })
	return out
}

// left reports whether another server than s is in use, and works.
func (ss *servers) left(s *server) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.current != nil && ss.current != s && ss.current.mark.listed && !ss.current.mark.down
}

// elsewhere reports whether another server than s may work.
func (ss *servers) elsewhere(s *server) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.others(s)
}

func (ss *servers) others(s *server) bool {
	return slices.ContainsFunc(ss.all, func(o *server) bool { return o != s && !o.mark.down })
}

// avoided returns why s should not be waited for, while another server may
// work; nil when it may be.
func (ss *servers) avoided(s *server) error {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if !s.mark.down || !ss.others(s) {
		return nil
	}
	return s.mark.why
}

// works tells that s could be used. It becomes the one in use, unless there is
// one that works: an operation that was under way for long has old news.
func (ss *servers) works(s *server) (change, bool) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s.mark.down = false
	if was := ss.current; was != nil && was != s && was.mark.listed && !was.mark.down {
		return change{}, false
	}
	return ss.use(s)
}

// use makes s the one in use.
func (ss *servers) use(s *server) (change, bool) {
	ch := change{from: ss.current, to: s}
	if ch.from == s || !s.mark.listed {
		return change{}, false
	}
	switch {
	case ch.from != nil && !ch.from.mark.listed:
		ch.why = errUnlisted
	case ch.from != nil && ch.from.mark.down:
		ch.why = ch.from.mark.why
	}
	// The first answer may come from another server than the first.
	if first := ss.all[0]; ch.from == nil && first != s && first.mark.down {
		ch.from, ch.why = first, first.mark.why
	}
	ss.current = s
	return ch, true
}

// fails tells that s cannot be used.
func (ss *servers) fails(s *server, why error) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if !s.mark.down {
		s.mark.pause = ss.returnAfter
	}
	s.mark.down, s.mark.why = true, why
	s.mark.again = ss.now().Add(s.mark.pause)
}

// due returns a server that is better than the one in use when it is time to
// try it again, and nil otherwise. Whoever gets it calls tried.
func (ss *servers) due() *server {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.current == nil {
		return nil
	}
	for _, s := range ss.all {
		if s.mark.rank >= ss.current.mark.rank && ss.current.mark.listed {
			return nil
		}
		if s != ss.current && !s.mark.trying && !ss.now().Before(s.mark.again) {
			s.mark.trying = true
			return s
		}
	}
	return nil
}

// tried tells what came of trying the server that was due. One that works is
// in use from then on.
func (ss *servers) tried(s *server, err error) (change, bool) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s.mark.trying = false
	if err == nil {
		s.mark.down = false
		if ss.current != nil && ss.current.mark.listed && ss.current.mark.rank <= s.mark.rank {
			return change{}, false // another was quicker
		}
		return ss.use(s)
	}
	s.mark.pause = max(s.mark.pause, ss.returnAfter)
	if isDenial(err) {
		s.mark.pause = min(2*s.mark.pause, max(maxPause, ss.returnAfter))
	} else {
		s.mark.pause = ss.returnAfter
	}
	s.mark.down, s.mark.why = true, err
	s.mark.again = ss.now().Add(s.mark.pause)
	return change{}, false
}

// instead returns the server that would be in use if it worked, and why it is
// not; nil when the best one is.
func (ss *servers) instead() (*server, error) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.current == nil || len(ss.all) == 0 {
		return nil, nil
	}
	first := ss.all[0]
	if first.mark.rank >= ss.current.mark.rank || !first.mark.down {
		return nil, nil
	}
	return first, first.mark.why
}
