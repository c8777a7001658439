package main

import (
	"context"
	"errors"
	"fmt"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/service"
)

// mayStore says why the store of a home cannot be written to here and now.
func (a *app) mayStore(ctx context.Context, h *home.Home, store string) error {
	if store == config.InKeyring {
		if name, err := serviceOf(ctx, h); err != nil || name != "" {
			return errors.Join(err, refusedKeyring(name))
		}
	}
	if err := home.CheckStore(store); err != nil || store != config.InSystemd {
		return err
	}
	if !privileged() {
		return &hinted{errors.New("only root changes a credential of systemd's"), "run it as root"}
	}
	s, _, err := a.registered(ctx, h)
	if err == nil && s == nil {
		return &hinted{fmt.Errorf("no service of systemd's runs %s", h.Dir()),
			"install it as a service, or have a unit of your own load the credential: connector help secrets"}
	}
	return err
}

// serviceOf names the service that runs h, "" if there is none.
func serviceOf(ctx context.Context, h *home.Home) (string, error) {
	r, err := registration(ctx, h)
	if r != nil {
		return r.Name, nil
	}
	if none := (*service.NoManagerError)(nil); errors.As(err, &none) {
		return "", nil
	}
	return "", err
}

// refusedKeyring says why the service of that name, if any, has no keyring.
func refusedKeyring(name string) error {
	if name == "" {
		return nil
	}
	return &hinted{fmt.Errorf("%s: the service %s runs this home", keyringOfAPerson, name), "set SECRETS to " + storeOfServices()}
}

// keepPassword puts the service account's password into a store and has the
// system know. Next is what somebody has to do for the running service to take
// it, where no reload can.
func (a *app) keepPassword(ctx context.Context, h *home.Home, c config.Config, store, password string) (next string, err error) {
	wanted := c
	wanted.Agent.Secrets, wanted.Directory.BindPassword, wanted.Directory.BindCredentials = store, "", ""
	var name string
	moved := false
	ready := func() (err error) {
		name, moved, err = a.tellSystemd(ctx, h, wanted)
		return err
	}
	if store != config.InSystemd && c.Agent.Secrets != config.InSystemd {
		ready = nil
	}
	if err := h.KeepBindPassword(c, store, password, ready); err != nil {
		return "", err
	}
	if store != config.InSystemd || !h.Locked() {
		return "", nil
	}
	if !moved {
		handed, err := home.HandOver(name, home.BindSecret, password)
		if handed || err != nil {
			return "", err
		}
	}
	// A unit is given its credentials when it starts, and cannot be given more.
	return "systemctl restart " + name + ": the running service goes on with the former password until then", nil
}

// tellSystemd registers the service of h anew when it needs another credential,
// and reports its name and whether it did.
func (a *app) tellSystemd(ctx context.Context, h *home.Home, c config.Config) (name string, moved bool, err error) {
	s, _, err := a.registered(ctx, h)
	if err != nil {
		return "", false, err
	}
	if s == nil { // and so nothing needs it
		return "", false, nil
	}
	u := s.Unit
	u.Program, u.Credentials = h.Program(), credentials(h, c)
	change, err := s.Manager.Register(ctx, u)
	if err != nil {
		return u.Name, false, errors.Join(err, change.Undo(context.WithoutCancel(ctx)))
	}
	return u.Name, change.Changed(), nil
}

// moveSecrets takes the service account's password to another store, and lets
// the configuration name that one.
func (a *app) moveSecrets(ctx context.Context, h *home.Home, c config.Config, store string) error {
	trial := c
	if err := trial.Set("SECRETS", store); err != nil {
		return &usageError{err}
	}
	for _, f := range faultsOf(trial.Validate()) {
		if f.Key == "SECRETS" {
			return &usageError{f}
		}
	}
	if err := errors.Join(ownedByEnvironment(c, bindPasswordKey), ownedStore(c)); err != nil {
		return err
	}
	if err := a.mayStore(ctx, h, store); err != nil {
		return err
	}
	password, err := bindPassword(h, c)
	if err != nil {
		return fmt.Errorf("move the password, which stays where it is: %w", err)
	}
	if password == "" {
		if d := c.Directory; needsCredential(trial) && !d.Anonymous {
			return &hinted{errors.New("there is no password to move"), "set it first: connector config secret set " + bindPasswordKey}
		}
		if err := h.SaveConfig(trial); err != nil {
			return err
		}
		a.say("there is no password to move; one that is set goes to the store %s", store)
		return nil
	}
	next, err := a.keepPassword(ctx, h, c, store, password)
	if err != nil {
		return err
	}
	a.say("the service account's password is in the store %s; what had it before has it no more, but for former files under backups/", store)
	if next != "" {
		a.say("next: %s", next)
		return nil
	}
	_, next, err = a.makeLive(ctx, h, true)
	if next != "" {
		a.say("next: %s", next)
	}
	return err
}

// ownedStore refuses to move what the environment says.
func ownedStore(c config.Config) error {
	if c.FromEnv("SECRETS") {
		return &hinted{errors.New("the environment sets SECRETS, and has the last word"), "change it where it is set, or take it out there"}
	}
	return nil
}

// changeStore is "config set SECRETS": the password goes where the key says.
func (a *app) changeStore(ctx context.Context, store string) error {
	h, c, err := a.loadConfig()
	if err != nil {
		return err
	}
	if c.EnvOnly() {
		return errEnvOnly
	}
	return a.moveSecrets(ctx, h, c, store)
}
