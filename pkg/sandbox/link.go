package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"
)

const (
	// maxReply bounds an agent's frame, in bytes. A search without a limit
	// puts all users into one.
	maxReply = 64 << 20
	// maxGreeting bounds its first frame, before it is known.
	maxGreeting = 16 << 10
	// maxQueued is how many requests may wait for an agent's socket.
	maxQueued = 256
)

// cloudFrame is a message as the hub writes it.
type cloudFrame struct {
	Name    string `json:"n"`
	Payload any    `json:"p"`
}

// parseCloudFrame reads a message of an agent: a JSON object with a name n
// and, perhaps, a payload p. Other members are let pass; anything else is not
// a message, and the reference behaviour is to drop it.
func parseCloudFrame(data []byte) (name string, payload json.RawMessage, ok bool) {
	// A map, because struct members match whatever their case and agents must
	// not get used to that.
	var frame map[string]json.RawMessage
	if json.Unmarshal(data, &frame) != nil {
		return "", nil, false
	}
	if json.Unmarshal(frame["n"], &name) != nil || name == "" {
		return "", nil, false
	}
	return name, frame["p"], true
}

// cloudAnswer is one agent's answer to one request.
type cloudAnswer struct {
	agent   string
	remote  string
	took    time.Duration
	payload json.RawMessage
}

// cloudLink is the socket of one agent.
type cloudLink struct {
	cloud *Cloud
	agent Agent  // guarded by Cloud.mu
	turn  uint64 // when it was asked last; guarded by Cloud.mu
	conn  *websocket.Conn
	out   chan cloudMessage
	ctx   context.Context // ends with the link
	drop  context.CancelFunc
	gone  chan struct{} // closed when it is off the list

	mu      sync.Mutex
	waiting map[string]cloudWaiter // by name of the answer
}

type cloudWaiter struct {
	answers chan<- cloudAnswer
	asked   time.Time
}

// serveHub keeps one agent's link until it ends. Without a free place it
// answers 503; an agent that does not say who it is in time is closed on.
func (c *Cloud) serveHub(w http.ResponseWriter, r *http.Request) {
	select {
	case c.linkSlots <- struct{}{}:
		defer func() { <-c.linkSlots }()
	default:
		answerError(w, http.StatusServiceUnavailable, errors.New("the hub has as many links as it takes"))
		return
	}
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		c.log.Debug("upgrade refused", "remote", r.RemoteAddr, "err", err)
		return // Accept has answered
	}
	l := &cloudLink{
		cloud: c, conn: conn, out: make(chan cloudMessage, maxQueued), gone: make(chan struct{}),
		waiting: map[string]cloudWaiter{},
	}
	l.ctx, l.drop = context.WithCancel(c.ctx) // the request's context ends with the upgrade
	defer l.drop()
	// Closes the socket whatever happened; after a polite close it is a no-op.
	defer func() { _ = conn.CloseNow() }()

	conn.SetReadLimit(maxGreeting)
	connection, thumbprint, err := l.greet()
	if err == nil && c.refuses.Load() {
		err = errors.New("no agents are taken now")
	}
	if err != nil {
		c.log.Warn("agent rejected", "remote", r.RemoteAddr, "err", err)
		conn.CloseRead(l.ctx) // lets l.drop end the wait for a peer that does not close
		l.end(websocket.StatusPolicyViolation, "authentication failed")
		return
	}
	conn.SetReadLimit(maxReply)
	l.agent = Agent{
		Connection: connection.Name, Remote: r.RemoteAddr, Since: c.options.Now(),
		Thumbprint: thumbprint, Version: connection.Version,
	}
	l.out <- cloudMessage{frame: []byte(`{"n":"authenticated","p":{}}`)} // before the first request: the queue is empty yet
	c.join(l)
	c.log.Info("agent accepted", "agent", l.agent.ID, "connection", connection.Name, "remote", r.RemoteAddr)
	var loops sync.WaitGroup
	loops.Go(l.write)
	loops.Go(l.ping)
	err = l.read()
	c.leave(l)
	l.drop()
	loops.Wait()
	c.log.Info("agent gone", "agent", l.agent.ID, "connection", connection.Name, "err", err)
}

func (c *Cloud) join(l *cloudLink) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.arrivals++
	l.agent.ID = fmt.Sprintf("a%d", c.arrivals)
	c.links = append(c.links, l)
	c.tell()
}

func (c *Cloud) leave(l *cloudLink) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.links = slices.DeleteFunc(slices.Clone(c.links), func(other *cloudLink) bool { return other == l })
	c.tell()
	close(l.gone)
}

