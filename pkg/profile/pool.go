package profile

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	maxCalls = 10_000           // of one process: what a script leaks goes with it
	spare    = time.Minute      // how long a process beyond those kept warm may idle
	minPause = time.Second / 10 // between starts that fail
	maxPause = 30 * time.Second
)

// take returns a process that is idle, or else a new one. While new ones keep
// failing it returns their error at once, rather than burn the machine.
func (m *Mapper) take() (*process, error) {
	m.mu.Lock()
	for len(m.idle) > 0 {
		p := m.idle[len(m.idle)-1]
		m.idle = m.idle[:len(m.idle)-1]
		select {
		case <-p.gone:
		default:
			m.mu.Unlock()
			return p, nil
		}
	}
	if fault := m.fault; fault != nil && time.Now().Before(m.retry) {
		m.mu.Unlock()
		return nil, fault
	}
	m.mu.Unlock()
	return m.start()
}

// put makes p idle, unless it has served its time or is no more, and ends those
// that have idled too long beyond the ones kept warm.
func (m *Mapper) put(p *process) {
	now := time.Now()
	p.calls++
	p.since = now
	m.mu.Lock()
	defer m.mu.Unlock()
	if p.calls > maxCalls || m.ctx.Err() != nil {
		p.kill()
	}
	if !m.all[p] || p.killed.Load() {
		return
	}
	m.idle = append(m.idle, p)
	if len(m.idle) > m.o.Children && now.Sub(m.idle[0].since) > spare {
		m.idle[0].kill()
		m.idle = m.idle[1:]
	}
}

// start starts a process and loads the script there, and keeps the account of
// starts that fail.
func (m *Mapper) start() (*process, error) {
	p, err := m.load()
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil {
		m.failures, m.fault = 0, nil
		m.o.Event(ProcessStarted)
		return p, nil
	}
	m.o.Event(StartFailed)
	pause := min(minPause<<min(m.failures, 16), maxPause)
	m.failures++
	m.fault = err
	m.retry = time.Now().Add(pause/2 + rand.N(pause/2))
	return nil, err
}

func (m *Mapper) load() (*process, error) {
	body, err := json.Marshal(loading{m.o.Name, m.o.Script})
	if err != nil {
		return nil, err
	}
	p, err := launch(m.o.Command(), m.o.MemoryMB, m.o.Log)
	if err != nil {
		return nil, fmt.Errorf("start a mapper process: %w", err)
	}
	m.mu.Lock()
	m.all[p] = true
	m.mu.Unlock()
	go func() {
		<-p.gone
		m.ended(p)
	}()
	if _, err := m.ask(m.ctx, p, frame{frameScript, body}, frameReady); err != nil {
		p.kill()
		<-p.gone
		return nil, fmt.Errorf("load %s: %w", m.o.Name, err)
	}
	return p, nil
}

// ended is told of each process that is no more, and has the keeper replace it.
func (m *Mapper) ended(p *process) {
	m.mu.Lock()
	delete(m.all, p)
	for i, q := range m.idle {
		if q == p {
			m.idle = append(m.idle[:i:i], m.idle[i+1:]...)
			break
		}
	}
	m.mu.Unlock()
	m.o.Event(ProcessEnded)
	m.poke()
}

func (m *Mapper) poke() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// keep has as many processes ready as are to be kept warm, until Close.
func (m *Mapper) keep() {
	for {
		var pause <-chan time.Time
		m.mu.Lock()
		lacking := len(m.all) < m.o.Children
		wait := time.Until(m.retry)
		failing := m.fault != nil && wait > 0
		m.mu.Unlock()
		switch {
		case lacking && failing:
			pause = time.After(wait)
		case lacking:
			if p, err := m.start(); err == nil {
				m.put(p)
			} else if m.ctx.Err() == nil {
				m.o.Log.Warn("the mapper does not start", "err", err)
			}
			m.poke()
		}
		select {
		case <-m.ctx.Done():
			return
		case <-m.wake:
		case <-pause:
		}
	}
}
