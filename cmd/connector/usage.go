package main

import (
	"os"
	"sync"
	"time"

	"github.com/shirou/gopsutil/v3/process"
)

// usageEvery is how often memory is looked at.
const usageEvery = 100 * time.Millisecond

// A usage is what this process took of the machine. What the system does not
// tell is 0.
type usage struct {
	cpu      time.Duration
	resident uint64 // octets, at the highest
}

// while adds what the process takes while do runs.
func (u *usage) while(do func()) {
	self, err := process.NewProcess(int32(os.Getpid()))
	if err != nil {
		do()
		return
	}
	before := cpuTime(self)
	stop := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		tick := time.NewTicker(usageEvery)
		defer tick.Stop()
		for {
			if m, err := self.MemoryInfo(); err == nil {
				u.resident = max(u.resident, m.RSS)
			}
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	})
	do()
	close(stop)
	watch.Wait()
	u.cpu += cpuTime(self) - before
}

func cpuTime(p *process.Process) time.Duration {
	t, err := p.Times()
	if err != nil {
		return 0
	}
	return time.Duration((t.User + t.System) * float64(time.Second))
}