// greet waits for the agent to say who it is. Frames that are none are passed
// over, as long as the time lasts.
func (l *cloudLink) greet() (*cloudConnection, string, error) {
	ctx, cancel := context.WithTimeout(l.ctx, l.cloud.options.pace.authenticate)
	defer cancel()
	for {
		kind, data, err := l.conn.Read(ctx)
		if err != nil {
			return nil, "", fmt.Errorf("wait for the agent to authenticate: %w", err)
		}
		name, payload, ok := parseCloudFrame(data)
		if kind != websocket.MessageText || !ok || name != "authenticate" {
			continue
		}
		var proof struct {
			JWT string `json:"jwt"`
		}
		if err = json.Unmarshal(payload, &proof); err == nil {
			var connection *cloudConnection
			var thumbprint string
			if connection, thumbprint, err = l.cloud.judge(proof.JWT); err == nil {
				return connection, thumbprint, nil
			}
		}
		return nil, "", errors.Join(err, l.send([]byte(`{"n":"authentication_failure","p":{}}`)))
	}
}

// read takes in answers until the link ends.
func (l *cloudLink) read() error {
	for {
		kind, data, err := l.conn.Read(l.ctx)
		if err != nil {
			return err
		}
		name, payload, ok := parseCloudFrame(data)
		if kind != websocket.MessageText || !ok || len(payload) == 0 || payload[0] != '{' {
			l.cloud.log.Debug("frame dropped: not a message with an object", "agent", l.agent.ID, "bytes", len(data))
			continue
		}
		l.deliver(name, payload)
	}
}

// deliver gives an answer to who waits for it. It may come on another link of
// the same connection than the one that was asked, whose end may have come
// meanwhile. An answer that nobody waits for, because it is late, invented or
// comes twice, is dropped.
func (l *cloudLink) deliver(name string, payload json.RawMessage) {
	asked := l.cloud.settle(name, l)
	asked.mu.Lock()
	waiter, ok := asked.waiting[name]
	delete(asked.waiting, name)
	asked.mu.Unlock()
	if !ok {
		l.cloud.log.Debug("frame dropped: nobody asked", "agent", l.agent.ID, "bytes", len(payload))
		return
	}
	took := l.cloud.options.Now().Sub(waiter.asked)
	l.cloud.mu.Lock()
	l.agent.Answered++
	l.agent.LastLatency = took
	l.cloud.tell()
	l.cloud.mu.Unlock()
	select {
	case waiter.answers <- cloudAnswer{l.agent.ID, l.agent.Remote, took, payload}:
	default: // another agent was faster
	}
}

// ask queues a request. It is false when the agent takes frames off the wire
// too slowly, or is gone.
func (l *cloudLink) ask(frame []byte, answer string, answers chan<- cloudAnswer) bool {
	l.mu.Lock()
	l.waiting[answer] = cloudWaiter{answers, l.cloud.options.Now()}
	l.mu.Unlock()
	select {
	case l.out <- cloudMessage{frame, answer}:
	default:
		l.forget(answer)
		return false
	}
	l.cloud.mu.Lock()
	l.agent.Asked++
	l.cloud.tell()
	l.cloud.mu.Unlock()
	return true
}

func (l *cloudLink) forget(answer string) {
	l.mu.Lock()
	delete(l.waiting, answer)
	l.mu.Unlock()
}

func (l *cloudLink) write() {
	for {
		select {
		case m := <-l.out:
			l.cloud.owe(m.answer, l)
			if err := l.send(m.frame); err != nil {
				l.cloud.settle(m.answer, l) // it was not asked
				l.drop()
				return
			}
		case <-l.ctx.Done():
			return
		}
	}
}

func (l *cloudLink) send(frame []byte) error {
	ctx, cancel := context.WithTimeout(l.ctx, l.cloud.options.pace.write)
	defer cancel()
	return l.conn.Write(ctx, websocket.MessageText, frame)
}

// ping drops a link whose other end has died without a word.
func (l *cloudLink) ping() {
	ticker := time.NewTicker(l.cloud.options.pace.ping)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			ctx, cancel := context.WithTimeout(l.ctx, l.cloud.options.pace.ping)
			err := l.conn.Ping(ctx)
			cancel()
			if err != nil {
				l.drop()
				return
			}
		case <-l.ctx.Done():
			return
		}
	}
}

// end closes the link politely, and after a second without an answer rudely.
func (l *cloudLink) end(code websocket.StatusCode, reason string) {
	rude := time.AfterFunc(time.Second, l.drop)
	defer rude.Stop()
	_ = l.conn.Close(code, reason) // a peer that is gone already is as good
	l.drop()
}
