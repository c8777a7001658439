package sandbox

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
)

var (
	// ErrUnknownCommand says that the hub has no such command.
	ErrUnknownCommand = errors.New("no such command")
	// ErrNoAgent says that no agent of the connection is connected.
	ErrNoAgent = errors.New("no agent is connected")
	// ErrNoAnswer says that no agent answered in time.
	ErrNoAnswer = errors.New("no agent answered in time")
)

// cloudCommands are the commands of the hub, each with what follows the
// request's id in the name of its answer.
var cloudCommands = map[string]string{
	"authenticate_user": "_result",
	"search_users":      "_search_users_result",
	"list_groups":       "_list_groups_result",
	"change_password":   "_change_password_result",
}

// A Request is what the tenant asks an agent. It shows its password to no
// format and no log.
type Request struct {
	Connection string `json:"connection"` // "" is the first connection
	Username   string `json:"username"`
	Password   string `json:"password"`
	Search     string `json:"search"` // "" is not sent
	Limit      int    `json:"limit"`  // 0 is not sent
	Escaped    bool   `json:"escaped"`
}

// Format writes the request without its password.
func (r Request) Format(s fmt.State, _ rune) {
	// fmt.State reports no errors.
	_, _ = io.WriteString(s, fmt.Sprintf("request{connection:%q username:%q search:%q limit:%d}", r.Connection, r.Username, r.Search, r.Limit))
}

// LogValue gives the log the request without its password.
func (r Request) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(r)) }

// A Response is an agent's answer, refusals included.
type Response struct {
	Agent  string          // who answered
	Remote string          // that agent's address
	Took   time.Duration   // from asking that agent to its answer
	Reply  json.RawMessage // the answer's payload, an object
	Asked  []string        // the addresses of the agents that were asked, in their order
}

// Request asks the agents of a connection, each in turn, and returns the first
// answer. An agent that goes before it answered, or does not answer within a
// slice of the time, is given up on and another one is asked; a late answer is
// still good. Errors: ErrUnknownCommand, ErrUnknownConnection, ErrNoAgent,
// ErrNoAnswer, or the context's.
func (c *Cloud) Request(ctx context.Context, command string, r Request) (Response, error) {
	response, err := c.request(ctx, command, r)
	if err != nil {
		return Response{}, fmt.Errorf("ask for %s: %w", shortName(command), err)
	}
	return response, nil
}

func shortName(command string) string {
	if _, ok := cloudCommands[command]; ok {
		return command
	}
	return "a command" // it may be anything that somebody put into an address
}

func (c *Cloud) request(caller context.Context, command string, r Request) (Response, error) {
	suffix, ok := cloudCommands[command]
	if !ok {
		return Response{}, ErrUnknownCommand
	}
	cc := c.find(r.Connection)
	if cc == nil {
		return Response{}, ErrUnknownConnection
	}
	ctx, cancel := context.WithTimeout(caller, c.options.Timeout)
	defer cancel()
	deadline, _ := ctx.Deadline()
	select {
	case c.askSlots <- struct{}{}:
		defer func() { <-c.askSlots }()
	case <-ctx.Done():
		return Response{}, c.outOfTime(caller)
	}

	answers := make(chan cloudAnswer, 1) // the first one counts
	asked := map[*cloudLink]string{}     // and the name of the answer each owes
	var order []string
	defer func() {
		for l, name := range asked {
			l.forget(name)
		}
	}()
	slice := time.NewTimer(0)
	defer slice.Stop()
	<-slice.C
	for waiting := (*cloudLink)(nil); ; {
		changed := c.Changed() // before looking, so that nobody is missed
		if waiting == nil {
			next, others, live := c.next(cc.Name, asked)
			switch {
			case next != nil:
				name, err := c.ask(next, cc, command, suffix, r, answers)
				if err != nil {
					return Response{}, err
				}
				if asked[next] = name; name == "" {
					continue // it takes no more: the next one
				}
				waiting, order = next, append(order, next.agent.Remote)
				slice.Reset(min(time.Until(deadline)/time.Duration(others+1), c.options.pace.next))
			case !live && len(asked) == 0:
				return Response{}, ErrNoAgent
			}
		}
		var gone chan struct{}
		if waiting != nil {
			gone, changed = waiting.gone, nil
		}
		select {
		case a := <-answers:
			return Response{Agent: a.agent, Remote: a.remote, Took: a.took, Reply: a.payload, Asked: order}, nil
		case <-gone:
			waiting = nil
		case <-slice.C:
			waiting = nil
		case <-changed:
		case <-ctx.Done():
			return Response{}, c.outOfTime(caller)
		case <-c.ctx.Done():
			return Response{}, ErrNoAgent
		}
	}
}

func (c *Cloud) outOfTime(caller context.Context) error {
	if err := caller.Err(); err != nil {
		return err
	}
	return ErrNoAnswer
}

// ask sends one request to one agent, under a new id. The name of the answer
// is "" when the agent takes no more requests.
func (c *Cloud) ask(l *cloudLink, cc *cloudConnection, command, suffix string, r Request, answers chan<- cloudAnswer) (string, error) {
	pid := rand.Text()
	token, err := c.sign(cc, pid, command, r)
	if err != nil {
		return "", err
	}
	frame, err := json.Marshal(cloudFrame{command, map[string]string{"jwt": token}})
	if err != nil {
		return "", fmt.Errorf("write the frame: %w", err)
	}
	if !l.ask(frame, pid+suffix, answers) {
		return "", nil
	}
	return pid + suffix, nil
}
