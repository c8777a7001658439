// Certificates of existing installations may have a negative serial number,
// which the library that made them did not avoid.
//go:debug x509negativeserial=1

// The connector command installs, runs and examines the connector: it answers a
// cloud tenant's login requests against Active Directory or any LDAP server.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/pkg/install"
	"ad-ldap-connector/pkg/tenant"
)

// Exit statuses, the same for all commands. Scripts rely on them; "connector
// help exit-codes" prints them.
const (
	exitOK          = 0
	exitFault       = 1   // it could not be done
	exitUsage       = 2   // it was asked wrongly
	exitBlocked     = 3   // a check that blocks has failed; nothing was changed
	exitWarned      = 4   // checks that warn have failed, and that was to count
	exitUndone      = 5   // it failed part of the way, and the machine is as before
	exitRefused     = 6   // the tenant or the directory said no
	exitInterrupted = 130 // it was interrupted, after undoing what was begun
)

func main() { os.Exit(systemApp().main()) }

// systemApp is the app of this process.
func systemApp() *app {
	return &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, environ: os.Environ()}
}

// main runs the command that the arguments name, and returns its status.
func (a *app) main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	cobra.MousetrapHelpText = "" // a double click on Windows is answered like any other start
	err := newCommand(a).ExecuteContext(ctx)
	interrupted := ctx.Err() != nil
	a.restoreTerminal()
	stop()
	code := exitCode(err, interrupted)
	if err != nil {
		a.complain(err, code)
	}
	return code
}

func newCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:               "connector",
		Short:             "Answer a tenant's logins against a directory",
		Example:           "  connector demo\n  sudo connector install --ticket-file ticket.txt --ldap-url ldaps://dc1.corp.example",
		Long:              "Topics, by \"connector help TOPIC\":\n" + topicList(),
		SilenceUsage:      true,
		SilenceErrors:     true,
		DisableAutoGenTag: true,
		Args:              cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("%q is not a command; try: connector help", args[0])
			}
			return cmd.Help()
		},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			a.stop = cmd.Context().Done()
			return a.begin()
		},
	}
	cmd.CompletionOptions.DisableDefaultCmd = true // ours has the help that all others have
	cmd.SetIn(a.stdin)
	cmd.SetOut(a.stdout)
	cmd.SetErr(a.stderr)
	a.flags(cmd.PersistentFlags())
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	cmd.AddCommand(
		newDemoCommand(a), newDoctorCommand(a), newInstallCommand(a), newUninstallCommand(a), newRunCommand(a), newRestartCommand(a), newUpdateCommand(a), newStatusCommand(a),
		newLoginCommand(a), newSearchCommand(a), newProfileCommand(a), newBenchCommand(a),
		newExportCommand(a), newImportCommand(a), newConfigCommand(a), newKeysCommand(a), newConsoleCommand(a), newLogsCommand(a), newSupportCommand(a),
		newSandboxCommand(a), newVersionCommand(a), newCompletionCommand(a), newMapperChildCommand(a),
	)
	cmd.SetHelpCommand(newHelpCommand(a))
	helpText(cmd)
	return cmd
}

// A usageError says that the command was asked wrongly.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// An exitError ends the command with a status after it has said all there is.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// exitCode is the one place where an error becomes a status.
func exitCode(err error, interrupted bool) int {
	var (
		usage   *usageError
		status  exitError
		step    *install.StepError
		refusal *identity.Refusal
		other   *install.OtherConnectionError
		account *directory.Error
	)
	stepped := errors.As(err, &step)
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &status):
		return int(status)
	case errors.As(err, &usage), errors.As(err, &other):
		return exitUsage
	case stepped && len(step.Left) > 0:
		return exitFault
	case interrupted || errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.Is(err, tenant.ErrUnknownTicket), errors.As(err, &refusal),
		errors.As(err, &account) && account.Refused():
		return exitRefused
	case stepped && step.Changed:
		return exitUndone
	case stepped:
		return exitBlocked
	}
	return exitFault
}

// complain is the only way this command speaks of errors: one line that begins
// "connector:", in lower case and with no full stop, then a hint if there is
// one; with JSON output the same as a document, for scripts.
func (a *app) complain(err error, code int) {
	var status exitError
	if errors.As(err, &status) {
		return // it has been said
	}
	hint := hintOf(err)
	_, _ = fmt.Fprintf(a.stderr, "connector: %s\n", visible(oneLine(err.Error()))) // nowhere is left to say that stderr is gone
	if hint != "" {
		_, _ = fmt.Fprintf(a.stderr, "hint: %s\n", hint)
	}
	if a.output == "json" {
		_ = json.NewEncoder(a.stdout).Encode(map[string]any{"error": map[string]any{"message": err.Error(), "hint": hint, "code": code}})
	}
}

func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	if errors.Is(err, fs.ErrPermission) && !privileged() {
		return "run it as root, or as an administrator"
	}
	return ""
}

// discard is where progress goes with --quiet.
var discard = io.Discard
