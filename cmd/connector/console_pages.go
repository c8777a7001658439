package main

import (
	"context"
	"io"
	"sync"
	"time"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/console"
	"ad-ldap-connector/pkg/doctor"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/identity"
)

// consolePages are what the pages of the console do, by the code of the
// commands.
type consolePages struct {
	*app                // that says nothing to anybody
	home     *home.Home // the one that the connector runs in
	takeUp   func(context.Context) string
	saving   *sync.Mutex // one script at a time
	node     *node       // nil: it is not set up yet
	afterAll func()      // once a first set-up holds
}

// consolePages fills in what the pages need that change things.
func (n *node) consolePages(o *console.Options) {
	p := &consolePages{app: n.commands(io.Discard), home: n.home, takeUp: n.takeUp, saving: &n.saving}
	if p.takeUp == nil {
		p.takeUp = func(context.Context) string { return "nobody can tell it; restart it" }
	}
	o.Configuration, o.Transfer = p.configuration(), p.transfer()
	if n.settled != nil { // there are no users yet
		p.afterAll = n.settled
		o.Configuration.Setup = p.setup()
		return
	}
	p.node = n
	o.Transfer = p.transfer()
	o.Search, o.Mapper = p.search(), p.mapper()
}

// entryOf is a directory's entry in the console's words.
func entryOf(e *identity.Entry) *console.Entry {
	out := &console.Entry{DN: e.DN}
	for _, a := range e.Attributes {
		out.Attributes = append(out.Attributes, console.Attribute{Name: a.Name, Values: a.Values})
	}
	return out
}

// stageOf is a stage in the console's words.
func stageOf(s identity.Stage) console.StageReport {
	r := explain(s)
	return console.StageReport{Name: r.Stage, Server: visible(r.Server), Detail: visible(r.Detail), Took: s.Took, Failed: s.Err != nil}
}

// traced runs a question to the directory and returns its stages.
func traced(ctx context.Context, ask func(context.Context) error) (stages []console.StageReport, err error) {
	err = ask(identity.WithTrace(ctx, func(s identity.Stage) { stages = append(stages, stageOf(s)) }))
	return stages, err
}

// examine has the doctor look at a candidate for a home.
func (p *consolePages) examine(ctx context.Context, t *target, checks []doctor.Check, seen func(doctor.Entry)) bool {
	defer t.Close()
	t.secrets.learn(t.config)
	t.secrets.addTicket(t.ticket)
	if data, err := p.home.Waivers(); err == nil {
		t.waivers, t.waiverErr = doctor.ParseWaivers(data)
	}
	r := doctor.Run(ctx, p.doctorEnv(t), checks, t.waivers, func(f doctor.Finding) {
		one := doctor.Report{Started: time.Now(), Findings: []doctor.Finding{f}}
		seen(one.Document(doctor.Connector{}).Checks[0])
	})
	return r.Blocked()
}

// candidateTarget is what the doctor is to look at before it is saved.
func candidateTarget(h *home.Home, c config.Config, t *transport) *target {
	return &target{
		home: h, configured: true, config: c, load: func() (config.Config, error) { return c, nil }, waiverErr: errNoWaivers,
		transport: t, secrets: new(secrets),
	}
}
