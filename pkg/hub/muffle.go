package hub

import (
	"log/slog"
	"sync"
	"time"
)

// A muffler lets only so many lines of one kind into the log in a minute: a hub
// that floods the agent must not flood the disk as well. The next line that
// passes says how many did not.
type muffler struct {
	most int // lines in a minute

	mu      sync.Mutex
	since   time.Time // when the minute began
	passed  int
	dropped int
}

// loud is how many lines of one kind are let pass in a minute.
const loud = 100

// loudWork is the same for commands that were worked on and ended in a fault.
// Each costs a question to the directory, and somebody may look for any of them.
const loudWork = 6000

func (m *muffler) pass(now time.Time) (ok bool, dropped int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.passed == 0 || now.Sub(m.since) >= time.Minute {
		dropped = m.dropped
		m.since, m.passed, m.dropped = now, 0, 0
	}
	if m.passed >= m.most {
		m.dropped++
		return false, 0
	}
	m.passed++
	return true, dropped
}

// say logs a line, or does not.
func (m *muffler) say(say func(string, ...any), text string, attrs ...any) {
	ok, dropped := m.pass(time.Now())
	if !ok {
		return
	}
	if dropped > 0 {
		attrs = append(attrs, slog.Int("omitted", dropped))
	}
	say(text, attrs...)
}

// mufflers are those of a client, one for each kind of line that a hub can
// cause at will.
type mufflers struct{ frames, events, tokens, writeBack, answers, faults, drops muffler }

func newMufflers() *mufflers {
	m := &mufflers{writeBack: muffler{most: 1}, faults: muffler{most: loudWork}}
	for _, one := range []*muffler{&m.frames, &m.events, &m.tokens, &m.answers, &m.drops} {
		one.most = loud
	}
	return m
}
