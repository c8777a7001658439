package main

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestPulse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lock := make(chan bool, 1) // not a mutex: nobody waits for one in this kind of test
		asked := 0
		p := &pulse{ask: func() { asked++; lock <- true; <-lock }, within: time.Second}
		for range 3 {
			if err := p.well(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		lock <- true
		for _, want := range []string{"no answer for 1s", "no answer for 2s"} {
			if err := p.well(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %s", err, want)
			}
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := p.well(ended); err == nil {
			t.Error("it was well")
		}
		<-lock
		if err := p.well(t.Context()); err != nil {
			t.Errorf("once it moves again: %v", err)
		}
		if asked != 4 {
			t.Errorf("it asked %d times", asked)
		}
	})
}

// TestTouchFindsWhatHangs holds each of the locks that logins need, in turn.
func TestTouchFindsWhatHangs(t *testing.T) {
	h := newTestHome(t)
	n := testNode(t, h)
	for name, lock := range map[string]sync.Locker{
		"stats": &n.stats.mu, "directory": &n.directory.mu, "mapper": &n.mapper.mu, "reports": &n.dirReport.mu,
	} {
		p := &pulse{ask: n.touch, within: 20 * time.Millisecond}
		lock.Lock()
		if err := p.well(t.Context()); err == nil {
			t.Errorf("%s: it was well", name)
		}
		lock.Unlock()
		p.within = time.Minute
		if err := p.well(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
