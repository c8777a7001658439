package hub

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"ad-ldap-connector/pkg/identity"
)

// A command is one of the events that ask for something.
type command struct {
	name         string
	lane         int    // 0, 1, ...: its own
	suffix       string // of the reply's event, after the pid
	unauthorized string // the log's words for a bad token, their spelling as operators know it
	searches     bool   // its subject is the search term, not the user name
	echoes       bool   // an unknown user's name is repeated as a profile
	do           func(ctx context.Context, h Handler, r request) ([]byte, error)
}

var commandsByName = map[string]*command{
	"authenticate_user": {
		name: "authenticate_user", lane: 0, suffix: "_result", echoes: true,
		unauthorized: "Unauthorized attemp of authentication.",
		do: func(ctx context.Context, h Handler, r request) ([]byte, error) {
			return r.login(h.Authenticate(ctx, identity.Credentials{Username: r.name, Password: r.password}))
		},
	},
	"search_users": {
		name: "search_users", lane: 1, suffix: "_search_users_result", searches: true,
		unauthorized: "Unauthorized attemp of search_users.",
		do: func(ctx context.Context, h Handler, r request) ([]byte, error) {
			found, err := h.Search(ctx, r.query)
			return r.users(found), err
		},
	},
	"list_groups": {
		name: "list_groups", lane: 2, suffix: "_list_groups_result",
		unauthorized: "Unauthorized attempt of list_groups",
		do: func(ctx context.Context, h Handler, r request) ([]byte, error) {
			found, err := h.Groups(ctx, r.query.Limit)
			return r.groups(found), err
		},
	},
	"change_password": {
		name: "change_password", lane: 3, suffix: "_change_password_result",
		unauthorized: "Unauthorized change_password attempt",
		do: func(ctx context.Context, h Handler, r request) ([]byte, error) {
			return r.login(h.ChangePassword(ctx, identity.Credentials{Username: r.name, Password: r.password}))
		},
	},
}

func (r request) login(p identity.Profile, err error) ([]byte, error) {
	if err == nil && p.IsZero() {
		err = errEmpty
	}
	return r.profile(p), err
}

// The outcomes of a command.
const (
	accepted = "accepted"
	refused  = "refused"
	fault    = "fault"
)

// A result is what became of a command: the reply, and the log's words for it.
type result struct {
	reply                   []byte
	outcome, reason, detail string
	fault                   Fault
}

// perform lets the handler answer r. It always returns a result, also when the
// handler panics.
func (c *Client) perform(ctx context.Context, r request) (res result) {
	defer func() {
		if v := recover(); v != nil {
			c.log.Error("a command panicked", "command", r.command.name, "user", r.who(), "request", r.id(),
				"panic", short(fmt.Sprint(v), r.password), "stack", string(debug.Stack()))
			res = r.faulted(Internal, "internal error")
		}
	}()
	reply, err := r.command.do(ctx, c.handler, r)
	if err == nil {
		return result{reply: reply, outcome: accepted}
	}
	var no *identity.Refusal
	if errors.As(err, &no) {
		if reply, ok := r.refusal(no); ok {
			return result{reply: reply, outcome: refused, reason: string(no.Reason), detail: short(no.Detail, r.password)}
		}
	}
	if ctx.Err() != nil {
		return r.faulted(ended(ctx))
	}
	return r.faulted(Unanswered, short(err.Error(), r.password))
}

func (r request) faulted(kind Fault, text string) result {
	return result{reply: r.fault(text), outcome: fault, reason: text, fault: kind}
}

// conclude sends the reply, tells the log and whoever counts, and returns why
// the reply was lost, if it was. What is turned away may come in a flood, and
// is told of accordingly; what was worked on has one line each, unless that
// is a flood of its own.
func (c *Client) conclude(ctx context.Context, t *task, res result) (lost error) {
	r := t.r
	a := Answer{
		Command: r.command.name, Request: r.id(), User: r.who(), Outcome: res.outcome, Reason: res.reason, Fault: res.fault,
		Arrived: t.arrived, Link: t.from.number(),
	}
	var doing []string
	a.Stages, doing = t.progress.list()
	lost = c.deliver(ctx, t.from, res.reply)
	a.Took = time.Since(t.arrived)
	say := func(say func(string, ...any), text string, attrs ...any) { say(text, attrs...) }
	switch {
	case res.outcome == fault && t.progress != nil:
		say = c.quiet.faults.say
	case res.outcome == fault:
		say = c.quiet.answers.say
	}
	attrs := []any{"command", a.Command, "user", a.User, "outcome", a.Outcome}
	if res.reason != "" {
		attrs = append(attrs, "reason", res.reason)
	}
	if res.detail != "" {
		attrs = append(attrs, "detail", res.detail)
	}
	for _, s := range a.Stages {
		attrs = append(attrs, s.Name, s.Took)
	}
	if len(doing) > 0 {
		attrs = append(attrs, "unfinished", strings.Join(doing, ","))
	}
	if server := a.Server(); server != "" {
		attrs = append(attrs, "server", server)
	}
	// Not right after the reason: what follows a word such as "wrong_password"
	// is taken for a secret by those who look for them in logs, ourselves too.
	attrs = append(attrs, "request", a.Request, "took", a.Took)
	if lost != nil {
		attrs = append(attrs, "err", fmt.Errorf("the reply was lost: %w", lost))
		a.Lost = true
		c.o.Event(ReplyLost)
	}
	if res.outcome == fault || lost != nil {
		say(c.log.Error, "command answered", attrs...)
	} else {
		say(c.log.Info, "command answered", attrs...)
	}
	c.o.Answered(a)
	return lost
}
