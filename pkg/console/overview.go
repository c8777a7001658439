package console

import (
	"fmt"
	"time"

	"ad-ldap-connector/pkg/agent"
)

// An Overview is what the first page shows, of one moment.
type Overview struct {
	Instance, Connection, Tenant string
	Health                       []agent.Health

	Accepted, Refused, Faulted int // logins since the start
	P50, P99                   time.Duration

	Points []Point
	Unwell []Login // the last refusals and faults, the newest first

	Certificate time.Time      // when it ends; zero: not known
	Clock       *time.Duration // how far the tenant's is ahead; nil: not known

	Peers  []Peer
	Warned []string // what is not as a cluster should be
	Asking bool     // the peers are being asked just now

	NoPassword bool // there is no administrator's password
}

// A Peer is another node of the connector, or this one.
type Peer struct {
	Address, Name, Version string
	Health                 agent.State
	Fault                  string // why it cannot be asked
	Drift                  []string
	Self                   bool
}

// Worst is the health of all.
func (o Overview) Worst() agent.State { return agent.Worst(o.Health) }

// Says is the health in words.
func (o Overview) Says() string {
	switch worst := o.Worst(); worst {
	case agent.OK:
		return "All parts are well."
	default:
		n := 0
		for _, p := range o.Health {
			if p.State != agent.OK {
				n++
			}
		}
		if n == 1 {
			return fmt.Sprintf("One part is %s.", worst)
		}
		return fmt.Sprintf("%d parts are not well; the worst is %s.", n, worst)
	}
}

// recent is how many refusals are seen at once.
const recent = 8

// Recent and Older are the refusals and faults that are seen at once, and those
// that are not.
func (o Overview) Recent() []Login { return o.Unwell[:min(recent, len(o.Unwell))] }

// Older are those before.
func (o Overview) Older() []Login { return o.Unwell[min(recent, len(o.Unwell)):] }

// Outcomes is the plot of logins by what became of them.
func (o Overview) Outcomes() plot { return outcomes(o.Points) }

// Clocks is the plot of the clock.
func (o Overview) Clocks() plot { return clock(o.Points) }

// Latencies are the plots of the stages; none without a login in the hour.
func (o Overview) Latencies() []plot {
	var all []plot
	for i := range PlotStages {
		p := latency(o.Points, i)
		if i == 0 && p.Nothing != "" {
			return nil
		}
		if p.Nothing == "" {
			all = append(all, p)
		}
	}
	return all
}

// A Todo is one thing that is to be done next.
type Todo struct {
	Tone         string // bad, warn or idle
	Text, Detail string
	Href, Action string
}

// certificateSoon is how long before its end a certificate is spoken of.
const certificateSoon = 30 * 24 * time.Hour

// Todo says what is to be done next, what matters most first.
func (o Overview) Todo() []Todo {
	var bad, warn, more []Todo
	certificate := false // it has been said
	if o.Connection == "" {
		bad = append(bad, Todo{"bad", "Connect it to your tenant", "There is no ticket yet.", "/configuration", "Enter the ticket"})
	}
	for _, p := range o.Health {
		switch p.State {
		case agent.OK:
		case agent.Down:
			bad = append(bad, Todo{"bad", "Find out why " + named(p.Part) + " is down", p.Detail, "/troubleshooting", "Run the checks"})
		default:
			certificate = certificate || p.Part == "certificate"
			warn = append(warn, Todo{"warn", "Look after " + named(p.Part), p.Detail, "/troubleshooting", "Run the checks"})
		}
	}
	if !certificate && !o.Certificate.IsZero() && time.Until(o.Certificate) < certificateSoon {
		warn = append(warn, Todo{"warn", "Renew the agent's certificate", "It ends on " + o.Certificate.UTC().Format(time.DateOnly) + ": connector keys renew", "", ""})
	}
	for _, w := range o.Warned {
		warn = append(warn, Todo{"warn", "Look after the nodes", w, "", ""})
	}
	if o.Connection != "" && o.Accepted+o.Refused+o.Faulted == 0 {
		more = append(more, Todo{"idle", "Try a login", "Nobody has logged in since the start. A login can be explained stage by stage.", "/search-users", "Explain a login"})
	}
	if len(o.Peers) < 2 && o.Connection != "" {
		more = append(more, Todo{"idle", "Set up a second node", "With one node, its machine's maintenance is everybody's.", "/export", "Export this one"})
	}
	if o.NoPassword {
		more = append(more, Todo{"idle", "Set a password for this console, if you like", "Until then a one-time link is the only way in: connector console password", "", ""})
	}
	return append(append(bad, warn...), more...)
}

// named is a part for people.
func named(part string) string {
	switch part {
	case "signin":
		return "the sign-in"
	case "audit", "traces", "peers", "health":
		return "the part " + part
	}
	return "the " + part
}

// overview are the routes of the first page.
func (c *console) overview() []route {
	show := func(do func(v *visit, o Overview) error) func(*visit) error {
		return func(v *visit) error {
			if c.options.Overview == nil {
				return unavailable(v, "This connector does not watch itself.")
			}
			return do(v, c.options.Overview())
		}
	}
	return []route{
		{pattern: "GET /", do: show(func(v *visit, o Overview) error {
			if of := c.options.Configuration; of != nil && of.Setup != nil {
				return v.redirect("/configuration") // there is nothing else to do yet
			}
			return v.show("overview", o)
		})},
		{pattern: "GET /live", script: true, do: show(func(v *visit, o Overview) error { return v.part("overview", "live", o) })},
	}
}

// ClockMs is the clock's offset in milliseconds.
func (o Overview) ClockMs() float64 {
	if o.Clock == nil {
		return 0
	}
	return millis(*o.Clock)
}
