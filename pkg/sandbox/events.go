package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

const (
	// Under load agents change thousands of times a second; a page is told
	// this often at most.
	eventPause = 200 * time.Millisecond
	// An event is sent this often at least, so that a dead reader is noticed.
	eventPulse = 15 * time.Second
	// A reader may take this long to take an event off the wire.
	eventWrite = 10 * time.Second
)

// agentJSON is an agent as the API shows it.
type agentJSON struct {
	ID         string    `json:"id"`
	Connection string    `json:"connection"`
	Remote     string    `json:"remote"`
	Since      time.Time `json:"since"`
	Thumbprint string    `json:"thumbprint"`
	Version    string    `json:"version"`
	Asked      int       `json:"asked"`
	Answered   int       `json:"answered"`
	LastMs     int64     `json:"lastMs"`
}

type agentsJSON struct {
	Agents     []agentJSON `json:"agents"`
	Unanswered int         `json:"unanswered"` // commands sent to an agent that nobody has answered until now
}

func (c *Cloud) agentsJSON() agentsJSON {
	list := []agentJSON{} // [] in JSON, not null
	for _, a := range c.Agents() {
		list = append(list, agentJSON{
			a.ID, a.Connection, a.Remote, a.Since.Truncate(time.Second), a.Thumbprint, a.Version,
			a.Asked, a.Answered, inMs(a.LastLatency),
		})
	}
	return agentsJSON{list, c.Unanswered()}
}

func (c *Cloud) serveAgents(w http.ResponseWriter, _ *http.Request) {
	answerJSON(w, http.StatusOK, c.agentsJSON())
}

// serveEvents sends the list of agents, and again whenever it changes, as
// server-sent events. A reader that does not read is dropped.
func (c *Cloud) serveEvents(w http.ResponseWriter, r *http.Request) {
	select {
	case c.streamSlots <- struct{}{}:
		defer func() { <-c.streamSlots }()
	default:
		answerError(w, http.StatusServiceUnavailable, errors.New("too many pages are open"))
		return
	}
	unhurried(w)
	w.Header().Set("Content-Type", "text/event-stream")
	control := http.NewResponseController(w)
	pause, pulse := time.NewTicker(eventPause), time.NewTicker(eventPulse)
	defer pause.Stop()
	defer pulse.Stop()
	for {
		changed := c.Changed() // before looking, so that nothing is missed
		data, err := json.Marshal(c.agentsJSON())
		if err != nil {
			c.log.Error("event not written", "err", err)
			return
		}
		// Without a deadline a write may hang for good; a writer that knows
		// none is a test's.
		_ = control.SetWriteDeadline(time.Now().Add(eventWrite))
		if _, err = fmt.Fprintf(w, "retry: 1000\ndata: %s\n\n", data); err == nil {
			err = control.Flush()
		}
		if err != nil {
			return // the reader is gone
		}
		select {
		case <-changed:
		case <-pulse.C:
		case <-r.Context().Done():
			return
		case <-c.ctx.Done():
			return
		}
		select {
		case <-pause.C:
		case <-r.Context().Done():
			return
		case <-c.ctx.Done():
			return
		}
	}
}

// unhurried takes the time limit off a request that has been read. The limit
// is for reading it, but would end a long answer too.
func unhurried(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // a writer that knows none is a test's
}
