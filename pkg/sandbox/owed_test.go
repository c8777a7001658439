package sandbox

import "testing"

// TestAnAnswerOnAnotherLink: an agent whose link ends may answer on its next
// one; and what it never answers is counted, also when somebody else did.
func TestAnAnswerOnAnotherLink(t *testing.T) {
	c := startCloud(t, CloudOptions{Timeout: patience})
	asked, over := make(chan string), make(chan struct{})
	joinAgent(t, c, firstKey(), c.Ticket(), "sandbox", func(a *fakeAgent, q question) string {
		select {
		case <-over: // nobody is asked twice
		case asked <- q.claims["pid"].(string):
			_ = a.conn.CloseNow() // to end it is all
		}
		return ""
	})
	answered := make(chan Response, 1)
	go func() {
		r, err := c.Request(t.Context(), "authenticate_user", aLogin)
		if err != nil {
			t.Error(err)
		}
		answered <- r
	}()
	pid := <-asked
	second := make(chan string, 1)
	heir := joinAgent(t, c, firstKey(), c.Ticket(), "sandbox", func(_ *fakeAgent, q question) string {
		second <- q.claims["pid"].(string) // the hub asks again, for the first link ended
		return ""
	})
	again := <-second
	if got := c.Unanswered(); got != 2 {
		t.Errorf("%d unanswered, of two", got)
	}
	heir.send(`{"n":"` + pid + `_result","p":{"profile":{"id":"first"}}}`)
	if r := <-answered; string(r.Reply) != `{"profile":{"id":"first"}}` || r.Agent != "a2" {
		t.Errorf("%+v", r)
	}
	if got := c.Unanswered(); got != 1 {
		t.Errorf("%d unanswered, of one", got)
	}
	heir.send(`{"n":"` + again + `_result","p":{}}`) // too late for whoever asked
	waitFor(t, c, func([]Agent) bool { return c.Unanswered() == 0 })
	close(over)
}
