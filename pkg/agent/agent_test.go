package agent

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// idle runs until it is told to end and reports nothing.
func idle(ctx context.Context, _ func(State, string)) error {
	<-ctx.Done()
	return nil
}

// pass lets time pass in a synctest bubble, where it costs none outside, and
// waits until everybody has done what there was to do.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// notes is a log to read in tests.
type notes struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (n *notes) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.b.Write(p)
}

func (n *notes) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.b.String()
}

// start runs an agent of the parts until stop is called, which waits for the
// end and returns Run's error.
func start(t *testing.T, parts ...Part) (a *Agent, log *notes, stop func() error) {
	t.Helper()
	log = new(notes)
	a = New(slog.New(slog.NewTextHandler(log, nil)), parts...)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	return a, log, func() error { cancel(); return <-ended }
}

func states(a *Agent) map[string]State {
	m := map[string]State{}
	for _, h := range a.Health() {
		m[h.Part] = h.State
	}
	return m
}

func TestPartsRunUntilTheContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _, stop := start(t, Part{"hub", idle}, Part{"clock", idle})
		if got := states(a); got["hub"] != Degraded {
			t.Errorf("before it ran: %v", got)
		}
		pass(settled + time.Millisecond)
		if diff := cmp.Diff(map[string]State{"hub": OK, "clock": OK}, states(a)); diff != "" {
			t.Error(diff)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(map[string]State{"hub": Down, "clock": Down}, states(a)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAnAgentWithoutPartsWaitsForItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _, stop := start(t)
		synctest.Wait()
		if got := Worst(a.Health()); got != OK {
			t.Error(got)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestSinceChangesWithTheStateOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var say func(State, string)
		a, log, stop := start(t, Part{"directory", func(ctx context.Context, report func(State, string)) error {
			say = report
			return idle(ctx, report)
		}})
		synctest.Wait()
		say(Down, "refused")
		first := a.Health()[0]
		pass(time.Minute)
		say(Down, "refused, 12 times")
		second := a.Health()[0]
		if !second.Since.Equal(first.Since) || second.Detail != "refused, 12 times" {
			t.Errorf("%+v, then %+v", first, second)
		}
		say(OK, "")
		if third := a.Health()[0]; third.Since.Sub(first.Since) != time.Minute || third.Detail != "" {
			t.Errorf("%+v", third)
		}
		if n := strings.Count(log.String(), "part changed its state"); n != 2 {
			t.Errorf("%d lines:\n%s", n, log)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestAPartThatEndsIsStartedAgain(t *testing.T) {
	ends := map[string]struct {
		run    func(context.Context, func(State, string)) error
		detail string
	}{
		"error":        {func(context.Context, func(State, string)) error { return errors.New("disk full") }, "disk full"},
		"nil":          {func(context.Context, func(State, string)) error { return nil }, "it ended by itself"},
		"panic":        {func(context.Context, func(State, string)) error { panic("index out of range") }, "panic: index out of range"},
		"panic nil":    {func(context.Context, func(State, string)) error { panic(error(nil)) }, "panic: "},
		"goexit":       {func(context.Context, func(State, string)) error { runtime.Goexit(); return nil }, "it ended by itself"},
		"no function":  {nil, "panic: runtime error"},
		"said it's ok": {func(_ context.Context, report func(State, string)) error { report(OK, ""); return errors.New("gone") }, "gone"},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, log, stop := start(t, Part{"mapper", end.run}, Part{"hub", idle})
				pass(settled / 4)
				h := a.Health()[0]
				if h.State != Degraded || !strings.Contains(h.Detail, end.detail) || !strings.HasPrefix(h.Detail, "starts again in ") {
					t.Errorf("%+v", h)
				}
				pass(10 * time.Minute)
				n := strings.Count(log.String(), "part ended")
				// 30 s is the longest pause, 15 s the shortest once it is reached.
				if n < 20 || n > 60 {
					t.Errorf("%d starts in ten minutes", n)
				}
				if strings.HasPrefix(end.detail, "panic") && !strings.Contains(log.String(), "supervise.go") {
					t.Errorf("no stack in the log:\n%.500s", log)
				}
				if got := a.Health()[1].State; got != OK {
					t.Errorf("the other part is %s", got)
				}
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestALongRunIsForgivenItsFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var starts atomic.Int32
		var last, rest time.Duration
		begin := time.Now()
		_, _, stop := start(t, Part{"hub", func(context.Context, func(State, string)) error {
			rest = time.Since(begin) - last
			if starts.Add(1) == 8 {
				<-time.After(2 * longestRest)
			}
			last = time.Since(begin)
			return errors.New("lost")
		}})
		for starts.Load() < 9 {
			pass(100 * time.Millisecond)
		}
		if rest != shortestRest {
			t.Errorf("after a run of a minute it rested for %v", rest)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestAnEndedRunHasNothingMoreToSay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stale func(State, string)
		a, _, stop := start(t, Part{"hub", func(ctx context.Context, report func(State, string)) error {
			if stale == nil {
				stale = report
				return errors.New("lost")
			}
			report(Down, "connecting")
			return idle(ctx, report)
		}})
		synctest.Wait()
		stale(OK, "still here")
		if got := a.Health()[0]; got.State != Degraded {
			t.Errorf("while it rests: %+v", got)
		}
		pass(time.Minute)
		stale(OK, "still here")
		if got := a.Health()[0]; got.State != Down || got.Detail != "connecting" {
			t.Errorf("while it runs again: %+v", got)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestAPartThatHangsIsNamedAndLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		_, log, stop := start(t, Part{"hub", idle}, Part{"mapper", func(context.Context, func(State, string)) error {
			<-release
			return nil
		}})
		synctest.Wait()
		before := time.Now()
		err := stop()
		if err == nil || !strings.HasSuffix(err.Error(), ": mapper") {
			t.Errorf("error %v", err)
		}
		if took := time.Since(before); took != endWithin {
			t.Errorf("it took %v", took)
		}
		if !strings.Contains(log.String(), "parts=[mapper]") {
			t.Error(log)
		}
		close(release)
	})
}

func TestAPartMayTakeItsTimeToDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, stop := start(t, Part{"hub", func(ctx context.Context, _ func(State, string)) error {
			<-ctx.Done()
			<-time.After(endWithin - time.Second)
			return ctx.Err()
		}})
		synctest.Wait()
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestRunRunsOnce(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a := New(nil)
	if err := a.Run(ctx); err != nil {
		t.Error(err)
	}
	if err := a.Run(ctx); err == nil {
		t.Error("it ran twice")
	}
}

func TestPauseStaysWithinItsBounds(t *testing.T) {
	var longest time.Duration
	for failures := range 200 {
		for range 50 {
			d := pause(failures)
			if d < shortestRest || d > longestRest {
				t.Fatalf("pause(%d) = %v", failures, d)
			}
			longest = max(longest, d)
		}
	}
	if longest < longestRest*3/4 {
		t.Errorf("the longest pause is %v", longest)
	}
}

func TestWorst(t *testing.T) {
	for _, c := range []struct {
		states []State
		want   State
	}{
		{nil, OK},
		{[]State{OK, OK}, OK},
		{[]State{OK, Degraded, OK}, Degraded},
		{[]State{Degraded, Down, OK}, Down},
		{[]State{OK, "confused"}, Down}, // an unknown word is no good news
	} {
		var all []Health
		for _, s := range c.states {
			all = append(all, Health{State: s})
		}
		if got := Worst(all); got != c.want {
			t.Errorf("Worst(%v) = %v, want %v", c.states, got, c.want)
		}
	}
}

func BenchmarkReport(b *testing.B) {
	p := newSupervised(Part{Name: "hub"}, slog.New(slog.DiscardHandler))
	run := p.begin()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			p.set(run, OK, "")
		}
	})
}
