package directory

import (
	"slices"
	"sync"
	"time"
)

// maxPause is the longest time between two tries to return to a server that
// refuses the service account: each counts towards a lock.
const maxPause = 15 * time.Minute

// hopeAfter is for how long it is of no use to try a server that failed, while
// there is another. Longer would be too long where that one fails as well.
const hopeAfter = 5 * time.Second

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
	at     time.Time     // likewise
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
		case !s.mark.down && s == ss.current:
			return 0
		case !s.mark.down:
			return 1
		case ss.hopeful(s):
			return 2
		}
		return 3
	}
	slices.SortStableFunc(out, func(a, b *server) int {
		if p := place(a); p != 3 || place(b) != 3 {
			return p - place(b)
		}
		return a.mark.at.Compare(b.mark.at) // the longer ago, the more hope
	})
	return out
}

// hopeful reports whether s may work: it did, or has had time to come back. The
// lock is held.
func (ss *servers) hopeful(s *server) bool {
	return !s.mark.down || ss.now().Sub(s.mark.at) >= min(hopeAfter, ss.returnAfter)
}

// left reports whether another server than s is in use, and works or is listed
// where s is not.
func (ss *servers) left(s *server) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.current == nil || ss.current == s || !ss.current.mark.listed {
		return false
	}
	return !ss.current.mark.down || !s.mark.listed
}

// several reports whether there is more than one server.
func (ss *servers) several() bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return len(ss.all) > 1
}

// elsewhere reports whether another server than s may work.
func (ss *servers) elsewhere(s *server) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.others(s)
}

func (ss *servers) others(s *server) bool {
	return slices.ContainsFunc(ss.all, func(o *server) bool { return o != s && ss.hopeful(o) })
}

// A passedOver is the error of a server that was not tried, for it failed a
// moment ago and another may work.
type passedOver struct{ why error }

func (p *passedOver) Error() string { return p.why.Error() }

// avoided returns a *passedOver when s should not be waited for, because another
// server may work; nil when it may be.
func (ss *servers) avoided(s *server) error {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.hopeful(s) || !ss.others(s) {
		return nil
	}
	return &passedOver{s.mark.why}
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
	s.fell(why, ss.now())
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
	s.fell(err, ss.now())
	return change{}, false
}

func (s *server) fell(why error, now time.Time) {
	s.mark.down, s.mark.why, s.mark.at, s.mark.again = true, why, now, now.Add(s.mark.pause)
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
