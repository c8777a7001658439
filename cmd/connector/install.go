package main

import (
	"context"
	"errors"
	"os/signal"
	"strings"

	"github.com/fatih/color"
	"github.com/spf13/cobra"

	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/install"
	"ad-ldap-connector/pkg/service"
)

func newInstallCommand(a *app) *cobra.Command {
	var o installAnswers
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Redeem a ticket and install the connector",
		Long: `It checks the ticket, the clock and the directory, and what doctor looks at,
before it changes anything. Then it makes the home, the key pair and an account,
registers a service and starts it, and waits until the hub and the directory
have accepted it. If a step fails, or is interrupted, all are undone, but for
what the tenant has been told: that is named. A check that blocks ends it with
3; one that warns is only shown. A second run changes nothing and says so, or
completes what a crash has left. On a terminal it asks for what is missing;
without one it ends with usage (connector help unattended). With --output json
each step is an event, one object a line.

--no-service makes the home alone, needs no administrator, and is for
containers. --name NAME installs another connector beside the first, with a
home, a service and an account of its own.

--import makes another node of a connector, from the archive of its "connector
export": no ticket is asked for (connector help nodes).

Where the Node connector runs, it takes over from it in the same folder, and can
give that back: connector help migrate.

--skip and --waive take the ids of doctor's checks (connector doctor --list).
time.tenant stands for the step check-clock, directory.bind for the step
check-directory.`,
		Example: `  sudo connector install
  sudo connector install --ticket-file ticket.txt --ldap-url ldaps://dc1.corp.example \
    --ldap-bind-user svc@corp.example --ldap-bind-password-file password.txt
  sudo connector install --import node.age
  sudo connector install --dry-run
  connector install --no-service --ticket-file ticket.txt --skip network.hub \
    --waive "host.memory=grows in May@2026-05-31"`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(cmd); err != nil {
				return err
			}
			return a.install(cmd.Context(), o)
		},
	}
	o.add(cmd.Flags())
	return cmd
}

// An installResult is the last line of an install's JSON.
type installResult struct {
	Result     string `json:"result"` // installed, unchanged, undone or failed
	Home       string `json:"home"`
	Service    string `json:"service"`
	Connection string `json:"connection"`
	Tenant     string `json:"tenant"`
	Instance   string `json:"instance"`
}

func (a *app) install(ctx context.Context, o installAnswers) error {
	ctx, stop := signal.NotifyContext(ctx, hangups...) // a terminal that is closed is an interruption
	defer stop()
	if !o.noService { // before anything is asked
		var none *service.NoManagerError
		if _, err := a.manager("install a service"); err != nil && (a.asks(&o) || !errors.As(err, &none)) {
			return err
		}
	}
	g, err := a.newGate(o.gate)
	if err != nil {
		return err
	}
	if !o.noService && !o.dryRun { // what is looked at now must hold until it is changed
		unlock, err := lockInstalls()
		if err != nil {
			return err
		}
		defer unlock()
	}
	options, err := a.prepare(ctx, &o, g)
	if err != nil {
		return err
	}
	plan := a.spoil(g.over(install.New(options)))
	if o.dryRun {
		for _, s := range plan {
			if err := a.event(install.Event{Step: s, What: "planned"}, g, o.found); err != nil {
				return err
			}
		}
		return nil
	}
	changed, err := plan.Apply(ctx, func(e install.Event) { _ = a.event(e, g, o.found) }) // a reader that has gone does not stop an install
	result := installResult{Result: outcome(err, changed, "installed"), Home: options.Home.Dir(), Service: "none"}
	if options.Service != nil {
		result.Service = options.Service.Unit.Name
	}
	if err == nil {
		i, err := loadInstance(options.Home)
		if err != nil {
			return err
		}
		c, err := options.Home.Config()
		if err != nil {
			return err
		}
		result.Instance, result.Connection, result.Tenant = i.ID, c.Tenant.Connection, hostOf(c.Tenant.Hub)
	}
	if a.json() {
		return errors.Join(err, a.line(result))
	}
	if err == nil {
		a.say("%s: connection %s of %s, in %s", result.Result, result.Connection, result.Tenant, result.Home)
		a.sayNext(options, result)
		a.sayTaken(o.found)
		a.offerConsole(ctx, &o, options)
	}
	a.sayLeft(err)
	return err
}

// lockInstalls keeps others from installing or removing services meanwhile,
// where there can be any.
func lockInstalls() (unlock func(), err error) {
	if _, err := service.System(); err != nil {
		return func() {}, nil //nolint:nilerr // who needs one says so
	}
	return home.LockInstalls()
}

// outcome is a plan's result in one word.
func outcome(err error, changed bool, done string) string {
	var failed *install.StepError
	switch {
	case errors.As(err, &failed) && len(failed.Left) > 0:
		return "failed"
	case err != nil:
		return "undone"
	case !changed:
		return "unchanged"
	}
	return done
}

// sayLeft names what a failed plan could not undo.
func (a *app) sayLeft(err error) {
	var failed *install.StepError
	if errors.As(err, &failed) {
		for _, left := range failed.Left {
			a.say("left: %v", left)
		}
	}
}

// sayNext says what there is now, and what is left to do.
func (a *app) sayNext(o install.Options, r installResult) {
	switch {
	case o.Service == nil:
		a.say("start it with: connector run --home %s", r.Home)
	case !o.Service.Start:
		a.say("the service %s starts with the system; it was not started, nor stopped if it runs", r.Service)
	default:
		a.say("the service %s runs: the hub has accepted it, and it reaches the directory", r.Service)
		a.say("look at it with: connector%s status", instanceFlag(a.name))
	}
}

func instanceFlag(name string) string {
	if name == "" {
		return ""
	}
	return " --name " + name
}

// event tells of one step, as a line of JSON or on stderr. That of the gate also
// tells of its findings.
func (a *app) event(e install.Event, g *gate, f *adoption) error {
	text := ""
	if e.Err != nil {
		text = e.Err.Error()
	}
	if a.json() {
		line := map[string]any{"step": e.Step.Name, "says": e.Step.Says, "event": e.What, "error": text}
		if g != nil {
			g.tell(line)
		}
		f.tell(line)
		return a.line(line)
	}
	colour, known := map[string]color.Attribute{install.Did: color.FgGreen, install.Undone: color.FgYellow, install.Stuck: color.FgRed}[e.What]
	if !known {
		colour = color.Faint
	}
	if e.What == install.Doing && !isTerminal(a.stderr) {
		return nil // its end is the next line
	}
	a.say("%s %s%s", a.paint(a.stderr, colour).Sprintf("%-8s", e.What), e.Step.Says, strings.TrimSuffix(": "+text, ": "))
	return nil
}
