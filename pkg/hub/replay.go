package hub

import (
	"crypto/sha256"
	"sync"
	"time"
)

const (
	// rememberFor is how long the pid of a token without exp is remembered.
	rememberFor = 10 * time.Minute
	// maxRemembered bounds the memory of pids to a few megabytes.
	maxRemembered = 100_000
)

// A Seen remembers the commands of clients that follow one another: what was
// asked before a reload is not carried out again after it.
type Seen struct{ memory *memory }

// NewSeen returns one that has seen nothing.
func NewSeen() *Seen { return &Seen{newMemory(maxRemembered)} }

// A memory knows which pids were seen, so that a captured token is good for
// one command only. When it is full, the oldest pid is forgotten first: to
// refuse new ones instead would stop every login.
type memory struct {
	mu    sync.Mutex
	most  int
	until map[pidHash]time.Time
	queue []remembered // oldest first, from head on
	head  int
}

// pidHash stands for a pid, which may be a megabyte long.
type pidHash [16]byte

type remembered struct {
	pid   pidHash
	until time.Time
}

func newMemory(most int) *memory {
	return &memory{most: most, until: map[pidHash]time.Time{}}
}

// first remembers the pid until the given time, and reports whether it was
// unknown or forgotten.
func (m *memory) first(pid string, now, until time.Time) bool {
	sum := sha256.Sum256([]byte(pid))
	key := pidHash(sum[:16])
	m.mu.Lock()
	defer m.mu.Unlock()
	if known, ok := m.until[key]; ok && now.Before(known) {
		return false
	}
	for m.head < len(m.queue) && (len(m.queue)-m.head >= m.most || !now.Before(m.queue[m.head].until)) {
		m.forget()
	}
	m.until[key] = until
	m.queue = append(m.queue, remembered{key, until})
	return true
}

// forget drops the oldest entry of the queue.
func (m *memory) forget() {
	oldest := m.queue[m.head]
	m.head++
	if m.until[oldest.pid].Equal(oldest.until) { // else it was seen again since
		delete(m.until, oldest.pid)
	}
	if m.head > len(m.queue)/2 {
		m.queue = append(m.queue[:0], m.queue[m.head:]...)
		m.head = 0
	}
}
