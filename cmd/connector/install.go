package main

import (
	"context"
	"errors"
	"strings"

	"github.com/fatih/color"
	"github.com/spf13/cobra"

	"ad-ldap-connector/pkg/install"
)

func newInstallCommand(a *app) *cobra.Command {
	var o installAnswers
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Redeem a ticket and install the connector",
		Long: `It checks the ticket, the clock and the directory, and what doctor looks at,
before it changes anything; then it does its steps, and undoes them if one
fails. A check that blocks ends it with 3; one that warns is only shown. A
second run changes nothing and says so. On a terminal it asks for what is
missing; without one it ends with usage (connector help unattended). With
--output json each step is an event, one object a line.

--skip and --waive take the ids of doctor's checks (connector doctor --list).
time.tenant stands for the step check-clock, directory.bind for the step
check-directory.`,
		Example: `  connector install --no-service --ticket-file ticket.txt --ldap-url ldaps://dc1.corp.example \
    --ldap-bind-user svc@corp.example --ldap-bind-password-file password.txt
  connector install --no-service --dry-run
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
	if !o.noService {
		return &hinted{usagef("this version registers no service"), "add --no-service, and let your service manager start \"connector run\""}
	}
	g, err := a.newGate(o.gate)
	if err != nil {
		return err
	}
	options, err := a.prepare(ctx, &o, g)
	if err != nil {
		return err
	}
	plan := g.over(install.New(options))
	if o.dryRun {
		for _, s := range plan {
			if err := a.event(install.Event{Step: s, What: "planned"}, g); err != nil {
				return err
			}
		}
		return nil
	}
	changed, err := plan.Apply(ctx, func(e install.Event) { _ = a.event(e, g) }) // a reader that has gone does not stop an install
	result := installResult{Result: "installed", Home: options.Home.Dir(), Service: "none"}
	var failed *install.StepError
	switch {
	case errors.As(err, &failed) && len(failed.Left) > 0:
		result.Result = "failed"
	case err != nil:
		result.Result = "undone"
	case !changed:
		result.Result = "unchanged"
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
		a.say("start it with: connector run --home %s", result.Home)
	}
	if failed != nil {
		for _, left := range failed.Left {
			a.say("left: %v", left)
		}
	}
	return err
}

// event tells of one step, as a line of JSON or on stderr. That of the gate also
// tells of its findings.
func (a *app) event(e install.Event, g *gate) error {
	text := ""
	if e.Err != nil {
		text = e.Err.Error()
	}
	if a.json() {
		line := map[string]any{"step": e.Step.Name, "says": e.Step.Says, "event": e.What, "error": text}
		g.tell(line)
		return a.line(line)
	}
	paint := map[string]*color.Color{install.Did: color.New(color.FgGreen), install.Undone: color.New(color.FgYellow), install.Stuck: color.New(color.FgRed)}[e.What]
	if paint == nil {
		paint = color.New(color.Faint)
	}
	if e.What == install.Doing && !isTerminal(a.stderr) {
		return nil // its end is the next line
	}
	a.say("%s %s%s", paint.Sprintf("%-8s", e.What), e.Step.Says, strings.TrimSuffix(": "+text, ": "))
	return nil
}
