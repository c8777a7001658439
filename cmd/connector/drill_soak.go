package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Settling is what a soak leaves out at its beginning: caches fill, and the heap
// finds its size.
const settling = 6 // a so-many-eth part

func soakDrill() drill {
	return drill{
		name: "soak", says: "no fault: half of the logins a second that it can do, and nothing may grow",
		lasts: 30 * time.Minute, instead: soak,
	}
}

// A soakSeries is one figure of the connector, once a second.
type soakSeries struct {
	metric string  // as /metrics has it
	name   string  // for people
	unit   float64 // of metric in what name says
	share  float64 // how much of its mean it may grow in an hour
	least  float64 // or by how much, whatever its mean is
	floor  bool    // what counts is the least of it in a while: each login has some, for a moment
	at     []float64
	value  []float64
}

func soak(ctx context.Context, _ *app, g *drillGround, d drill, inFlight int) (r drillResult, err error) {
	probe := startLoad(ctx, g.cloud, inFlight, nil)
	err = g.await(ctx, waitTime, func() bool { return probe.steady(0) })
	from := probe.answered.Load()
	if err == nil {
		err = pass(ctx, min(5*time.Second, d.lasts))
	}
	ceiling := float64(probe.answered.Load()-from) / min(5*time.Second, d.lasts).Seconds()
	probe.end()
	if err != nil {
		return r, err
	}
	rate := ceiling / 2
	pace, stop := paced(ctx, rate)
	defer stop()
	load := startLoad(ctx, g.cloud, inFlight, pace)
	defer load.end()
	all := []*soakSeries{
		{metric: "process_resident_memory_bytes", name: "MiB resident", unit: 1 << 20, share: 0.05, least: 2},
		{metric: "go_goroutines", name: "goroutines", unit: 1, share: 0.05, least: 2, floor: true},
		{metric: "process_open_fds", name: "descriptors", unit: 1, share: 0.05, least: 1, floor: true},
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for load.now() < d.lasts {
		select {
		case <-tick.C:
		case <-g.ended:
			return r, g.alive()
		case <-ctx.Done():
			return r, context.Cause(ctx)
		}
		if err := sample(ctx, g.console, load.now(), all); err != nil {
			return r, errors.Join(err, g.alive())
		}
	}
	load.end()
	c := load.count(load.now(), load.now())
	r = drillResult{Answered: c.accepted + c.refused + c.faulted + c.wrong, Refused: c.refused, Lost: c.lost, Faulted: c.faulted, Worst: ms(c.worst)}
	text := []string{fmt.Sprintf("%.0f logins a second of %.0f that it could do", rate, ceiling)}
	var errs []error
	for _, s := range all {
		said, grows := s.verdict()
		text = append(text, said)
		if grows {
			errs = append(errs, fmt.Errorf("it grows: %s", said))
		}
	}
	text = append(text, load.drift())
	r.Detail = strings.Join(text, "; ")
	if c.wrong+c.lost+c.faulted > 0 {
		errs = append(errs, fmt.Errorf("%d answers were not true, %d logins got none, %d were faults (%s)", c.wrong, c.lost, c.faulted, strings.Join(c.reasons, "; ")))
	}
	return r, errors.Join(errs...)
}

// paced deals so many tokens a second. Those that nobody takes are not kept.
func paced(ctx context.Context, rate float64) (<-chan struct{}, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	pace := make(chan struct{})
	go func() {
		tick := time.NewTicker(time.Duration(float64(time.Second) / max(rate, 1)))
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				select {
				case pace <- struct{}{}:
				default:
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return pace, cancel
}

// sample reads the figures from /metrics.
func sample(ctx context.Context, console string, at time.Duration, all []*soakSeries) error {
	body, err := fetchConsole(ctx, console, "/metrics", 4<<20)
	if err != nil {
		return fmt.Errorf("read the connector's metrics: %w", err)
	}
	for line := range bytes.Lines(body) {
		name, text, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
		for _, s := range all {
			if s.metric != name {
				continue
			}
			v, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return fmt.Errorf("read the connector's metrics: %s: %w", name, err)
			}
			s.at, s.value = append(s.at, at.Hours()), append(s.value, v/s.unit)
		}
	}
	return nil
}

// verdict says how a figure went in words, and whether it grows: whether its
// slope is more than it may be, by twice its uncertainty.
func (s *soakSeries) verdict() (text string, grows bool) {
	from := len(s.at) / settling
	x, y := s.at[from:], s.value[from:]
	if s.floor {
		x, y = floors(x, y)
	}
	slope, sigma, mean := trend(x, y)
	most := max(s.share*mean, s.least)
	text = fmt.Sprintf("%.1f %s, %+.2f ± %.2f an hour (at most %.1f)", mean, s.name, slope, 2*sigma, most)
	return text, slope-2*sigma > most
}

// floors are the lowest points of a series, one of every so many.
func floors(x, y []float64) (atLow, low []float64) {
	const together = 20
	for len(y) >= together {
		atLow, low = append(atLow, x[together/2]), append(low, slices.Min(y[:together]))
		x, y = x[together:], y[together:]
	}
	return atLow, low
}

// trend lays a line through points by least squares. Neighbours of a series are
// like each other, and tell less than as many strangers would: the uncertainty
// of the slope (one standard deviation) is that of as many points as are left
// when the correlation of neighbours is taken out.
func trend(x, y []float64) (slope, sigma, mean float64) {
	n := float64(len(x))
	if n < 3 {
		return 0, 0, 0
	}
	var mx float64
	for i := range x {
		mx += x[i] / n
		mean += y[i] / n
	}
	var sxx, sxy float64
	for i := range x {
		sxx += (x[i] - mx) * (x[i] - mx)
		sxy += (x[i] - mx) * (y[i] - mean)
	}
	if sxx == 0 {
		return 0, 0, mean
	}
	slope = sxy / sxx
	var rest, next, before float64
	for i := range x {
		e := y[i] - mean - slope*(x[i]-mx)
		rest += e * e
		if i > 0 {
			next += e * before
		}
		before = e
	}
	like := 0.0
	if rest > 0 {
		like = min(max(next/rest, 0), 0.99)
	}
	left := max(n*(1-like)/(1+like), 3)
	return slope, math.Sqrt(rest / n / sxx * n / left), mean
}

// drift says how the slowest of a hundred logins went, by tenths of the time.
func (l *drillLoad) drift() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	const parts = 10
	var took [parts][]float64
	var x, y []float64
	total := time.Duration(1)
	for _, t := range l.tries {
		total = max(total, t.ended+1)
	}
	for _, t := range l.tries {
		i := int(t.ended * parts / total)
		took[i] = append(took[i], float64((t.ended-t.begun).Microseconds())/1000)
	}
	for i, all := range took {
		if len(all) > 0 {
			slices.Sort(all)
			x, y = append(x, float64(i)*total.Hours()/parts), append(y, all[len(all)*99/100])
		}
	}
	if len(y) == 0 {
		return "no logins"
	}
	slope, sigma, _ := trend(x, y)
	return fmt.Sprintf("99 of 100 within %.1f ms in the first tenth and %.1f ms in the last, %+.1f ± %.1f ms an hour", y[0], y[len(y)-1], slope, 2*sigma)
}
