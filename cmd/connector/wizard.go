package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/pkg/install"
	"ad-ldap-connector/pkg/tenant"
)

// A wizard completes an install's settings: a flag wins, then what the home
// holds, then what the directory itself says, then a question. Where there is
// somebody to ask, each answer is tried at once, and what does not work can be
// answered again; else the wizard names all that is missing at once.
type wizard struct {
	*app
	answers *installAnswers
	home    *home.Home
	config  *config.Config
	guided  bool          // there is somebody to ask
	asked   bool          // and something was
	node    *home.Archive // the home becomes a copy of it; nil: of none
	untried bool          // the directory is not to be asked whether the answers work
	missing []string

	ticket      tenant.Ticket
	connection  tenant.Connection // the ticket's, once the tenant has told it
	transport   *transport
	authorities []byte // to be kept, PEM; nil when none were given
	server      string // the directory's that answered
	kind        string // of directory

	refused map[attempt]bool // never to be tried again

	resolver *net.Resolver // nil: the system's
}

// An attempt is a name and a password.
type attempt struct {
	user     string
	password identity.Password
}

// maxTries bounds how often one question is put: a directory locks an account
// after a few wrong passwords.
const maxTries = 3

func (w *wizard) complete(ctx context.Context) error {
	if err := w.trust(); err != nil {
		return err
	}
	steps := []func(context.Context) error{w.provision, w.url, w.reach, w.account, w.whole, w.preset, w.base, w.whole, w.agree}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// whole ends with all that is missing.
func (w *wizard) whole(context.Context) error {
	if len(w.missing) == 0 {
		return nil
	}
	return usagef("still needed: %s", strings.Join(w.missing, ", "))
}

// trust makes the way to others, with the authorities that were given.
func (w *wizard) trust() (err error) {
	kept, err := w.home.CA(install.CAName)
	if err != nil {
		return err
	}
	if w.node != nil && w.node.CA != nil {
		kept = w.node.CA
	}
	if w.authorities, err = readAuthorities(kept, w.answers.caFiles); err != nil {
		return err
	}
	if w.authorities == nil && w.node != nil {
		w.authorities = w.node.CA
	}
	if w.authorities != nil {
		kept = w.authorities
	}
	if w.transport, err = newTransport(w.config.Network, w.environ, kept); err != nil {
		return err
	}
	w.transport.dir = w.home.Dir()
	return nil
}

// tell says what the next question is about, also with --quiet.
func (w *wizard) tell(format string, args ...any) {
	_, _ = fmt.Fprintf(w.stderr, format+"\n", args...) // nowhere is left to say that stderr is gone
}

// wrong tells an error and its hint.
func (w *wizard) wrong(err error) {
	w.tell("%s", visible(oneLine(err.Error())))
	if hint := hintOf(err); hint != "" {
		w.tell("hint: %s", visible(hint))
	}
}

func (w *wizard) input(question, preset, help string) (string, error) {
	w.asked = true
	return w.ask().input(question, preset, help)
}

func (w *wizard) password(question string) (string, error) {
	w.asked = true
	return w.ask().password(question)
}

func (w *wizard) confirm(question string, preset bool) (bool, error) {
	if w.yes {
		return true, nil
	}
	w.asked = true
	return w.ask().confirm(question, preset)
}

// gaveUp is what an install ends with that was answered wrongly too often: as
// if the plan's step had failed, which would have asked the same.
func gaveUp(step string, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return &install.StepError{Step: step, Err: err}
}

// options are the directory's, as answered so far.
func (w *wizard) options() (directory.Options, error) {
	return directoryOptions(*w.config, string(w.config.Directory.BindPassword), w.transport, w.log(), nil)
}

// inspect has a look at the directory, within the time of one.
func (w *wizard) inspect(ctx context.Context, look func(context.Context, *directory.Inspector) error) error {
	o, err := w.options()
	if err != nil {
		return err
	}
	i := directory.Inspect(o)
	defer func() { _ = i.Close() }() // nothing was left to send
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	return look(ctx, i)
}

// agree shows what was answered and asks once, before anything is changed.
func (w *wizard) agree(context.Context) error {
	if !w.asked || w.answers.dryRun {
		return nil
	}
	w.summary()
	yes, err := w.confirm("Install with these answers?", true)
	if err == nil && !yes {
		return errors.New("nothing was changed")
	}
	return err
}

func (w *wizard) summary() {
	d, n := w.config.Directory, w.config.Network
	line := func(name, text string) {
		if text != "" {
			w.tell("  %-12s %s", name, visible(text))
		}
	}
	w.tell("")
	line("tenant", w.ticket.Host())
	line("connection", w.connection.Name)
	line("home", w.home.Dir())
	protection := ""
	if d.StartTLS {
		protection = ", with StartTLS"
	}
	line("directory", strings.Join(d.URLs, ", ")+protection)
	line("kind", w.kind)
	line("base DN", d.BaseDN)
	line("account", w.accountSummary())
	if u, err := proxyURL("HTTP_PROXY", string(n.Proxy), nil); err == nil && u != nil {
		with := ""
		if u.User != nil {
			with = ", with credentials"
		}
		line("proxy", bare(u)+with)
	}
	line("CA files", strings.Join(w.answers.caFiles, ", "))
	w.tell("")
}

func (w *wizard) accountSummary() string {
	d := w.config.Directory
	switch {
	case d.Anonymous && d.BindUser == "":
		return "none, the directory is searched anonymously"
	case d.BindMethod == string(directory.External):
		return "whom " + d.ClientCert + " is made out to"
	case d.BindUser == "":
		return "by " + d.BindMethod
	}
	return d.BindUser
}
