package wsfed

import (
	"net/http"
	"sync"
	"time"
)

// A muffler bounds how much the log says of what anybody may bring about, by
// message: so many a minute, and then how many were left out.
type muffler struct {
	mu   sync.Mutex
	said map[string]*saying
}

type saying struct {
	since     time.Time
	times     int
	unwritten int
}

// saysPerMinute is how often one message is written.
const saysPerMinute = 20

// hear counts a message, of which so many are written a minute, and reports
// whether this one is, and how many before it were not.
func (m *muffler) hear(message string, now time.Time, most int) (write bool, unwritten int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.said == nil {
		m.said = map[string]*saying{}
	}
	s := m.said[message]
	if s == nil {
		s = &saying{since: now}
		m.said[message] = s
	}
	if now.Sub(s.since) >= time.Minute {
		s.since, s.times = now, 0
	}
	if s.times++; s.times > most {
		s.unwritten++
		return false, 0
	}
	unwritten, s.unwritten = s.unwritten, 0
	return true, unwritten
}

// say warns of what came of a request.
func (h *handler) say(r *http.Request, message string, more ...any) {
	write, unwritten := h.spoken.hear(message, time.Now(), saysPerMinute)
	if !write {
		return
	}
	more = append(more, "from", sourceOf(h.o.Source(r)))
	if unwritten > 0 {
		more = append(more, "unwritten", unwritten)
	}
	h.o.Log.Warn(message, more...)
}
