package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ad-ldap-connector/pkg/doctor"
)

// doctorAnswers is what "connector doctor" was asked.
type doctorAnswers struct {
	target targetFlags

	only, skip []string
	waive      []string
	warnings   bool // --fail-on-warnings
	timeout    time.Duration
	format     string
	save       string
	against    string
	fix        bool
	trustCA    []string // thumbprints

	list, schema bool
	explain      string
}

// The forms of a report.
var doctorFormats = []string{"text", "json", "junit", "markdown", "github"}

func newDoctorCommand(a *app) *cobra.Command {
	var o doctorAnswers
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check this machine, before a ticket exists and afterwards",
		Long: `It looks at what it is given: the flags below, and the home when there is one.
It changes nothing, unless --fix is given, and needs no administrator. Each fix
is asked for, or agreed to by --yes; a CA is trusted only once somebody has been
shown its thumbprint, or has named it with --trust-ca. It ends
with 3 when a check that blocks has failed, and with 4 when only checks that
warn have and --fail-on-warnings is given. A page on each check: --explain ID.

` + strings.TrimSpace(doctorTable()),
		Example: `  connector doctor
  connector doctor --ticket-file ticket.txt --ldap-url ldaps://dc1.corp.example
  connector doctor --tenant acme.eu.auth0.com --format junit > doctor.xml
  connector doctor --explain agent.keys
  connector doctor --waive "host.memory=grows in May@2026-05-31" --fail-on-warnings`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("format") {
				o.format = a.output
			}
			return a.doctor(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	o.target.add(f)
	f.StringSliceVar(&o.only, "only", nil, "run only these checks or groups, and what they need: `ID,...`")
	f.StringSliceVar(&o.skip, "skip", nil, "leave these checks or groups out: `ID,...`")
	f.StringArrayVar(&o.waive, "waive", nil, "excuse a failure until a day, `\"ID=reason@YYYY-MM-DD\"`; repeatable (also: waivers.json in the home)")
	f.BoolVar(&o.warnings, "fail-on-warnings", false, "end with 4 when checks that warn have failed")
	f.DurationVar(&o.timeout, "timeout", 30*time.Second, "what has not ended after this `time` has failed")
	f.StringVar(&o.format, "format", "text", "what stdout carries: `text|json|junit|markdown|github`; -o json is the same as json")
	f.BoolVar(&o.list, "list", false, "print the catalogue of checks and end")
	f.BoolVar(&o.schema, "schema", false, "print the JSON Schema of the report and end")
	f.StringVar(&o.explain, "explain", "", "explain the check of this `ID` and end")
	f.StringVar(&o.save, "save", "", "keep the report in this `file`")
	f.StringVar(&o.against, "against", "", "say what has changed since the report in this `file`")
	f.StringArrayVar(&o.trustCA, "trust-ca", nil, "with --fix: trust a CA of this `SHA-256` thumbprint without asking, if it is the one that is behind an untrusted certificate; repeatable")
	f.BoolVar(&o.fix, "fix", false, "do the remedies that are safe, after asking, and check again")
	return cmd
}

func (a *app) doctor(ctx context.Context, o doctorAnswers) error {
	if !slices.Contains(doctorFormats, o.format) {
		return usagef("--format %q is none of %s", o.format, strings.Join(doctorFormats, ", "))
	}
	a.output = "text" // errors too go by --format
	if o.format == "json" {
		a.output = "json"
	}
	switch {
	case o.schema:
		return a.text("%s", doctor.Schema())
	case o.list:
		return a.listChecks()
	case o.explain != "":
		return a.explainCheck(o.explain)
	case o.timeout <= 0:
		return usagef("--timeout %s: a check takes some time; try 30s", o.timeout)
	}
	for _, pin := range o.trustCA {
		if !sha256Text.MatchString(pin) {
			return usagef("--trust-ca %q is no SHA-256 thumbprint: 64 hexadecimal digits, with or without colons", pin)
		}
	}
	if len(o.trustCA) > 0 && !o.fix {
		return usagef("--trust-ca goes with --fix")
	}
	checks, err := doctor.Select(doctor.Checks, o.only, o.skip)
	if err != nil {
		return &usageError{err}
	}
	var waivers []doctor.Waiver
	for _, text := range o.waive {
		w, err := doctor.ParseWaiver(text)
		if err != nil {
			return &usageError{fmt.Errorf("--waive: %w", err)}
		}
		waivers = append(waivers, w)
	}
	before, err := readReport(o.against)
	if err != nil {
		return err
	}
	if err := checkSave(o.save); err != nil {
		return err
	}
	target, err := a.openTarget(o.target)
	if err != nil {
		return err
	}
	defer func() { target.Close() }()
	env := a.doctorEnv(target)
	run := func() (doctor.Report, error) {
		limited, cancel := context.WithTimeout(ctx, o.timeout)
		defer cancel()
		report := doctor.Run(limited, env, checks, append(target.waivers, waivers...), nil)
		return report, ctx.Err()
	}
	report, err := run()
	if err != nil {
		return err
	}
	var fixes []doctor.Mended
	if o.fix {
		if fixes, err = a.mend(ctx, env, report, o.trustCA); err != nil {
			return err
		}
		if slices.ContainsFunc(fixes, func(m doctor.Mended) bool { return m.Done }) {
			target.Close() // what it knows of whom to trust may be out of date
			target = a.lookAt(o.target, target.given)
			env = a.doctorEnv(target)
			if report, err = run(); err != nil {
				return err
			}
		}
	}
	d := report.Document(doctor.Connector{Version: thisBuild().Version, OS: runtime.GOOS, Arch: runtime.GOARCH})
	d.Fixes = fixes
	if before != nil {
		changes := doctor.Compare(*before, d)
		d.Changes = &changes
	}
	if o.save != "" {
		if err := saveReport(o.save, d); err != nil {
			return err
		}
	}
	if err := a.printReport(d, o); err != nil {
		return err
	}
	return doctorStatus(d.Result, o.warnings)
}

// doctorStatus is the status that a report ends with.
func doctorStatus(v doctor.Verdict, onWarnings bool) error {
	switch {
	case v == doctor.Blocked:
		return exitError(exitBlocked)
	case v == doctor.Warned && onWarnings:
		return exitError(exitWarned)
	}
	return nil
}

// printReport writes a report to stdout in the form that was asked for.
func (a *app) printReport(d doctor.Document, o doctorAnswers) error {
	switch o.format {
	case "json":
		return a.print(d)
	case "junit":
		return writeJUnit(a.stdout, d, o.warnings)
	case "markdown":
		return a.text("%s", doctorMarkdown(d))
	case "github":
		return a.text("%s", doctorAnnotations(d))
	}
	return a.text("%s", doctorText(d, a.colours(a.stdout)))
}
