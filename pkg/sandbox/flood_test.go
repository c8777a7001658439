package sandbox

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// TestAFlood counts what an agent gets, and what its request gets meanwhile.
func TestAFlood(t *testing.T) {
	t.Parallel()
	c := startCloud(t, CloudOptions{Timeout: patience})
	if _, err := c.Flood(t.Context(), "nosuch", 1); !errors.Is(err, ErrUnknownConnection) {
		t.Errorf("to nobody's connection: %v", err)
	}
	if _, err := c.Flood(t.Context(), "", 1); !errors.Is(err, ErrNoAgent) {
		t.Errorf("to no agent: %v", err)
	}
	k := firstKey()
	k.register(t, c, c.Ticket())
	a := &fakeAgent{t: t, conn: dialHub(t, c)}
	a.send(`{"n":"authenticate","p":{"jwt":"` + k.token(t, "sandbox", nil) + `"}}`)
	a.read()
	waitAgents(t, c, 1)
	const frames = 5000
	sent := make(chan error, 1)
	go func() {
		n, err := c.Flood(t.Context(), "", frames)
		if err == nil && n != frames {
			err = errors.New("it wrote fewer")
		}
		sent <- err
	}()
	kinds, commands := map[string]int{}, map[string]bool{}
	for range frames {
		text := a.read()
		kinds[text]++
		for name := range cloudCommands {
			if strings.Contains(text, `"`+name+`"`) {
				commands[name] = true
			}
		}
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	for text, n := range kinds {
		if n != frames/10 {
			t.Errorf("%d times: %s", n, text)
		}
	}
	if len(commands) < 3 {
		t.Errorf("commands in it: %v", commands)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if n, err := c.Flood(ended, "", frames); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("after its end: %d, %v", n, err)
	}
	go func() { _ = a.conn.Close(websocket.StatusNormalClosure, "") }() // the agent has had enough
	if n, err := c.Flood(t.Context(), "", 1<<30); err == nil || n == 1<<30 {
		t.Errorf("to an agent that has gone: %d, %v", n, err)
	}
}
