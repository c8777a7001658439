package sandbox

import (
	"net/http"
	"time"
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

func (c *Cloud) agentsJSON() map[string][]agentJSON {
	list := []agentJSON{}
	for _, a := range c.Agents() {
		list = append(list, agentJSON{
			a.ID, a.Connection, a.Remote, a.Since, a.Thumbprint, a.Version, a.Asked, a.Answered,
			a.LastLatency.Round(time.Millisecond).Milliseconds(),
		})
	}
	return map[string][]agentJSON{"agents": list}
}

func (c *Cloud) serveAgents(w http.ResponseWriter, _ *http.Request) {
	answerJSON(w, http.StatusOK, c.agentsJSON())
}
func (c *Cloud) serveEvents(_ http.ResponseWriter, _ *http.Request) {}
func (c *Cloud) servePage(_ http.ResponseWriter, _ *http.Request)   {}
func (c *Cloud) serveLogin(_ http.ResponseWriter, _ *http.Request)  {}
