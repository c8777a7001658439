package install

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync/atomic"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/keys"
	"ad-ldap-connector/pkg/service"
	"ad-ldap-connector/pkg/tenant"
)

// A work is what the steps of one plan learn, and share.
type work struct {
	Options
	c     config.Config // as it will be written
	conn  tenant.Connection
	pair  *keys.Pair
	made  bool     // this plan made the home
	above []string // the folders that are not there yet, the home first
	known bool     // the tenant has registered the key pair, or may have
	fresh bool     // a step has changed what a running connector would have to read again

	before []string // what was the connector's in the home
	ran    bool     // the service ran before
	joined service.Change
	given  service.Change

	former   *formerRecord // what the Node connector was like; nil: not looked at yet
	recorded bool          // this plan has written it
	running  []service.Former
	stopped  []service.Former // of this plan
}

// New returns the plan that installs a connector: it provisions the home and,
// with a Service, has the system run it. What cannot be undone, telling the
// tenant, comes after all that is likely to fail.
func New(o Options) Plan {
	w := &work{Options: o, c: o.Config}
	plan := Plan{
		{Name: "redeem-ticket", Says: "Redeem the ticket", Check: true, Do: w.redeem},
		{Name: "check-clock", Says: "Compare clocks with the tenant", Check: true, Do: o.checkClock},
		{Name: "check-directory", Says: "Bind to the directory and search it", Check: true,
			Do: func(ctx context.Context) error { return o.Directory(ctx, w.c) }},
	}
	if o.Gate != nil {
		plan = append(plan, Step{Name: "check", Says: "Check this machine and the network", Check: true,
			Do: func(ctx context.Context) error { return o.Gate(ctx, w.c) }})
	}
	home := slices.Concat(Plan{w.createHome()}, w.importNode(), Plan{w.keepCA(), w.generateKeys(), w.writeMapper()}, w.keepPassword(), Plan{w.writeConfig()})
	tell := Plan{w.registerAgent(), {Name: "record-registration", Says: "Record the tenant's signing key",
		Done: func(context.Context) (bool, error) { return o.same(w.c) },
		Do:   func(context.Context) error { return o.Home.SaveConfig(w.c) }}}
	if o.Service == nil {
		return w.succeed(slices.Concat(plan, home, tell))
	}
	return w.succeed(slices.Concat(plan, Plan{w.checkService()}, w.account(), w.touching(home), w.touching(w.lay()), w.touching(tell), w.start()))
}

func (w *work) redeem(ctx context.Context) (err error) {
	if w.conn, err = w.Tenant.Connection(ctx, w.Ticket); err != nil {
		return err
	}
	if err := w.other(w.c, w.conn); err != nil {
		return err
	}
	apply(&w.c, w.conn, w.Hostname)
	w.c.Tenant.Ticket = config.Secret(w.Ticket.Reveal())
	if w.CA != nil && namesCA(w.c.Network) {
		w.c.Network.CAPath = w.Home.Path("ca")
	}
	return w.c.Validate()
}

func (w *work) createHome() Step {
	return Step{Name: "create-home", Says: "Create the home " + w.Home.Dir(),
		Done: func(context.Context) (bool, error) { return w.Home.Exists(), nil },
		Do: func(context.Context) error {
			w.made, w.above = true, w.Home.Missing()
			return w.Home.Create()
		},
		Undo: func(context.Context) error {
			if !w.made {
				return nil
			}
			if w.known {
				return errors.Join(w.Home.RemoveSince(nil, home.KeyPair...), errors.New("the home stays, because the key pair does"))
			}
			// The connector may have run in it by now.
			if err := errors.Join(w.Home.RemoveSince(nil), w.Home.Remove()); err != nil {
				return err
			}
			for _, dir := range w.above {
				if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return nil // somebody else has found a use for it
				}
			}
			return nil
		}}
}

