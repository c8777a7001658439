package main

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ad-ldap-connector/pkg/agent"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/install"
	"ad-ldap-connector/pkg/keys"
)

func newKeysRenew(a *app) *cobra.Command {
	var newKey, dryRun bool
	cmd := &cobra.Command{
		Use:   "renew",
		Short: "Make another certificate, tell the tenant, and put it in the place of the former one",
		Long: `It keeps the private key, and with it all that is sealed; the certificate, and so
the thumbprint, is new. --new-key makes another private key too, and seals the
service account's password anew. The tenant is told of both certificates before
anything here changes: a tenant that takes no other one leaves all as it was. If
a step fails, or is interrupted, all are undone; the former files are kept under
backups/. All nodes of a connection share one pair: connector help
keys-and-certificates.`,
		Example: "  sudo connector keys renew\n  sudo connector keys renew --new-key --yes",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.renewKeys(cmd.Context(), newKey, dryRun) },
	}
	cmd.Flags().BoolVar(&newKey, "new-key", false, "make a new private key too")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print the plan and change nothing")
	return cmd
}

// A renewResult is the last line of a renewal's JSON.
type renewResult struct {
	Result string `json:"result"` // renewed, undone, failed, or planned
	Home   string `json:"home"`
	From   string `json:"from"` // thumbprints
	To     string `json:"to"`   // that of the certificate that is in use now
	NewKey bool   `json:"newKey"`
	Live   bool   `json:"live"` // a running connector was accepted with it
}

func (a *app) renewKeys(ctx context.Context, newKey, dryRun bool) error {
	ctx, stop := signal.NotifyContext(ctx, hangups...)
	defer stop()
	h, c, err := a.loadConfig()
	if err != nil {
		return err
	}
	former, err := h.Keys(c)
	if err != nil {
		return err
	}
	t, err := homeTransport(h, c.Network, a.environ)
	if err != nil {
		return err
	}
	result := renewResult{Result: "planned", Home: h.Dir(), From: former.Thumbprint(), To: former.Thumbprint(), NewKey: newKey}
	r := &install.Renewal{Provisioner: *newProvisioner(h, t), NewKey: newKey, Note: func(text string) { a.say("note: %s", text) }}
	if h.Locked() {
		r.Reload = func(ctx context.Context, pair *keys.Pair) (err error) {
			result.Live, err = a.takeUp(ctx, h, pair)
			return err
		}
	}
	plan := a.spoil(r.Plan())
	a.sayRenewal(plan, former, newKey)
	if dryRun {
		if a.json() {
			return a.line(result)
		}
		return nil
	}
	if err := a.agreeToRenew(); err != nil {
		return err
	}
	unlock, err := h.LockRenewal()
	if err != nil {
		return err
	}
	defer unlock()
	changed, err := plan.Apply(ctx, func(e install.Event) { _ = a.event(e, nil, nil) }) // a reader that has gone does not stop it
	result.Result = outcome(err, changed, "renewed")
	if pair, err := h.Keys(c); err == nil {
		result.To = pair.Thumbprint()
	}
	if a.json() {
		return errors.Join(err, a.line(result))
	}
	if err == nil {
		a.say("renewed: %s is now %s", result.From, result.To)
		a.say("next: connector export here, connector import on every other node, before the tenant drops the former certificate")
	}
	a.sayLeft(err)
	return err
}

// sayRenewal tells what would happen, here and to the other nodes.
func (a *app) sayRenewal(plan install.Plan, former *keys.Pair, newKey bool) {
	a.say("the certificate %s, which ends on %s, would be replaced:", former.Thumbprint(), former.Certificate.NotAfter.UTC().Format(time.DateOnly))
	for _, s := range plan {
		a.say("  %s", s.Says)
	}
	if newKey {
		a.say("other nodes of this connection keep the former private key: they are accepted only as long as the tenant\nknows both. Give them the new pair, by connector export and import, before the former certificate is dropped.")
		return
	}
	a.say("other nodes of this connection have the same private key and stay accepted. Give them the new certificate,\nby connector export and import, before the former one is dropped.")
}

func (a *app) agreeToRenew() error {
	if a.yes {
		return nil
	}
	const question = "Go on?"
	if !a.interactive() {
		return &hinted{usagef("renew the certificate: it has to be agreed to"), "add --yes to agree"}
	}
	yes, err := a.ask().confirm(question, false)
	if err == nil && !yes {
		err = errors.New("nothing was changed")
	}
	return err
}

// takeUpTime bounds how long a running connector may take to finish what it has
// in hand and to be accepted anew.
const takeUpTime = 2 * time.Minute

// takeUp has the connector that runs in h read its home again, and waits until
// the hub has accepted it with a pair. It is false, and no fault, where a
// running connector cannot be told: what it serves with is known to the tenant
// all the same.
func (a *app) takeUp(ctx context.Context, h *home.Home, pair *keys.Pair) (bool, error) {
	if !a.reloadRunning(ctx, h) {
		a.say("note: the running connector goes on with the former pair until it is restarted")
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, takeUpTime)
	defer cancel()
	for said := "no answer"; ; {
		if text, ok := a.tookUp(ctx, h, pair); ok {
			return true, nil
		} else if text != "" {
			said = text
		}
		select {
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
				return false, fmt.Errorf("wait for the running connector to be accepted with %s: %s", pair.Thumbprint(), said)
			}
			return false, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// tookUp reports whether the running connector serves the hub with a pair, or
// else what it says of that.
func (a *app) tookUp(ctx context.Context, h *home.Home, pair *keys.Pair) (said string, ok bool) {
	var r running // read anew: a console on any free port has another after a reload
	if h.LoadState("run", &r) != nil {
		return "", false
	}
	s, err := fetchStatus(ctx, r.Console)
	if err != nil {
		return "", false
	}
	hub := false
	for _, p := range s.Parts {
		switch p.Name {
		case "hub":
			hub, said = p.Health == agent.OK, p.Detail
		case "certificate":
			ok = strings.Contains(p.Detail, pair.Thumbprint())
		}
	}
	return said, hub && ok
}
