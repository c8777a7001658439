package main

import (
	"context"
	"errors"
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
// directory for defaults, the person at a terminal for what is missing, and
// changes nothing.
func (a *app) prepare(ctx context.Context, o *installAnswers, g *gate) (install.Options, error) {
	var none install.Options
	h, err := a.openHome()
	if err != nil {
		return none, err
	}
	h, o.found, err = a.findFormer(ctx, h, o)
	if err != nil {
		return none, err
	}
	a.sayFound(h, o.found)
	c, err := o.found.configure(h)
	if err != nil && o.archive == "" {
		return none, err
	}
	node, err := a.importedNode(ctx, h, o)
	if err != nil {
		return none, err
	}
	if node != nil {
		c = node.Config
	}
	if c.EnvOnly() {
		return none, errors.New("OVERRIDE_CONFIG=false: the configuration comes from the environment; there is nothing to install, start \"connector run\"")
	}
	if err := errors.Join(o.settings(&c), a.proxyAnswer(o, &c)); err != nil {
		return none, err
	}
	w := wizard{app: a, answers: o, home: h, config: &c, node: node, guided: a.asks(o) && node == nil, untried: g.excuses(steppers["check-directory"]), refused: map[attempt]bool{}}
	if err := w.complete(ctx); err != nil {
		return none, err
	}
	var s *install.Service
	if !o.noService {
		kept, err := keepEnvironment(&c, a.environ)
		if err != nil {
			return none, err
		}
		if len(kept) > 0 {
			a.say("config.json will hold what this environment says, which the service does not see: %s", strings.Join(kept, ", "))
		}
		if _, err := os.Stat(h.Path("config.json")); errors.Is(err, fs.ErrNotExist) && o.found == nil {
			if err := a.choosePorts(ctx, h, &c); err != nil {
				return none, err
			}
		}
		if s, err = a.newService(ctx, o, h, c, g); err != nil {
			return none, err
		}
	}
	p := newProvisioner(h, w.transport)
	g.home, g.transport, g.ticket, g.caPath = h, w.transport, w.ticket, c.Network.CAPath
	return install.Options{
		Provisioner: *p, Ticket: w.ticket, Config: c, Directory: a.checkDirectory(w.transport), Gate: g.check,
		CA: w.authorities, Mapper: profile.Default, Replace: o.replace, Service: s, Former: o.found.options(), Import: node,
		Note: func(text string) { a.say("warning: %s", text) },
	}, nil
}

// ticketText finds the ticket's text: flags, environment, the home; "" when
// there is none.
func (a *app) ticketText(o *installAnswers, c config.Config) (string, error) {
	switch {
	case o.ticketArg != "":
		a.say("warning: other users of this machine can read the ticket among the arguments; use --ticket-file")
		return o.ticketArg, nil
	case o.ticket.given():
		return a.readSecret(&o.ticket)
	}
	if text := a.env("CONNECTOR_TICKET"); text != "" {
		return text, nil
	}
	return string(c.Tenant.Ticket), nil
}

func (a *app) asks(o *installAnswers) bool { return !o.nonInteractive && a.interactive() }

// openableHome reports whether h has a key pair to open credentials with.
func openableHome(h *home.Home, c config.Config) bool {
	_, err := h.Keys(c)
	return !errors.Is(err, fs.ErrNotExist)
}

// readTicket reads a ticket; what is none is usage.
func readTicket(text string) (tenant.Ticket, error) {
	t, err := tenant.ParseTicket(text)
	if err != nil {
		return t, &usageError{err}
	}
	return t, nil
}

// lookTime bounds one look at a directory for defaults.
const lookTime = 10 * time.Second