func (w *work) keepCA() Step {
	var before []byte // nil: there is nothing to bring back
	return Step{Name: "keep-ca", Says: "Keep the certificate authorities",
		Done: func(context.Context) (done bool, err error) {
			if w.CA == nil {
				return true, nil
			}
			before, err = w.Home.CA(CAName)
			return err == nil && string(before) == string(w.CA), err
		},
		Do: func(context.Context) error { return w.Home.SaveCA(CAName, w.CA) },
		Undo: func(context.Context) error {
			if before != nil {
				return w.Home.SaveCA(CAName, before)
			}
			return w.Home.RemoveCA(CAName)
		}}
}

func (w *work) generateKeys() Step {
	return Step{Name: "generate-keys", Says: "Generate the key pair",
		Done: func(context.Context) (done bool, err error) {
			w.pair, err = w.Home.Keys(w.c)
			if errors.Is(err, fs.ErrNotExist) {
				return false, nil
			}
			return err == nil, err
		},
		Do: func(context.Context) (err error) {
			if w.pair, err = w.generate(w.conn); err != nil {
				return err
			}
			return w.Home.SaveKeys(w.pair)
		},
		Undo: func(context.Context) error {
			if w.known {
				return errors.New("the key pair stays, because the tenant has registered it or may have; run the same command again")
			}
			return w.Home.RemoveKeys()
		}}
}

func (w *work) writeMapper() Step {
	return Step{Name: "write-mapper", Says: "Write the profile mapper",
		Done: func(context.Context) (bool, error) {
			script, _, err := w.Home.Mapper(w.c)
			return script != "", err
		},
		Do:   func(context.Context) error { return w.Home.SaveMapper(w.Mapper) },
		Undo: func(context.Context) error { return w.Home.RemoveMapper() }}
}

func (w *work) writeConfig() Step {
	var before []byte // nil: the same
	return Step{Name: "write-config", Says: "Write the configuration",
		Done: func(context.Context) (done bool, err error) {
			if err := sealPassword(&w.c, w.pair); err != nil {
				return false, err
			}
			if before, err = w.Home.ConfigText(); err != nil {
				return false, err
			}
			return w.same(w.c)
		},
		Do:   func(context.Context) error { return w.Home.SaveConfig(w.c) },
		Undo: func(context.Context) error { return w.Home.RestoreConfig(before) },
		Tidy: w.forgetStore}
}

func (w *work) registerAgent() Step {
	return Step{Name: "register-agent", Says: "Register with the tenant",
		Done: func(context.Context) (bool, error) {
			return w.c.Tenant.SentThumbprint == w.pair.Thumbprint() && w.c.Tenant.SigningKey != "" && serves(w.Config.Tenant, w.conn), nil
		},
		Do: func(ctx context.Context) error {
			sent := new(atomic.Bool)
			note, err := w.register(watchSending(ctx, sent), w.Ticket, &w.c, w.pair)
			if note != "" {
				w.note(note)
			}
			// A pair of an archive is not lost with this home.
			w.known = w.Import == nil && (err == nil || sent.Load() && !w.refused(ctx, err, w.pair))
			var answer *tenant.Error
			if errors.As(err, &answer) && answer.Cause == tenant.CauseStatus && len(w.conn.Thumbprints) > 0 &&
				!slices.Contains(w.conn.Thumbprints, w.pair.Thumbprint()) {
				return &otherKeysError{err, w.conn.Thumbprints}
			}
			return err
		}}
}

func (o *Options) note(text string) {
	if o.Note != nil {
		o.Note(text)
	}
}

// An otherKeysError is the tenant's refusal of a key pair where it holds to
// another one: all nodes of a connection have the same.
type otherKeysError struct {
	error
	thumbprints []string // those that the tenant knows
}

func (e *otherKeysError) Unwrap() error { return e.error }

// Hint says what to do.
func (e *otherKeysError) Hint() string {
	return "the connection has a connector already, with the key pair " + strings.Join(e.thumbprints, ", ") +
		`; all of its nodes share one: take the home over from that node, with "connector export" there and "connector import" here`
}
