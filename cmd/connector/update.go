package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/signal"
	"regexp"
	"time"

	"github.com/spf13/cobra"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/install"
)

// An updateOrder is what "connector update" was asked.
type updateOrder struct {
	check, rollback, dryRun, force, automatic bool

	from, sha256, to string
	gate             gateFlags
}

func newUpdateCommand(a *app) *cobra.Command {
	var o updateOrder
	cmd := &cobra.Command{
		Use:   "update",
		Short: "Replace the connector's program by another version, once that has proved itself",
		Long: `The new program is fetched and verified before anything is touched. It then looks
at this machine as doctor does: what blocks ends the update with 3. It is started
beside the one that runs, and takes over when the hub has accepted it, the
directory has answered it, and both have stayed so for UPDATE_WATCH_SECONDS;
until then the former one goes on, whatever becomes of the new one. The former
program is kept for --rollback. An update that fails goes back by itself, and
ends with 5.

Where a service cannot be handed over, on Windows and macOS, it is started anew,
and a moment passes in which other nodes answer. With PEERS one node updates at a
time (connector help updates).`,
		Example: `  connector update --check
  sudo connector update
  sudo connector update --from connector-1.5.0.bundle
  sudo connector update --from ./connector --sha256 "$(cat connector.sha256)"
  sudo connector update --rollback`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.valid(cmd); err != nil {
				return err
			}
			return a.update(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.check, "check", false, "only say whether there is a newer version")
	f.StringVar(&o.from, "from", "", "`file` to take it from, for a machine without a way to UPDATE_URL: a bundle, or with --sha256 a program")
	f.StringVar(&o.sha256, "sha256", "", "what the program of --from hashes to, as you know it from elsewhere: `HEX`")
	f.StringVar(&o.to, "to", "", "this `version`, also where it is older")
	f.BoolVar(&o.rollback, "rollback", false, "go back to the program that the last update has replaced")
	f.BoolVar(&o.dryRun, "dry-run", false, "print the plan and change nothing")
	f.BoolVar(&o.force, "force", false, "also where no other node is well, or the version has failed on one")
	f.BoolVar(&o.automatic, "automatic", false, "as the timer of UPDATE_AUTO does: within UPDATE_WINDOW alone, and quietly")
	if err := f.MarkHidden("automatic"); err != nil {
		panic(err) // it is defined in the line above
	}
	o.gate.add(f)
	return cmd
}

var sha256Hex = regexp.MustCompile(`^[0-9a-fA-F]{64}$`)

func (o *updateOrder) valid(cmd *cobra.Command) error {
	switch {
	case o.sha256 != "" && o.from == "":
		return usagef("--sha256 goes with --from")
	case o.sha256 != "" && !sha256Hex.MatchString(o.sha256):
		return usagef("--sha256 %q is no SHA-256: 64 hexadecimal digits", o.sha256)
	case o.sha256 != "" && o.check:
		return usagef("--check looks at a bundle or at UPDATE_URL, and --sha256 is for a program")
	}
	if _, err := (&app{}).newGate(o.gate); err != nil {
		return err
	}
	return errors.Join(oneOf(cmd, "check", "rollback"), oneOf(cmd, "rollback", "from"), oneOf(cmd, "rollback", "to"),
		oneOf(cmd, "check", "dry-run"), oneOf(cmd, "check", "automatic"), oneOf(cmd, "automatic", "from"), oneOf(cmd, "sha256", "to"))
}

// An updateResult is the last line of an update's JSON.
type updateResult struct {
	Result string `json:"result"` // updated, unchanged, undone or failed
	From   string `json:"from"`
	To     string `json:"to"`
	Home   string `json:"home"`
}

// An updateRun is one update on its way.
type updateRun struct {
	*app
	order  updateOrder
	home   *home.Home
	config config.Config
	from   string // the version that is here
	next   *nextProgram
	begun  time.Time
}

func (a *app) update(ctx context.Context, o updateOrder) error {
	ctx, stop := signal.NotifyContext(ctx, hangups...)
	defer stop()
	h, err := a.openHome()
	if err != nil {
		return err
	}
	if !h.Exists() {
		return fmt.Errorf("update the connector in %s: %w", h.Dir(), fs.ErrNotExist)
	}
	c, err := h.Config()
	if err != nil {
		return err
	}
	u := &updateRun{app: a, order: o, home: h, config: c, begun: time.Now()}
	if o.check {
		return u.look(ctx)
	}
	if o.automatic && !u.due(time.Now()) {
		return nil
	}
	result, err := u.run(ctx)
	result.Home, result.From, result.To = h.Dir(), u.from, u.to()
	if taken := (*takenError)(nil); o.automatic && errors.As(err, &taken) {
		u.say("%v; the next time, then", err)
		result.Result, err = "unchanged", nil
	}
	if err != nil && result.Result == "" {
		result.Result = outcome(err, false, "updated")
		if failed := (*install.StepError)(nil); !errors.As(err, &failed) || !failed.Changed {
			result.Result = "failed" // nothing was changed that could have been undone
		}
	}
	if o.dryRun && err == nil {
		return nil
	}
	if a.json() {
		return errors.Join(err, a.line(result))
	}
	if err == nil {
		u.sayUpdated(result)
	}
	a.sayLeft(err)
	return err
}

func (u *updateRun) sayUpdated(r updateResult) {
	if r.Result == "unchanged" {
		u.say("unchanged: version %s runs in %s", r.From, r.Home)
		return
	}
	u.say("%s: from version %s to %s, after %s", r.Result, r.From, r.To, time.Since(u.begun).Round(100*time.Millisecond))
	u.say("back with: connector%s update --rollback", instanceFlag(u.name))
}

// to is the version that is wanted, as far as it is known.
func (u *updateRun) to() string {
	if u.next == nil {
		return u.order.to
	}
	return u.next.version
}

// due reports whether an automatic update may run now.
func (u *updateRun) due(now time.Time) bool {
	w, err := config.ParseWindow(u.config.Update.Window)
	switch {
	case u.config.Update.Auto != "on":
		u.say("UPDATE_AUTO is off")
	case err != nil || !w.Holds(now):
		u.say("it is not the time of UPDATE_WINDOW")
	default:
		return true
	}
	return false
}

// run carries the update out. Everything until the plan changes nothing but what
// lies ready beside the program.
func (u *updateRun) run(ctx context.Context) (r updateResult, err error) {
	plan, err := u.prepare(ctx)
	if err != nil {
		return r, err
	}
	unlock, err := u.lock()
	if err != nil {
		return r, err
	}
	defer unlock()
	if err := u.settle(ctx, plan); err != nil {
		return r, err
	}
	if u.from, err = u.installed(ctx); err != nil {
		return r, err
	}
	if u.next, err = u.choose(ctx); err != nil {
		return r, err
	}
	defer u.next.close()
	if u.next.same {
		r.Result = "unchanged"
		return r, nil
	}
	release, err := u.among(ctx)
	if err != nil {
		return r, err
	}
	defer release()
	if u.order.dryRun {
		return r, u.tellPlan(plan)
	}
	defer func() {
		if u.home.LoadUpdate(new(struct{})) != nil { // else it is needed to tell how far this came
			u.home.ForgetNext()
		}
	}()
	if err := u.next.lay(ctx); err != nil {
		return r, err
	}
	plan.To = u.next.named()
	_, err = u.spoil(plan.Plan()).Apply(ctx, u.tell)
	if err != nil {
		return r, u.failed(ctx, err)
	}
	r.Result = "updated"
	return r, forgive(u.home, u.next)
}

// tell tells of a step. A reader that has gone does not stop an update.
func (u *updateRun) tell(e install.Event) { _ = u.event(e, nil, nil) }

func (u *updateRun) tellPlan(plan install.Update) error {
	plan.To = u.next.named()
	all := append(install.Plan{{Name: "fetch", Says: "Fetch and verify " + plan.To}}, plan.Plan()...)
	for _, s := range all {
		if err := u.event(install.Event{Step: s, What: "planned"}, nil, nil); err != nil {
			return err
		}
	}
	return nil
}

// lock keeps other updates of the home away, and other installs of the machine
// where there is a service.
func (u *updateRun) lock() (unlock func(), err error) {
	if u.order.dryRun {
		return func() {}, nil
	}
	if err := u.home.ReadyBin(); err != nil {
		return nil, err
	}
	one, err := u.home.LockUpdate()
	if err != nil {
		return nil, err
	}
	if s, err := registration(context.Background(), u.home); s == nil || err != nil {
		return one, nil //nolint:nilerr // without a service nothing of the machine is changed
	}
	two, err := lockInstalls()
	if err != nil {
		one()
		return nil, err
	}
	return func() { two(); one() }, nil
}

// settle clears away what an update has left that was killed.
func (u *updateRun) settle(ctx context.Context, plan install.Update) error {
	if u.order.dryRun {
		return nil
	}
	left, err := plan.Interrupted()
	if err == nil && left != nil {
		_, err = left.Apply(ctx, u.tell)
	}
	if err == nil {
		u.home.ForgetNext()
	}
	return err
}
