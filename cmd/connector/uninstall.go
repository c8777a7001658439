package main

import (
	"context"
	"errors"
	"fmt"
	"os/signal"

	"github.com/spf13/cobra"

	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/install"
	"ad-ldap-connector/pkg/service"
)

func newUninstallCommand(a *app) *cobra.Command {
	var o uninstallFlags
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Stop the service and take the connector off this machine",
		Long: `It stops and removes the service, its program and its account. The home with
the configuration, the key pair and the logs stays, for the administrator alone,
unless --purge is given: without its key pair the tenant will not know this
connector again. If a step fails, or is interrupted, all are undone. What the
tenant knows of the connector stays there.

--rollback goes on to give the home back to the Node connector that it was taken
over from, and to bring back its service as it was: connector help migrate.`,
		Example: `  sudo connector uninstall
  sudo connector uninstall --purge --yes
  sudo connector uninstall --name second
  sudo connector uninstall --rollback`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf(cmd, "purge", "rollback"); err != nil {
				return err
			}
			return a.uninstall(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVar(&o.purge, "purge", false, "remove the home too")
	cmd.Flags().BoolVar(&o.rollback, "rollback", false, "give the home back to the Node connector that it was taken over from, and start that")
	return cmd
}

type uninstallFlags struct{ purge, rollback bool }

// An uninstallResult is the last line of an uninstall's JSON.
type uninstallResult struct {
	Result  string `json:"result"` // removed, rolled-back, unchanged, undone or failed
	Home    string `json:"home"`
	Service string `json:"service"`
	Kept    string `json:"kept"` // the home, where it stays
}

func (a *app) uninstall(ctx context.Context, f uninstallFlags) error {
	ctx, stop := signal.NotifyContext(ctx, hangups...)
	defer stop()
	// An install that is at work may not have registered its service yet.
	unlock, err := lockInstalls()
	if err != nil {
		return err
	}
	defer unlock()
	h, err := a.openHome()
	if err != nil {
		return err
	}
	var back install.Plan
	if f.rollback {
		if back, err = a.rollback(h); err != nil {
			return err
		}
	}
	o := install.Removal{Home: h, Purge: f.purge}
	if o.Service, o.Shared, err = a.registered(ctx, h); err != nil {
		return err
	}
	if o.Service == nil && h.Locked() {
		return &hinted{fmt.Errorf("a connector runs in %s that no service manager started", h.Dir()), "stop it first"}
	}
	if err := a.agreeToRemove(o); err != nil {
		return err
	}
	tell := func(e install.Event) { _ = a.event(e, nil, nil) } // a reader that has gone does not stop it
	changed, err := a.spoil(install.Remove(o)).Apply(ctx, tell)
	done := "removed"
	if err == nil && f.rollback {
		done, changed = "rolled-back", true
		_, err = a.spoil(back).Apply(ctx, tell)
	}
	if err == nil && f.purge {
		var purged bool
		purged, err = install.Purge(h).Apply(ctx, tell)
		changed = changed || purged
	}
	result := uninstallResult{Result: outcome(err, changed, done), Home: h.Dir(), Service: "none"}
	if o.Service != nil {
		result.Service = o.Service.Unit.Name
	}
	if h.Exists() {
		result.Kept = h.Dir()
	}
	if a.json() {
		return errors.Join(err, a.line(result))
	}
	if err == nil {
		a.say("%s: service %s", result.Result, result.Service)
		if result.Kept != "" && !f.rollback {
			a.say("kept: %s, with the configuration and the key pair; --purge removes it", result.Kept)
		}
	}
	a.sayLeft(err)
	return err
}

// registered returns the service that runs h, as far as an uninstall needs it,
// nil if there is none, and whether another one runs under its account.
func (a *app) registered(ctx context.Context, h *home.Home) (s *install.Service, shared bool, err error) {
	m, err := service.System()
	if none := (*service.NoManagerError)(nil); errors.As(err, &none) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	list, err := m.List(ctx)
	if err != nil {
		return nil, false, err
	}
	for _, r := range list {
		if sameFolder(r.Home, h.Dir()) {
			if m, err = a.manager("uninstall the service " + r.Name); err != nil {
				return nil, false, err
			}
			c, _ := h.Config() // for its port alone, if the service has to be registered again
			s = &install.Service{Manager: m, Link: shortName, Unit: a.unit(r.Name, r.User, h, c)}
		}
	}
	for _, r := range list {
		shared = shared || s != nil && r.Name != s.Unit.Name && r.User == s.Unit.User
	}
	return s, shared, nil
}

// agreeToRemove asks once. Who cannot be asked must have said --yes.
func (a *app) agreeToRemove(o install.Removal) error {
	question := "Remove the home " + o.Home.Dir() + " with the key pair?"
	switch {
	case o.Service != nil && o.Purge:
		question = "Remove the service " + o.Service.Unit.Name + ", and the home " + o.Home.Dir() + " with the key pair?"
	case o.Service != nil:
		question = "Remove the service " + o.Service.Unit.Name + "?"
	case !o.Purge || !o.Home.Exists():
		return nil // there is nothing to do
	}
	if a.yes {
		return nil
	}
	if !a.interactive() {
		return &hinted{usagef("%s", question), "add --yes to agree"}
	}
	yes, err := a.ask().confirm(question, false)
	if err == nil && !yes {
		err = errors.New("nothing was changed")
	}
	return err
}
