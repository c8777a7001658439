package main

import (
	"context"
	"sync"
	"syscall"
	"time"
)

// takeUpWithin is how long whoever has saved waits for the running connector to
// take it up. A reload gives its parts, and then the hub, changeWithin each.
const takeUpWithin = 2*changeWithin + 5*time.Second

// waiting are those who want to know what becomes of the next reload.
type waiting struct {
	mu  sync.Mutex
	all []chan string
}

// wait returns where the next reload that begins tells why it was refused; "" is
// that it was not.
func (w *waiting) wait() <-chan string {
	told := make(chan string, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, told)
	return told
}

// served returns how to tell those who have waited so far: a reload that begins
// reads what they have written.
func (w *waiting) served() (tell func(refused string)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.all
	w.all = nil
	return func(refused string) {
		for _, told := range all {
			told <- refused // each has room for one
		}
	}
}

// takeUp reloads the home, and says why what runs goes on as before, or "".
func (s *succession) takeUp(ctx context.Context) string {
	told := s.waiting.wait()
	select {
	case s.hangup <- syscall.SIGHUP:
	default: // one waits, and will read what is there then
	}
	ctx, cancel := context.WithTimeout(ctx, takeUpWithin)
	defer cancel()
	select {
	case refused := <-told:
		return refused
	case <-ctx.Done():
		return "it was not seen to take it up in time; connector status says how it fares"
	}
}
