package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fatih/color"
	"github.com/spf13/cobra"

	"ad-ldap-connector/pkg/identity"
)

// A LoginReport is the JSON of "connector login".
type loginReport struct {
	Outcome string           `json:"outcome"` // accepted, refused or fault
	Reason  identity.Reason  `json:"reason,omitempty"`
	Stages  []stageReport    `json:"stages"`
	Profile identity.Profile `json:"profile"`
	Error   string           `json:"error,omitempty"`
}

type stageReport struct {
	Stage  string  `json:"stage"`
	Server string  `json:"server"`
	Took   float64 `json:"tookMs"`
	Detail string  `json:"detail"`
}

func newLoginCommand(a *app) *cobra.Command {
	var password secretFlags
	var trace bool
	cmd := &cobra.Command{
		Use:   "login USER",
		Short: "Try one login as the tenant would, and explain it stage by stage",
		Long:  "It ends with 0 when the login is accepted, 6 when it is refused, 1 when it could not be tried.",
		Example: `  connector login mary.smith
  connector login mary.smith --password-file pw.txt --trace`,
		Args: exactArgs(1, "name one user, as they would type it: connector login mary.smith"),
		RunE: func(cmd *cobra.Command, args []string) error {
			secret, err := a.secret(password, "password of "+args[0])
			if err != nil {
				return err
			}
			w, err := a.openWorkbench()
			if err != nil {
				return err
			}
			defer w.Close()
			var report loginReport
			ctx := identity.WithTrace(cmd.Context(), func(s identity.Stage) { report.Stages = append(report.Stages, explain(s)) })
			p, err := w.users.Authenticate(ctx, identity.Credentials{Username: args[0], Password: identity.Password(secret)})
			report.conclude(p, err)
			return a.printLogin(report, trace, err)
		},
	}
	password.add(cmd.Flags(), "password", "the user's password")
	cmd.Flags().BoolVar(&trace, "trace", false, "show each stage also when the login is accepted")
	return cmd
}

func explain(s identity.Stage) stageReport {
	detail := s.Detail
	if s.Err != nil {
		detail = strings.TrimPrefix(detail+": "+s.Err.Error(), ": ")
	}
	return stageReport{Stage: s.Name, Server: s.Server, Took: ms(s.Took), Detail: detail}
}

// String is the stage as a line of text.
func (s stageReport) String() string {
	took := time.Duration(s.Took * float64(time.Millisecond)).Round(10 * time.Microsecond)
	return fmt.Sprintf("%-12s %9s  %s  %s", s.Stage, took, s.Server, visible(s.Detail))
}

// sayStages shows people the stages, if they want or need them.
func (a *app) sayStages(stages []stageReport, wanted bool) {
	if !wanted || a.json() {
		return
	}
	for _, s := range stages {
		a.say("%s", s)
	}
}

func (r *loginReport) conclude(p identity.Profile, err error) {
	r.Outcome, r.Profile = "accepted", p
	var refusal *identity.Refusal
	switch {
	case errors.As(err, &refusal):
		r.Outcome, r.Reason, r.Profile, r.Error = "refused", refusal.Reason, refusal.Profile, refusal.Error()
	case err != nil:
		r.Outcome, r.Error = "fault", err.Error()
	}
}

// meanings say in words what a refusal means and what to do.
var meanings = map[identity.Reason]string{
	identity.WrongUsername: "no user below LDAP_BASE matches LDAP_USER_BY_NAME; try the name as the directory has it, " +
		"or: connector search users TEXT",
	identity.AmbiguousUsername: "more than one user below LDAP_BASE matches LDAP_USER_BY_NAME, and who logs in must be certain; " +
		"narrow LDAP_BASE or the filter, or rename one of them",
	identity.WrongPassword: "the directory does not accept this password, or the account may not log on now, or in this way; " +
		"what it said stands at the stage \"bind\"",
	identity.PasswordExpired: "the password is right but has expired; the user must set a new one " +
		"(ALLOW_PASSWORD_EXPIRED accepts it)",
	identity.AccountDisabled: "the account is disabled in the directory; an administrator can enable it",
	identity.AccountExpired:  "the account has expired in the directory; an administrator can prolong it",
	identity.PasswordChangeRequired: "the password is right, but the directory wants it changed first " +
		"(ALLOW_PASSWORD_CHANGE_REQUIRED accepts it)",
	identity.AccountLocked: "the account is locked after too many wrong passwords; wait for the directory to unlock it, " +
		"or an administrator can",
}

func (a *app) printLogin(r loginReport, trace bool, err error) error {
	status := map[string]int{"accepted": exitOK, "refused": exitRefused, "fault": exitFault}[r.Outcome]
	if a.json() {
		if r.Stages == nil {
			r.Stages = []stageReport{}
		}
		if err := a.print(r); err != nil {
			return err
		}
		if status != exitOK {
			return exitError(status)
		}
		return nil
	}
	if trace || r.Outcome != "accepted" {
		for _, s := range r.Stages {
			if err := a.text("%s\n", s); err != nil {
				return err
			}
		}
	}
	switch r.Outcome {
	case "accepted":
		if err := a.text("%s\n", a.paint(a.stdout, color.FgGreen).Sprint("accepted")); err != nil {
			return err
		}
		return a.print(r.Profile)
	case "refused":
		if err := a.text("%s %s: %s\n", a.paint(a.stdout, color.FgYellow).Sprint("refused"), r.Reason, meanings[r.Reason]); err != nil {
			return err
		}
		return exitError(exitRefused)
	}
	return err
}
