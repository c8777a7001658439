package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

var aLogin = Request{Username: "ada", Password: "s3cret"}

func TestRequestsGoRound(t *testing.T) {
	c := startCloud(t, CloudOptions{})
	for range 3 {
		joinAgent(t, c, firstKey(), c.Ticket(), "sandbox", saysYes)
	}
	count := map[string]int{}
	for range 9 {
		response, err := c.Request(t.Context(), "authenticate_user", aLogin)
		if err != nil {
			t.Fatal(err)
		}
		count[response.Agent]++
	}
	if !maps.Equal(count, map[string]int{"a1": 3, "a2": 3, "a3": 3}) {
		t.Errorf("answered by %v", count)
	}
}

func TestAnAgentThatIsKilledIsReplaced(t *testing.T) {
	c := startCloud(t, CloudOptions{Timeout: patience})
	var pids sync.Map
	dies := func(a *fakeAgent, q question) string {
		pids.Store(q.claims["pid"], true)
		_ = a.conn.CloseNow() // between the request and its reply
		return ""
	}
	joinAgent(t, c, firstKey(), c.Ticket(), "sandbox", dies)
	joinAgent(t, c, firstKey(), c.Ticket(), "sandbox", dies)
	joinAgent(t, c, firstKey(), c.Ticket(), "sandbox", func(_ *fakeAgent, q question) string {
		if _, twice := pids.Load(q.claims["pid"]); twice {
			t.Error("the second agent is asked under the first one's id")
		}
		return `{"profile":{}}`
	})
	response, err := c.Request(t.Context(), "authenticate_user", aLogin)
	if err != nil || response.Agent != "a3" {
		t.Errorf("got %+v, %v", response, err)
	}
	waitAgents(t, c, 1)
}

