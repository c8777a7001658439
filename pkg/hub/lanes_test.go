package hub

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func taskOf(name, pid string, arrived time.Time) *task {
	return &task{r: request{command: commandsByName[name], pid: pid}, arrived: arrived}
}

// pids names tasks, in their order.
func pids(tasks ...*task) string {
	var all []string
	for _, t := range tasks {
		if t != nil {
			all = append(all, t.r.pid)
		}
	}
	return strings.Join(all, " ")
}

func startAll(s *lanes, now time.Time) (all []*task) {
	for t := s.next(now); t != nil; t = s.next(now) {
		all = append(all, t)
	}
	return all
}

// TestEachCommandHasPlaces: whatever one command takes, each of the others can
// start at once.
func TestEachCommandHasPlaces(t *testing.T) {
	now := time.Now()
	for _, most := range []int{1, 4, 8, 64, 256} {
		for flooder := range commandsByName {
			s := newLanes(most, time.Minute)
			for i := range 10 * max(most, 4) {
				s.add(taskOf(flooder, fmt.Sprint(i), now))
			}
			at := len(startAll(s, now))
			if want := max(most, 4) - 3*max(1, max(most, 4)/8); at != want {
				t.Errorf("of %d places %d are at work, want %d", most, at, want)
			}
			for other := range commandsByName {
				if other == flooder {
					continue
				}
				if away := s.add(taskOf(other, other, now)); away != nil {
					t.Errorf("most %d: %s is turned away because of %s", most, other, flooder)
				}
				if got := pids(startAll(s, now)...); got != other {
					t.Errorf("most %d: %s does not start beside %s: %q", most, other, flooder, got)
				}
			}
			if s.running > max(most, 4) {
				t.Errorf("%d at work, at most %d", s.running, most)
			}
		}
	}
}

// TestAHopelessQueueIsServedFromItsNewEnd, and until then from its old one.
func TestAHopelessQueueIsServedFromItsNewEnd(t *testing.T) {
	const login = "authenticate_user"
	start := time.Now()
	s := newLanes(4, time.Minute) // stale after 15 s, given up after 30 s; one login at a time
	for i := range 16 + 1 {
		if away := s.add(taskOf(login, fmt.Sprint(i), start.Add(time.Duration(i)*time.Second))); away != nil {
			t.Fatalf("%s is turned away", pids(away))
		}
		if i == 0 {
			if got := pids(startAll(s, start)...); got != "0" {
				t.Fatalf("started %q", got)
			}
		}
	}
	at := func(second int) time.Time { return start.Add(time.Duration(second) * time.Second) }
	if away := s.add(taskOf(login, "late", at(10))); pids(away) != "late" {
		t.Errorf("a full queue turns away %q", pids(away))
	}
	next := func(now time.Time, want string) {
		t.Helper()
		s.done(0)
		if got := pids(startAll(s, now)...); got != want {
			t.Errorf("at %v: %q, want %q", now.Sub(start), got, want)
		}
	}
	next(at(10), "1") // in their order, as long as that is bearable
	next(at(16), "2")
	s.add(taskOf(login, "fresh", at(20)))
	next(at(20), "fresh")
	next(at(20), "16")
	for i := range 3 {
		s.add(taskOf(login, fmt.Sprint("more", i), at(21)))
	}
	if away := s.add(taskOf(login, "one more", at(21))); pids(away) != "3" {
		t.Errorf("a full and hopeless queue turns away %q, not the oldest", pids(away))
	}
	if alarm := s.alarm(); !alarm.Equal(at(34)) { // task 4 came at 4 s
		t.Errorf("the alarm is set to %v", alarm.Sub(start))
	}
	if got := pids(s.late(at(36))...); got != "4 5 6" {
		t.Errorf("given up: %q", got)
	}
	if got := pids(s.clear()...); !strings.HasPrefix(got, "7 8 ") || !strings.HasSuffix(got, "one more") || !s.alarm().IsZero() {
		t.Errorf("cleared: %q", got)
	}
}

// TestLanesLoseNobody plays at random: every task is started, turned away or
// given up, once.
func TestLanesLoseNobody(t *testing.T) {
	names := slices.Sorted(func(yield func(string) bool) {
		for name := range commandsByName {
			if !yield(name) {
				return
			}
		}
	})
	for seed := range uint64(50) {
		luck := rand.New(rand.NewPCG(seed, 1))
		s, now, seen, running := newLanes(1+luck.IntN(20), time.Minute), time.Now(), map[string]int{}, []*task{}
		ended := func(all ...*task) {
			for _, t := range all {
				if t != nil {
					seen[t.r.pid]++
				}
			}
		}
		const tasks = 2000
		for i := range tasks {
			now = now.Add(time.Duration(luck.IntN(400)) * time.Millisecond)
			one := taskOf(names[luck.IntN(4)*luck.IntN(2)], fmt.Sprint(i), now)
			if luck.IntN(50) == 0 {
				one.r.username = strings.Repeat("x", 1<<20)
			}
			ended(s.add(one), nil)
			ended(s.late(now)...)
			begun := startAll(s, now)
			ended(begun...)
			running = append(running, begun...)
			if s.running > s.most || s.running != len(running) {
				t.Fatalf("seed %d: %d at work, of %d", seed, s.running, s.most)
			}
			for _, l := range s.all {
				if len(l.waiting) > waitingFor*s.most || l.weight > maxWeight || l.weight < 0 {
					t.Fatalf("seed %d: %d wait, of %d octets", seed, len(l.waiting), l.weight)
				}
			}
			for len(running) > 0 && luck.IntN(3) > 0 {
				s.done(running[0].r.command.lane)
				running = running[1:]
			}
		}
		ended(s.clear()...)
		for i := range tasks {
			if n := seen[fmt.Sprint(i)]; n != 1 {
				t.Fatalf("seed %d: task %d was seen %d times", seed, i, n)
			}
		}
		for _, l := range s.all {
			if l.weight != 0 {
				t.Errorf("seed %d: an empty lane weighs %d", seed, l.weight)
			}
		}
	}
}
