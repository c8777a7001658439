package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Clocks is what the checks may ask of other clocks.
type Clocks struct {
	// Servers returns the time servers to ask: those that were given, or that
	// this machine is configured with, or the directory's.
	Servers func(context.Context) ([]TimeServer, error)
	// Ask reads the clock of one of them. The error is a ClockError.
	Ask func(context.Context, TimeServer) (Reading, error)
	// Tenant reads the tenant's clock.
	Tenant func(context.Context) (Reading, error)
}

// A TimeServer is one that is asked by NTP.
type TimeServer struct {
	Address string // HOST, HOST:PORT or [IPv6]:PORT; without a port 123
	From    string // who says so: "--ntp-server", "/etc/chrony/chrony.conf"
	Guessed bool   // it need not be a time server at all
}

func (s TimeServer) String() string { return s.Address + " (" + s.From + ")" }

// A Reading is another clock, read once.
type Reading struct {
	Of     string        // whose: "dc1.corp.example"
	Offset time.Duration // that clock minus this machine's: positive when ours is behind
	// Uncertainty is how far Offset may be from the truth: half of the round
	// trip, and what the other one says of its own error.
	Uncertainty time.Duration
}

// beyond reports whether the clocks are certainly farther apart.
func (r Reading) beyond(limit time.Duration) bool { return r.Offset.Abs()-r.Uncertainty > limit }

// agrees reports whether two other clocks may tell the same time, to what is
// tolerated anyway.
func (r Reading) agrees(with Reading) bool {
	return (r.Offset - with.Offset).Abs() <= skewWarns+r.Uncertainty+with.Uncertainty
}

func (r Reading) String() string {
	side := "behind"
	switch {
	case r.Offset.Abs() < time.Millisecond/2:
		side = "apart from"
	case r.Offset < 0:
		side = "ahead of"
	}
	return fmt.Sprintf("%s %s %s (± %s)", seconds(r.Offset), side, r.Of, seconds(r.Uncertainty))
}

// seconds writes a difference of clocks, whatever its sign.
func seconds(d time.Duration) string {
	d = d.Abs()
	switch {
	case d >= time.Hour:
		return d.Round(time.Second).String()
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Millisecond).String()
}

// ErrNotThere is the error of a time server that does not answer at all; any
// other has answered, and cannot be used.
var ErrNotThere = errors.New("it does not answer")

// A survey is what the time servers say.
type survey struct{ servers []asked }

type asked struct {
	server  TimeServer
	reading Reading
	err     error // why it cannot be used
}

// survey asks all time servers at the same time.
func (c Clocks) survey(ctx context.Context) (survey, error) {
	if c.Servers == nil || c.Ask == nil {
		return survey{}, nil
	}
	servers, err := c.Servers(ctx)
	if err != nil {
		return survey{}, err
	}
	At(ctx, "asking %s", count(len(servers), "time server", "time servers"))
	s := survey{make([]asked, len(servers))}
	var wait sync.WaitGroup
	for i, server := range servers {
		wait.Go(func() {
			a := asked{server: server}
			a.reading, a.err = c.Ask(ctx, server)
			if a.err == nil && a.reading.Uncertainty > skewBlocks {
				a.err = fmt.Errorf("its time is known to no more than %s", seconds(a.reading.Uncertainty))
			}
			s.servers[i] = a
		})
	}
	wait.Wait()
	s.outvote()
	return s, nil
}

// outvote takes out the servers that are far from the median.
func (s survey) outvote() {
	m := s.median()
	if m == nil {
		return
	}
	for i, a := range s.servers {
		if a.err == nil && !a.reading.agrees(*m) {
			s.servers[i].err = fmt.Errorf("its clock is %s from those of the others", seconds(a.reading.Offset-m.Offset))
		}
	}
}

func (s survey) good() []asked {
	return slices.DeleteFunc(slices.Clone(s.servers), func(a asked) bool { return a.err != nil })
}

