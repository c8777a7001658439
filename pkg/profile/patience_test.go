package profile

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestALoopHoldsUpNobodyForLong: the script never ends for some users, as many as
// there are processes. The others are answered long before the time limit.
func TestALoopHoldsUpNobodyForLong(t *testing.T) {
	o := options(t, `module.exports = (raw) => { while (raw.cn === "loop") {} return { cn: raw.cn } }`)
	o.Timeout = 10 * time.Minute
	m := start(t, o)
	m.crowd.least = 500 * time.Millisecond
	call := func(name string) error {
		_, err := m.Map(t.Context(), entry("", "cn", name), nil, "")
		return err
	}
	for range enough {
		if err := call("ada"); err != nil {
			t.Fatal(err)
		}
	}
	var loops sync.WaitGroup
	for range warmest {
		loops.Go(func() {
			if err := call("loop"); !errors.Is(err, errCrowded) {
				t.Errorf("a loop ended with %v", err)
			}
		})
	}
	eventually(t, "that all are busy", func() bool { return len(m.slots) == warmest })
	// They come until all loops have ended: one process that is free again would
	// do for a few, and then nobody waits for the others.
	ended := make(chan struct{})
	go func() { loops.Wait(); close(ended) }()
	var others sync.WaitGroup
	for range warmest + 1 {
		others.Go(func() {
			for {
				if err := call("ben"); err != nil {
					t.Errorf("beside the loops: %v", err)
					return
				}
				select {
				case <-ended:
					return
				default:
				}
			}
		})
	}
	others.Wait()
}

// TestFairness is on a clock that jumps.
func TestFairness(t *testing.T) {
	for name, tt := range map[string]struct {
		calls   int
		slowest time.Duration
		waiting int32
		ends    time.Duration
		says    string
	}{
		"nobody waits":          {1000, time.Millisecond, 0, time.Minute, "no answer within 1m0s"},
		"others wait":           {1000, time.Millisecond, 1, while, "no answer within 2s, and others wait"},
		"a slow script":         {1000, time.Second, 1, 20 * time.Second, "no answer within 20s, and others wait"},
		"a very slow script":    {1000, time.Hour, 1, time.Minute, "no answer within 1m0s"},
		"nothing is known yet":  {enough - 1, time.Millisecond, 1, time.Minute, "no answer within 1m0s"},
		"it was slow long ago":  {20_000, 30 * time.Second, 1, while, "others wait"},
		"all of them, a moment": {enough, 0, 1, while, "others wait"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &patience{least: while}
				took := tt.slowest
				for range tt.calls {
					p.succeeded(took)
					if tt.calls > 10_000 {
						took = time.Millisecond
					}
				}
				p.waiting.Store(tt.waiting)
				begun := time.Now()
				ctx, cancel := p.bound(t.Context(), time.Minute, p.fair(time.Minute))
				defer cancel()
				<-ctx.Done()
				if took, says := time.Since(begun), context.Cause(ctx).Error(); took != tt.ends || !strings.Contains(says, tt.says) {
					t.Errorf("ended after %v: %s", took, says)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) { // somebody comes in the middle
		p := &patience{least: while, calls: enough}
		ctx, cancel := p.bound(t.Context(), time.Minute, p.fair(time.Minute))
		defer cancel()
		<-time.After(10 * time.Second)
		p.waiting.Store(1)
		begun := time.Now()
		<-ctx.Done()
		if took := time.Since(begun); took > while {
			t.Errorf("it was waited for it for %v more", took)
		}
	})
}
