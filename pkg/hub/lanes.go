package hub

import "time"

// A task is a command on its way to an answer.
type task struct {
	r        request
	from     *link // it came on; may have ended by now
	arrived  time.Time
	progress *progress // nil until it is worked on
}

// weight is about how many octets a task holds.
func (t *task) weight() int {
	return 512 + len(t.r.pid) + 2*len(t.r.username) + len(t.r.password) + len(t.r.query.Text)
}

// A lane is what is at work and what waits of one command, so that slow
// searches do not stand in the way of logins, nor logins in that of searches.
type lane struct {
	running int
	waiting []*task // in the order they came
	weight  int     // of those that wait
}

const (
	// maxWeight bounds what the waiting tasks of one lane hold, in octets. A
	// login takes less than a thousand; but a frame may have a million.
	maxWeight = 8 << 20
	// waitingFor is how many may wait in a lane for each that may be at work.
	waitingFor = 4
)

// lanes says which task is next. It is bookkeeping without goroutines or
// locks: its owner has those.
//
// Of most tasks that may be at work at a time, each lane can be sure of an
// eighth, or of one where most is small; what is left goes to whoever comes
// first. Within a lane the oldest task is next, until it has waited for so long
// (stale) that the queue is hopeless: every task would be late if all had to
// wait for those before them. Then the newest is next, which still has somebody
// who waits for it, and the others are given up once they have waited for
// limit.
type lanes struct {
	most  int
	stale time.Duration // a queue whose oldest has waited for longer is hopeless
	limit time.Duration // nobody waits for longer

	all     []lane
	running int
	turn    int // the lane that is looked at first
}

func newLanes(most int, timeout time.Duration) *lanes {
	return &lanes{
		most: max(most, len(commandsByName)), stale: timeout / 4, limit: timeout / 2,
		all: make([]lane, len(commandsByName)),
	}
}

// free reports whether lane i may start one more.
func (s *lanes) free(i int) bool {
	sure := max(1, s.most/8)
	kept := 0
	for j := range s.all {
		if j != i {
			kept += max(0, sure-s.all[j].running)
		}
	}
	return s.running+kept < s.most
}

// add takes a task in: it may start at once (next then returns it), or it
// waits. The task that is to be turned away for it, if any, is returned: t
// itself, or, where the queue is hopeless, the oldest.
func (s *lanes) add(t *task) (away *task) {
	l := &s.all[t.r.command.lane]
	if len(l.waiting) >= waitingFor*s.most || l.weight+t.weight() > maxWeight {
		if !s.hopeless(l, t.arrived) {
			return t
		}
		away = l.take(0)
		if l.weight+t.weight() > maxWeight {
			s.put(l, away)
			return t
		}
	}
	l.waiting = append(l.waiting, t)
	l.weight += t.weight()
	return away
}

// put undoes a take of the oldest.
func (s *lanes) put(l *lane, t *task) {
	l.waiting = append([]*task{t}, l.waiting...)
	l.weight += t.weight()
}

func (s *lanes) hopeless(l *lane, now time.Time) bool {
	return len(l.waiting) > 0 && now.Sub(l.waiting[0].arrived) >= s.stale
}

func (l *lane) take(i int) *task {
	t := l.waiting[i]
	l.weight -= t.weight()
	switch i {
	case 0:
		l.waiting[0] = nil
		l.waiting = l.waiting[1:]
	default: // the last
		l.waiting[i] = nil
		l.waiting = l.waiting[:i]
	}
	return t
}

// next returns the task that is to start now, or nil. Lanes take turns.
func (s *lanes) next(now time.Time) *task {
	for range s.all {
		i := s.turn
		s.turn = (s.turn + 1) % len(s.all)
		l := &s.all[i]
		if len(l.waiting) == 0 || !s.free(i) {
			continue
		}
		s.running++
		l.running++
		if s.hopeless(l, now) {
			return l.take(len(l.waiting) - 1)
		}
		return l.take(0)
	}
	return nil
}

// done says that a task of lane i is no longer at work.
func (s *lanes) done(i int) {
	s.all[i].running--
	s.running--
}

// late takes out those that have waited for as long as anybody does.
func (s *lanes) late(now time.Time) (all []*task) {
	for i := range s.all {
		for l := &s.all[i]; len(l.waiting) > 0 && now.Sub(l.waiting[0].arrived) >= s.limit; {
			all = append(all, l.take(0))
		}
	}
	return all
}

// alarm is when late has something to take out, if nothing happens before; it
// is zero while nobody waits.
func (s *lanes) alarm() (first time.Time) {
	for i := range s.all {
		if w := s.all[i].waiting; len(w) > 0 {
			if at := w[0].arrived.Add(s.limit); first.IsZero() || at.Before(first) {
				first = at
			}
		}
	}
	return first
}

// clear takes out all that wait.
func (s *lanes) clear() (all []*task) {
	for i := range s.all {
		for l := &s.all[i]; len(l.waiting) > 0; {
			all = append(all, l.take(0))
		}
	}
	return all
}
