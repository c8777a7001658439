package main

import (
	"context"
	"errors"
	"strings"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/console"
	"ad-ldap-connector/pkg/doctor"
	"ad-ldap-connector/pkg/install"
	"ad-ldap-connector/pkg/profile"
	"ad-ldap-connector/pkg/tenant"
)

// setup is what a first set-up by the console does: what "connector install
// --no-service" does.
func (p *consolePages) setup() *console.Setup {
	return &console.Setup{Redeem: p.redeemTicket, Complete: p.completeAnswers, Check: p.checkAnswers, Install: p.installAnswers}
}

// answered is a wizard that nobody sits before, with these answers.
func (p *consolePages) answered(a console.Answers) (*wizard, error) {
	c, err := p.home.Config()
	if err != nil {
		return nil, err
	}
	w := &wizard{app: p.app, answers: &installAnswers{noService: true, anonymous: a.Anonymous && a.User == ""}, home: p.home, config: &c}
	if w.ticket, err = tenant.ParseTicket(a.Ticket); err != nil {
		return nil, &console.WrongAnswer{Field: "ticket", Err: err}
	}
	if a.Proxy != "" {
		u, err := proxyURL("HTTP_PROXY", a.Proxy, nil)
		if err == nil {
			err = setProxy(&c, u)
		}
		if err != nil {
			return nil, &console.WrongAnswer{Field: "proxy", Err: err}
		}
	}
	if strings.TrimSpace(a.CA) != "" {
		w.authorities = []byte(a.CA + "\n")
		if _, err := parseCAs(w.authorities); err != nil {
			return nil, &console.WrongAnswer{Field: "ca", Err: err}
		}
	}
	if w.transport, err = newTransport(c.Network, p.environ, w.authorities); err != nil {
		return nil, err
	}
	w.transport.dir = p.home.Dir()
	set := func(field, key, text string) {
		if text == "" || err != nil {
			return
		}
		if wrong := c.Set(key, text); wrong != nil {
			err = &console.WrongAnswer{Field: field, Err: wrong}
		}
	}
	set("url", "LDAP_URL", a.URL)
	set("base", "LDAP_BASE", a.BaseDN)
	set("user", "LDAP_BIND_USER", a.User)
	set("password", bindPasswordKey, a.Password)
	if a.StartTLS {
		set("starttls", "LDAP_STARTTLS", "true")
	}
	if a.Anonymous && a.User == "" {
		set("anonymous", "ANONYMOUS_SEARCH_ENABLED", "true")
	}
	if err == nil && a.Preset != "" {
		err = w.takePreset(a.Preset)
	}
	return w, err
}

func (p *consolePages) redeemTicket(ctx context.Context, a console.Answers) (console.Connection, error) {
	w, err := p.answered(a)
	if err != nil {
		return console.Connection{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	conn, err := newTenant(w.transport).Connection(ctx, w.ticket)
	if err != nil {
		return console.Connection{}, &console.WrongAnswer{Field: answerAt(err), Err: err}
	}
	return console.Connection{Name: visible(conn.Name), Realm: visible(conn.Realm), Tenant: visible(w.ticket.Host()), Domains: conn.Domains}, nil
}

// answerAt is the answer that may mend what stands between this machine and the
// tenant.
func answerAt(err error) string {
	var e *tenant.Error
	switch {
	case !errors.As(err, &e):
	case e.Cause == tenant.CauseTLSAuthority || e.Cause == tenant.CauseTLSSelfSigned:
		return "ca"
	case e.Cause == tenant.CauseProxyAuth || e.Cause.Of(tenant.CauseProxy):
		return "proxy"
	}
	return "ticket"
}

// completeAnswers fills in what nobody has answered.
func (p *consolePages) completeAnswers(ctx context.Context, a *console.Answers) (console.Discovery, error) {
	w, err := p.answered(*a)
	if err != nil {
		return console.Discovery{}, err
	}
	found, err := w.find(ctx)
	if err != nil {
		return found, err
	}
	if a.URL == "" {
		a.URL = found.URL
	}
	if a.BaseDN == "" {
		a.BaseDN = found.BaseDN
	}
	if a.Preset == "" {
		a.Preset = found.Preset
	}
	return found, nil
}

// firstChecks are what can be looked at before there is a directory.
var firstChecks = []string{"host", "network.dns", "network.proxy", "network.tenant", "tls.tenant", "network.hub", "time.tenant", "agent.ticket"}

// checkAnswers has the doctor look at the answers so far.
func (p *consolePages) checkAnswers(ctx context.Context, a console.Answers, seen func(doctor.Entry)) (bool, error) {
	w, err := p.answered(a)
	if err != nil {
		return true, err
	}
	only := firstChecks
	if a.URL != "" {
		only = []string{"directory", "tls.directory", "account", "network.hub", "time.tenant"}
	}
	checks, err := doctor.Select(doctor.Checks, only, nil)
	if err != nil {
		return true, err
	}
	t := candidateTarget(p.home, *w.config, w.transport)
	t.ticket, t.tenant = w.ticket, w.ticket.Host()
	t.config.Tenant.Ticket = config.Secret(w.ticket.Reveal())
	if a.URL == "" {
		t.configured = false // nothing to be wrong with yet
	}
	return p.examine(ctx, t, checks, seen), nil
}

// installAnswers does the plan of an install without a service.
func (p *consolePages) installAnswers(ctx context.Context, a console.Answers, say func(console.SetupStep)) error {
	w, err := p.answered(a)
	if err != nil {
		return err
	}
	flags := gateFlags{}
	if a.DespiteChecks { // whoever sets it up has seen what fails
		for _, c := range doctor.Checks {
			flags.skip = append(flags.skip, string(c.ID))
		}
	}
	g, err := p.newGate(flags)
	if err != nil {
		return err
	}
	g.home, g.transport, g.ticket, g.caPath = p.home, w.transport, w.ticket, w.config.Network.CAPath
	plan := g.over(install.New(install.Options{
		Provisioner: *newProvisioner(p.home, w.transport), Ticket: w.ticket, Config: *w.config, Directory: p.checkDirectory(w.transport),
		Gate: g.check, CA: w.authorities, Mapper: profile.Default,
	}))
	_, err = plan.Apply(ctx, func(e install.Event) {
		s := console.SetupStep{Name: e.Step.Name, Says: e.Step.Says, Event: e.What}
		if e.Err != nil {
			s.Err = visible(e.Err.Error())
		}
		say(s)
	})
	if err == nil {
		p.afterAll()
	}
	return err
}
