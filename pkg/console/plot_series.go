package console

import (
	"math"
	"sync"
	"time"
)

// What Series keeps: an hour, in spans.
const (
	spanOf  = 30 * time.Second
	spans   = 120
	refused = 50 // of the last refusals and faults
)

// PlotStages are the stages of a login whose latency is shown, and the whole.
var PlotStages = []string{"login", "find", "bind", "groups", "map"}

// A Login is one login that was answered, for the overview.
type Login struct {
	At      time.Time
	User    string // as it was asked about; never markup, never a password
	Request string
	Outcome string // accepted, refused or fault
	Reason  string
	Server  string
	Took    time.Duration
	Stages  []Stage
}

// A Stage is one of a login's.
type Stage struct {
	Name string
	Took time.Duration
}

// Series are what a process remembers of its last hour. They take no memory for
// the time in which nothing was asked, and at most some 100 KiB.
type Series struct {
	now func() time.Time

	mu      sync.Mutex
	all     [spans]*span
	unwell  [refused]Login
	written int // of unwell, in all
}

type span struct {
	at                         int64 // the span's number since 1970
	accepted, refused, faulted int
	took                       [5]*tally // as PlotStages
	clock                      time.Duration
	measured                   bool
}

// NewSeries returns an empty one.
func NewSeries(now func() time.Time) *Series { return &Series{now: now} }

// at returns the span of now. The lock is held.
func (s *Series) at() *span {
	n := s.now().UnixNano() / int64(spanOf)
	place := &s.all[((n%spans)+spans)%spans]
	if *place == nil || (*place).at != n {
		*place = &span{at: n}
	}
	return *place
}

// Answered remembers a login.
func (s *Series) Answered(l Login) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := s.at()
	switch l.Outcome {
	case "accepted":
		in.accepted++
	case "refused":
		in.refused++
	default:
		in.faulted++
	}
	in.add(0, l.Took)
	for _, st := range l.Stages {
		for i, name := range PlotStages {
			if i > 0 && name == st.Name {
				in.add(i, st.Took)
			}
		}
	}
	if l.Outcome != "accepted" {
		l.Stages = nil
		s.unwell[s.written%refused] = l
		s.written++
	}
}

// Clock remembers how far the tenant's clock is ahead.
func (s *Series) Clock(offset time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := s.at()
	in.clock, in.measured = offset, true
}

func (s *span) add(stage int, took time.Duration) {
	if s.took[stage] == nil {
		s.took[stage] = new(tally)
	}
	s.took[stage].add(took)
}

// A Point is one span, as it is shown.
type Point struct {
	At                         time.Time
	Accepted, Refused, Faulted int
	P50, P99                   [5]time.Duration // as PlotStages; 0: nothing was asked
	Clock                      time.Duration
	Measured                   bool // whether the clock was
}

// Points returns the last hour, the oldest first.
func (s *Series) Points() []Point {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.now().UnixNano() / int64(spanOf)
	all := make([]Point, spans)
	for i := range all {
		n := last - int64(spans-1-i)
		all[i].At = time.Unix(0, n*int64(spanOf))
		in := s.all[((n%spans)+spans)%spans]
		if in == nil || in.at != n {
			continue
		}
		all[i].Accepted, all[i].Refused, all[i].Faulted = in.accepted, in.refused, in.faulted
		all[i].Clock, all[i].Measured = in.clock, in.measured
		for stage, t := range in.took {
			if t != nil {
				all[i].P50[stage], all[i].P99[stage] = t.quantile(0.5), t.quantile(0.99)
			}
		}
	}
	return all
}

// Unwell returns the last refusals and faults, the newest first.
func (s *Series) Unwell() []Login {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Login
	for i := s.written - 1; i >= 0 && i >= s.written-refused; i-- {
		all = append(all, s.unwell[i%refused])
	}
	return all
}

// A tally counts durations in steps of a third: enough for a plot.
type tally struct {
	counts [44]uint32
	n      uint32
}

const (
	tallyFirst = 250 * time.Microsecond
	tallyStep  = 1.32
)

func (t *tally) add(d time.Duration) {
	i := 0
	if d > tallyFirst {
		i = int(math.Ceil(math.Log(float64(d)/float64(tallyFirst)) / math.Log(tallyStep)))
	}
	t.counts[min(i, len(t.counts)-1)]++
	t.n++
}

// quantile is the upper bound of the step that q of all are within.
func (t *tally) quantile(q float64) time.Duration {
	rank, seen := uint32(math.Ceil(q*float64(t.n))), uint32(0)
	for i, n := range t.counts {
		if seen += n; seen >= rank && n > 0 {
			return time.Duration(float64(tallyFirst) * math.Pow(tallyStep, float64(i)))
		}
	}
	return 0
}
