package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/install"
	"ad-ldap-connector/pkg/profile"
	"ad-ldap-connector/pkg/tenant"
)

// prepare turns answers into the options of a plan. It asks the tenant and the
// directory for defaults, and changes nothing.
func (a *app) prepare(ctx context.Context, o *installAnswers, g *gate) (install.Options, error) {
	var none install.Options
	h, err := a.openHome()
	if err != nil {
		return none, err
	}
	c, err := h.Config()
	if err != nil {
		return none, err
	}
	if c.EnvOnly() {
		return none, errors.New("OVERRIDE_CONFIG=false: the configuration comes from the environment; there is nothing to install, start \"connector run\"")
	}
	ca, err := readCA(o.caFile)
	if err != nil {
		return none, err
	}
	if o.proxy != "" {
		c.Network.Proxy = config.Secret(o.proxy)
	}
	if o.server != "" {
		c.Tenant.ServerURL = strings.TrimSuffix(o.server, "/")
	}
	network := c.Network
	if ca != nil {
		network.CAPath = o.caFile // the home, where the file will lie, may not exist yet
	}
	t, err := newTransport(network, a.environ)
	if err != nil {
		return none, err
	}
	t.dir = h.Dir()
	ticket, err := a.ticketOf(o, c)
	if err != nil {
		return none, err
	}
	w := wizard{app: a, answers: o, transport: t, home: h, config: &c}
	if err := w.complete(ctx); err != nil {
		return none, err
	}
	p := newProvisioner(h, t)
	g.home, g.transport, g.ticket, g.caPath = h, t, ticket, network.CAPath
	return install.Options{
		Provisioner: *p, Ticket: ticket, Config: c, Directory: a.checkDirectory(t), Gate: g.check,
		CA: ca, Mapper: profile.Default, Replace: o.replace,
		Note: func(text string) { a.say("warning: %s", text) },
	}, nil
}

func readCA(name string) ([]byte, error) {
	if name == "" {
		return nil, nil
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read --ca-file: %w", err)
	}
	return data, nil
}

// ticketOf finds the ticket: flags, environment, the home, the terminal.
func (a *app) ticketOf(o *installAnswers, c config.Config) (ticket tenant.Ticket, err error) {
	text := a.env("CONNECTOR_TICKET")
	switch {
	case o.ticketArg != "":
		a.say("warning: other users of this machine can read the ticket among the arguments; use --ticket-file")
		text = o.ticketArg
	case o.ticket.given():
		text, err = o.ticket.read(a.input())
	case text == "" && c.Tenant.Ticket != "":
		text = string(c.Tenant.Ticket)
	case text == "" && a.asks(o):
		text, err = a.ask().input("Ticket URL (from the tenant's connection page)", "", "https://TENANT/p/ad/XXXXXXXX")
	case text == "":
		return ticket, usagef("no ticket: give --ticket-file, --ticket-stdin or CONNECTOR_TICKET")
	}
	if err != nil {
		return ticket, err
	}
	if ticket, err = tenant.ParseTicket(text); err != nil {
		return ticket, &usageError{err}
	}
	return ticket, nil
}

func (a *app) asks(o *installAnswers) bool { return !o.nonInteractive && a.interactive() }

// openableHome reports whether h has a key pair to open credentials with.
func openableHome(h *home.Home, c config.Config) bool {
	_, err := h.Keys(c)
	return !errors.Is(err, fs.ErrNotExist)
}

// lookTime bounds one look at a directory for defaults.
const lookTime = 10 * time.Second
