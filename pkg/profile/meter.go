package profile

import (
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// exitMemory is the exit status of a mapper process that used too much memory.
const exitMemory = 3

// A meter ends the process when a script has taken more memory than it may.
// The operating system's own limit stands behind it, for what grows faster than
// the meter looks; some systems have none, and there the meter is all.
type meter struct {
	most uint64 // octets, of the whole process
}

// limitMemory lets this process grow by memoryMB from what it is now.
func limitMemory(memoryMB int) (*meter, error) {
	m := &meter{most: math.MaxUint64}
	grow := uint64(memoryMB) << 20
	m.most = m.used() + grow
	debug.SetMemoryLimit(int64(m.most - grow/8)) // collect hard before giving up
	if err := confine(grow + grow/4 + 32<<20); err != nil {
		return nil, fmt.Errorf("limit memory to %d MiB: %w", memoryMB, err)
	}
	return m, nil
}

// used returns what the process holds, in octets.
func (*meter) used() uint64 {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64() - samples[1].Value.Uint64()
}

// watch looks at the memory from time to time until stop is called. A call of
// ordinary length is over before the first look. A nil meter looks at nothing.
func (m *meter) watch() (stop func()) {
	if m == nil {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		t := time.NewTicker(20 * time.Millisecond)
		defer t.Stop()
		for {
			select {
			case <-done:
				return
			case <-t.C:
			}
			if used := m.used(); used > m.most {
				fmt.Fprintln(os.Stderr, "the mapper is out of memory")
				os.Exit(exitMemory)
			}
		}
	}()
	return func() { close(done) }
}