// bad says which servers cannot be used, and why.
func (s survey) bad() (lines []string) {
	for _, a := range s.servers {
		if a.err != nil {
			lines = append(lines, fmt.Sprintf("%s: %v", a.server, a.err))
		}
	}
	return lines
}

// guessed reports whether nobody has said that these are time servers.
func (s survey) guessed() bool {
	return !slices.ContainsFunc(s.servers, func(a asked) bool { return !a.server.Guessed })
}

// notThere reports whether no server has answered.
func (s survey) notThere() bool {
	return !slices.ContainsFunc(s.servers, func(a asked) bool { return !errors.Is(a.err, ErrNotThere) })
}

// median returns what most good servers agree with; nil when there is none. Of
// an even number it takes the one of the two in the middle that is nearer to
// this machine's clock: with it, two clocks agree.
func (s survey) median() *Reading {
	good := s.good()
	if len(good) == 0 {
		return nil
	}
	slices.SortStableFunc(good, func(a, b asked) int { return cmp.Compare(a.reading.Offset, b.reading.Offset) })
	low, high := good[(len(good)-1)/2].reading, good[len(good)/2].reading
	if high.Offset.Abs() < low.Offset.Abs() {
		return &high
	}
	return &low
}

// blame says which clock is wrong, and what is to be done.
type blame struct{ says, remedy, command string }

const (
	setOurs   = "Set this machine's clock right, and keep it right with a time service."
	setTheirs = "Have the time server set right, or let this machine ask another one, before it follows that one."
)

// whichIsWrong compares three clocks, this machine's and these two: the two that
// are nearest to each other are right, if they are near enough, and the third is
// wrong.
func whichIsWrong(ntp, tenant *Reading) blame {
	if ntp == nil || tenant == nil {
		b := blame{"there is no third clock to tell which one is wrong", setOurs, ""}
		if ntp == nil {
			b.says += "; name a time server with --ntp-server"
		}
		return b
	}
	theirs := Reading{Offset: ntp.Offset - tenant.Offset, Uncertainty: ntp.Uncertainty + tenant.Uncertainty}
	switch nearest := min(ntp.Offset.Abs(), tenant.Offset.Abs(), theirs.Offset.Abs()); {
	case nearest == theirs.Offset.Abs() && !theirs.beyond(skewWarns):
		return blame{"the time server and the tenant agree: this machine's clock is wrong", setOurs, ""}
	case nearest == ntp.Offset.Abs() && !ntp.beyond(skewWarns):
		return blame{
			"this machine and the time server agree: the tenant's clock is wrong, or another program answers in its place",
			"Look who answers for the tenant's host, a proxy or a pretend tenant, and have its clock set right.", "connector doctor --only network",
		}
	case nearest == tenant.Offset.Abs() && !tenant.beyond(skewWarns):
		return blame{"this machine and the tenant agree: the time server's clock is wrong", setTheirs, ""}
	}
	return blame{"no two of the three clocks agree: this machine's, the time server's and the tenant's", setOurs, ""}
}

// sparingly returns f so that one answer serves all who ask for the same within
// a while: several checks ask the same clocks, and a time server that is asked
// too often says no. A failure is kept for as long.
func sparingly[K comparable, V any](while time.Duration, f func(context.Context, K) (V, error)) func(context.Context, K) (V, error) {
	type answer struct {
		mu    sync.Mutex
		at    time.Time
		value V
		err   error
	}
	var mu sync.Mutex
	answers := map[K]*answer{}
	return func(ctx context.Context, key K) (V, error) {
		mu.Lock()
		a := answers[key]
		if a == nil {
			a = &answer{}
			answers[key] = a
		}
		mu.Unlock()
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.at.IsZero() || time.Since(a.at) > while {
			a.value, a.err = f(ctx, key)
			a.at = time.Now()
		}
		return a.value, a.err
	}
}