func TestTheOnlyAgentMayComeBack(t *testing.T) {
	c := startCloud(t, CloudOptions{Timeout: patience})
	again := make(chan struct{})
	joinAgent(t, c, firstKey(), c.Ticket(), "sandbox", func(a *fakeAgent, _ question) string {
		_ = a.conn.CloseNow()
		close(again)
		return ""
	})
	answered := make(chan error, 1)
	go func() {
		_, err := c.Request(context.Background(), "authenticate_user", aLogin)
		answered <- err
	}()
	<-again
	joinAgent(t, c, firstKey(), c.Ticket(), "sandbox", saysYes)
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

func TestASilentAgentIsPassedOver(t *testing.T) {
	c := startCloud(t, CloudOptions{Timeout: patience, pace: hurried(cloudPace{next: 20 * time.Millisecond})})
	joinAgent(t, c, firstKey(), c.Ticket(), "sandbox", saysNothing)
	joinAgent(t, c, firstKey(), c.Ticket(), "sandbox", saysYes)
	for range 2 { // whoever is asked first
		response, err := c.Request(t.Context(), "list_groups", Request{})
		if err != nil || response.Agent != "a2" {
			t.Errorf("got %+v, %v", response, err)
		}
	}
}

func TestALateAnswerIsStillGood(t *testing.T) {
	c := startCloud(t, CloudOptions{Timeout: patience, pace: hurried(cloudPace{next: 20 * time.Millisecond})})
	second := make(chan struct{})
	joinAgent(t, c, firstKey(), c.Ticket(), "sandbox", func(*fakeAgent, question) string {
		<-second
		return `{"profile":{}}`
	})
	joinAgent(t, c, firstKey(), c.Ticket(), "sandbox", func(*fakeAgent, question) string {
		close(second)
		return ""
	})
	response, err := c.Request(t.Context(), "authenticate_user", aLogin)
	if err != nil || response.Agent != "a1" {
		t.Errorf("got %+v, %v", response, err)
	}
}

func TestNobodyAnswers(t *testing.T) {
	c := startCloud(t, CloudOptions{Timeout: 50 * time.Millisecond})
	if _, err := c.Request(t.Context(), "authenticate_user", aLogin); !errors.Is(err, ErrNoAgent) {
		t.Errorf("without agents: %v", err)
	}
	joinAgent(t, c, firstKey(), c.Ticket(), "sandbox", saysNothing)
	if _, err := c.Request(t.Context(), "authenticate_user", aLogin); !errors.Is(err, ErrNoAnswer) {
		t.Errorf("with a silent agent: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Request(ctx, "authenticate_user", aLogin); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := c.Request(t.Context(), "delete_user", aLogin); !errors.Is(err, ErrUnknownCommand) {
		t.Errorf("unknown command: %v", err)
	}
	if _, err := c.Request(t.Context(), "list_groups", Request{Connection: "other"}); !errors.Is(err, ErrUnknownConnection) {
		t.Errorf("unknown connection: %v", err)
	}
	if agents := c.Agents(); len(agents) != 1 {
		t.Errorf("agents %+v", agents)
	}
}

// TestBadFrames: frames that are no answers are dropped, and the link lives on.
func TestBadFrames(t *testing.T) {
	c := startCloud(t, CloudOptions{Timeout: patience})
	joinAgent(t, c, firstKey(), c.Ticket(), "sandbox", func(a *fakeAgent, q question) string {
		name := q.claims["pid"].(string) + "_result"
		for _, frame := range []string{
			``, `null`, `[]`, `"text"`, `{`, `{"n":1}`, `{"n":""}`, `{"p":{}}`, `{"n":"authenticate","p":{}}`,
			`{"n":"` + name + `"}`, `{"n":"` + name + `","p":null}`, `{"n":"` + name + `","p":[1]}`, `{"n":"` + name + `","p":"x"}`,
			`{"N":"` + name + `","P":{"wrong":"case"}}`, `{"n":"` + name + `x","p":{"wrong":"name"}}`,
			`{"n":"` + strings.TrimSuffix(name, "_result") + `_list_groups_result","p":{"wrong":"command"}}`,
			`{"n":"undefined_result","p":{}}`,
		} {
			a.send(frame)
		}
		if err := a.conn.Write(t.Context(), websocket.MessageBinary, []byte(`{"n":"`+name+`","p":{"wrong":"kind"}}`)); err != nil {
			t.Error(err)
		}
		a.send(`{"n":"` + name + `","p":{"right":1},"more":true}`)
		return `{"twice":1}`
	})
	for range 2 {
		response, err := c.Request(t.Context(), "authenticate_user", aLogin)
		if err != nil || string(response.Reply) != `{"right":1}` {
			t.Errorf("got %s, %v", response.Reply, err)
		}
	}
}

func TestAnAgentCannotAnswerForAnother(t *testing.T) {
	c := startCloud(t, CloudOptions{Timeout: patience})
	thief := joinAgent(t, c, firstKey(), c.Ticket(), "sandbox", saysNothing)
	if _, _, err := c.NewConnection("other", false, false); err != nil {
		t.Fatal(err)
	}
	ticket := c.ticket(c.find("other"))
	joinAgent(t, c, secondKey(), ticket, "other", func(_ *fakeAgent, q question) string {
		// Whatever the id is worth, it is the other link's.
		thief.send(`{"n":"` + q.claims["pid"].(string) + `_result","p":{"profile":{"id":"stolen"}}}`)
		thief.send(`{"n":"x","p":{}}`)
		return `{"profile":{"id":"own"}}`
	})
	response, err := c.Request(t.Context(), "authenticate_user", Request{Connection: "other", Username: "ada"})
	if err != nil || response.Agent != "a2" || !strings.Contains(string(response.Reply), "own") {
		t.Errorf("got %+v, %v", response, err)
	}
}

func TestDroppedAgentsMayComeBack(t *testing.T) {
	c := startCloud(t, CloudOptions{})
	a := joinAgent(t, c, firstKey(), c.Ticket(), "sandbox", saysYes)
	conn := dialHub(t, c) // says nothing, and is not an agent
	c.DropAgents()
	if agents := c.Agents(); len(agents) != 0 {
		t.Errorf("agents %+v", agents)
	}
	<-a.done
	joinAgent(t, c, firstKey(), c.Ticket(), "sandbox", saysYes)
	if agents := waitAgents(t, c, 1); agents[0].ID != "a2" {
		t.Errorf("agents %+v", agents)
	}
	_ = conn.CloseNow()
}

func TestTheHubSaysThatItGoesAway(t *testing.T) {
	c := startCloud(t, CloudOptions{})
	key := firstKey()
	key.register(t, c, c.Ticket())
	conn := dialHub(t, c)
	a := &fakeAgent{t: t, conn: conn}
	a.send(`{"n":"authenticate","p":{"jwt":"` + key.token(t, "sandbox", nil) + `"}}`)
	a.read()
	waitAgents(t, c, 1)
	go c.DropAgents()
	_, _, err := conn.Read(t.Context())
	if websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the link ended with %v", err)
	}
	waitAgents(t, c, 0)
}

// TestASlowAgentIsDropped: an agent that does not take frames off the wire
// blocks nobody but itself, and not for long.
func TestASlowAgentIsDropped(t *testing.T) {
	c := startCloud(t, CloudOptions{Timeout: patience, pace: hurried(cloudPace{write: 3 * time.Second})})
	other, _, err := c.NewConnection("other", false, false)
	if err != nil {
		t.Fatal(err)
	}
	joinAgent(t, c, firstKey(), other, "other", saysYes)
	key := firstKey()
	key.register(t, c, c.Ticket())
	slow := &fakeAgent{t: t, conn: dialHub(t, c)}
	slow.send(`{"n":"authenticate","p":{"jwt":"` + key.token(t, "sandbox", nil) + `"}}`)
	slow.read() // and never again
	waitAgents(t, c, 2)

	c.mu.Lock()
	stuck := c.links[1]
	c.mu.Unlock()
	for range 16 { // more than the buffers on the way hold
		if !stuck.ask(bytes.Repeat([]byte(" "), 1<<20), "", nil) {
			t.Fatal("the queue is full")
		}
	}
	// Stuck by now, or soon, or gone already: the other one must not notice.
	if _, err := c.Request(t.Context(), "authenticate_user", Request{Connection: "other"}); err != nil {
		t.Error(err)
	}
	if agents := waitAgents(t, c, 1); agents[0].ID != "a1" {
		t.Errorf("the agents are %+v", agents)
	}
}

// TestAFullQueueIsPassedOver: an agent with too many requests before it is
// left out, and asked again later.
func TestAFullQueueIsPassedOver(t *testing.T) {
	l := &cloudLink{cloud: &Cloud{options: CloudOptions{Now: time.Now}, changed: make(chan struct{})}, out: make(chan cloudMessage, 1), waiting: map[string]cloudWaiter{}}
	if !l.ask(nil, "first", nil) || l.ask(nil, "second", nil) {
		t.Error("the queue has not one place")
	}
	if _, there := l.waiting["second"]; there || len(l.waiting) != 1 || l.agent.Asked != 1 {
		t.Errorf("waiting for %v", l.waiting)
	}
}

// TestADeadAgentIsDropped: an agent whose process hangs answers no pings.
func TestADeadAgentIsDropped(t *testing.T) {
	c := startCloud(t, CloudOptions{pace: hurried(cloudPace{ping: 100 * time.Millisecond})})
	key := firstKey()
	key.register(t, c, c.Ticket())
	dead := &fakeAgent{t: t, conn: dialHub(t, c)}
	dead.send(`{"n":"authenticate","p":{"jwt":"` + key.token(t, "sandbox", nil) + `"}}`)
	dead.read()
	waitAgents(t, c, 0) // it came before it was answered
}

// TestPingsAreAnswered: agents look after the link with pings of their own.
func TestPingsAreAnswered(t *testing.T) {
	c := startCloud(t, CloudOptions{})
	a := joinAgent(t, c, firstKey(), c.Ticket(), "sandbox", saysYes)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := a.conn.Ping(ctx); err != nil {
		t.Error(err)
	}
}

func TestCloseEndsRequestsAndLinks(t *testing.T) {
	c, err := StartCloud(CloudOptions{Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{})
	a := joinAgent(t, c, firstKey(), c.Ticket(), "sandbox", func(*fakeAgent, question) string {
		close(asked)
		return ""
	})
	answered := make(chan error, 1)
	go func() {
		_, err := c.Request(context.Background(), "authenticate_user", aLogin)
		answered <- err
	}()
	<-asked
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := <-answered; !errors.Is(err, ErrNoAgent) {
		t.Errorf("the request ended with %v", err)
	}
	<-a.done
	if err := c.Close(); err != nil {
		t.Errorf("closed again: %v", err)
	}
	if _, err := c.Request(t.Context(), "list_groups", Request{}); !errors.Is(err, ErrNoAgent) {
		t.Errorf("after Close: %v", err)
	}
}

func TestARequestHidesItsPassword(t *testing.T) {
	var log memoryLog
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if text := fmt.Sprintf(format, aLogin); strings.Contains(text, "s3cret") || !strings.Contains(text, "ada") {
			t.Errorf("%s shows %s", format, text)
		}
	}
	log.logger().Info("request", "request", aLogin, "also", &aLogin)
	if strings.Contains(log.String(), "s3cret") {
		t.Errorf("the log has %s", log.String())
	}
}

// hurried is the usual pace but for what is given.
func hurried(p cloudPace) cloudPace {
	usual := usualPace
	if p.authenticate > 0 {
		usual.authenticate = p.authenticate
	}
	if p.write > 0 {
		usual.write = p.write
	}
	if p.ping > 0 {
		usual.ping = p.ping
	}
	if p.next > 0 {
		usual.next = p.next
	}
	return usual
}
