package main

import (
	"fmt"
	"slices"
	"strings"
)

// A nodesPhase is what became of the logins while one kind of thing befell one
// node after the other. Retried logins were answered by another node than the
// one that was asked first. Unanswered are commands of the tenant that no node ever
// answered, whoever was asked next.
type nodesPhase struct {
	Name       string         `json:"name"`
	Nodes      []string       `json:"nodes"`
	Planned    bool           `json:"planned"`
	Took       float64        `json:"tookMs"`
	Answered   int            `json:"answered"`
	Retried    int            `json:"retried"`
	Unanswered int            `json:"unanswered"`
	Lost       int            `json:"lost"`
	Faulted    int            `json:"faulted"`
	Wrong      int            `json:"wrong"`
	Slowest    float64        `json:"slowestMs"`
	Recover    float64        `json:"recoverMs"` // the longest until all was well again
	ByNode     map[string]int `json:"byNode"`
	SignIns    int            `json:"signIns"` // of browsers, through a balancer
	Reloads    int            `json:"reloads"` // requests of theirs that had to be sent again
}

// count says what became of all logins, phase by phase, and what should not have.
func (p *nodesPlay) count(steps []nodesStep) (r drillResult, problems []error) {
	names := func(i int) string { return p.nodes[i].name }
	var phase *nodesPhase
	for _, s := range steps {
		if phase == nil || phase.Name != s.name {
			r.Phases = append(r.Phases, nodesPhase{Name: s.name, Planned: s.planned, ByNode: map[string]int{}})
			phase = &r.Phases[len(r.Phases)-1]
		}
		phase.Nodes, phase.Took = append(phase.Nodes, names(s.node)), phase.Took+ms(s.to-s.from)
		if phase.Unanswered += s.unanswered; s.heir && s.unanswered > 0 {
			problems = append(problems, fmt.Errorf("%s %s: %d commands were never answered, though another process took over", names(s.node), s.name, s.unanswered))
		}
		phase.Recover = max(phase.Recover, ms(s.recovery))
		r.Recover = max(r.Recover, phase.Recover)
		strangers := 0
		for _, t := range p.load.tries {
			if t.begun < s.from || t.begun >= s.to {
				continue
			}
			phase.take(t, names)
			strangers += t.passedOver(steps)
		}
		if strangers > 0 {
			problems = append(problems, fmt.Errorf("%s %s: %d logins were not answered by a node to which nothing had happened", names(s.node), s.name, strangers))
		}
	}
	for _, t := range p.load.tries { // also those between two phases
		r.take(t)
	}
	for _, f := range r.Phases {
		if f.Answered == 0 {
			problems = append(problems, fmt.Errorf("%s: nobody logged in", f.Name))
		}
	}
	wrong := r.Answered - r.accepted - r.Refused - r.Faulted
	if wrong+r.Lost+r.Faulted > 0 {
		problems = append(problems, fmt.Errorf("%d answers were not true, %d logins got none, %d were faults (%s)", wrong, r.Lost, r.Faulted, strings.Join(p.load.reasons(), "; ")))
	}
	if r.accepted == 0 || r.Refused == 0 {
		problems = append(problems, fmt.Errorf("%d logins were accepted and %d refused", r.accepted, r.Refused))
	}
	return r, problems
}

// report tells people of the phases.
func (p *nodesPlay) report(r drillResult) {
	for _, f := range r.Phases {
		browsers := ""
		if p.browsers != nil {
			browsers = fmt.Sprintf("; %d sign-ins, %d reloads", f.SignIns, f.Reloads)
		}
		p.say("  %-9s %6d answered, %d retried, %d unanswered, %d lost, slowest %.1f s: %s%s", f.Name, f.Answered, f.Retried, f.Unanswered, f.Lost, f.Slowest/1000, f.shares(p.nodes), browsers)
	}
}

// take counts one login.
func (r *drillResult) take(t rateTry) {
	switch t.outcome {
	case wasAccepted:
		r.accepted++
	case wasRefused:
		r.Refused++
	case wasFaulted:
		r.Faulted++
	case wasLost:
		r.Lost++
		return
	}
	r.Answered++
	r.Worst = max(r.Worst, ms(t.ended-t.begun))
}

// take counts one login.
func (f *nodesPhase) take(t rateTry, name func(int) string) {
	switch t.outcome {
	case wasLost:
		f.Lost++
		return
	case wasFaulted:
		f.Faulted++
	case wasWrong:
		f.Wrong++
	}
	f.Answered++
	f.Slowest = max(f.Slowest, ms(t.ended-t.begun))
	if t.by >= 0 {
		f.ByNode[name(t.by)]++
	}
	if len(t.asked) > 1 {
		f.Retried++
	}
}

// shares says how many logins each node answered.
func (f *nodesPhase) shares(nodes []*drillNode) string {
	var text []string
	for _, n := range nodes {
		text = append(text, fmt.Sprintf("%s %d", n.name, f.ByNode[n.name]))
	}
	return strings.Join(text, ", ")
}

// passedOver is 1 when somebody else was asked instead of a node to which nothing
// had happened while the login was under way.
func (t rateTry) passedOver(steps []nodesStep) int {
	if len(t.asked) < 2 {
		return 0
	}
	for _, n := range t.asked[:len(t.asked)-1] {
		if !slices.ContainsFunc(steps, func(s nodesStep) bool { return s.node == n && s.from < t.ended && s.to > t.begun }) {
			return 1
		}
	}
	return 0
}
