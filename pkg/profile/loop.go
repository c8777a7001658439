package profile

import (
	"container/heap"
	"math"
	"time"

	"github.com/dop251/goja"
)

// A loop is what a script's timers and callbacks run on, while a call is being
// answered. What is left when it is answered waits for the next call: between
// calls no deadline would end a script that hangs.
type loop struct {
	call   int // the call being answered
	ticks  []task
	soon   []task
	timers timers
	next   int64 // the id of the next timer
	failed func(error)
}

// A task is a function to be called. Which call made it decides whose fault its
// exception is.
type task struct {
	call      int
	fn        goja.Callable
	arguments []goja.Value
}

type timer struct {
	task
	id    int64
	due   time.Time
	every time.Duration // 0: once
}

// begin starts a new call.
func (l *loop) begin() { l.call++ }

// run runs tasks until done says so or nothing is left to run. The error is an
// exception of a task that this call made; those of earlier calls are only
// logged, through failed.
func (l *loop) run(done func() bool) error {
	for !done() {
		var t task
		switch {
		case len(l.ticks) > 0:
			t, l.ticks = l.ticks[0], l.ticks[1:]
		case len(l.soon) > 0:
			t, l.soon = l.soon[0], l.soon[1:]
		case len(l.timers) > 0:
			t = l.wait()
		default:
			return nil
		}
		_, err := t.fn(goja.Undefined(), t.arguments...)
		if err != nil && t.call == l.call {
			return err
		}
		if err != nil {
			l.failed(err)
		}
	}
	return nil
}

// wait waits for the first timer and takes it off, or sets it anew. Nothing
// else can happen meanwhile: a script has timers alone to wait for.
func (l *loop) wait() task {
	first := l.timers[0]
	if d := time.Until(first.due); d > 0 {
		<-time.After(d)
	}
	if first.every > 0 {
		first.due = time.Now().Add(first.every)
		heap.Fix(&l.timers, 0)
	} else {
		heap.Pop(&l.timers)
	}
	return first.task
}

// later adds a timer of ms milliseconds and returns its id. What is no delay is
// one millisecond, as in Node.
func (l *loop) later(t task, ms float64, repeat bool) int64 {
	if !(ms >= 1 && ms <= math.MaxInt32) {
		ms = 1
	}
	d := time.Duration(ms * float64(time.Millisecond))
	l.next++
	x := &timer{task: t, id: l.next, due: time.Now().Add(d)}
	if repeat {
		x.every = d
	}
	heap.Push(&l.timers, x)
	return x.id
}

// clear takes a timer off, if it is there.
func (l *loop) clear(id int64) {
	for i, t := range l.timers {
		if t.id == id {
			heap.Remove(&l.timers, i)
			return
		}
	}
}

// timers is a heap, the first due first, and of those the oldest.
type timers []*timer

func (t timers) Len() int { return len(t) }
func (t timers) Less(i, j int) bool {
	if !t[i].due.Equal(t[j].due) {
		return t[i].due.Before(t[j].due)
	}
	return t[i].id < t[j].id
}
func (t timers) Swap(i, j int) { t[i], t[j] = t[j], t[i] }
func (t *timers) Push(x any)   { *t = append(*t, x.(*timer)) }
func (t *timers) Pop() any {
	last := (*t)[len(*t)-1]
	*t = (*t)[:len(*t)-1]
	return last
}
