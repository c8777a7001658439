// The release command is for those who publish the connector: it keeps their
// keys, writes and signs the documents that "connector update" believes, and
// packs bundles. It is no part of what is published.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := newCommand(&maintainer{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, now: time.Now}).ExecuteContext(ctx)
	stop()
	if err == nil {
		return
	}
	fmt.Fprintf(os.Stderr, "release: %v\n", err)
	var advised interface{ Hint() string }
	if errors.As(err, &advised) && advised.Hint() != "" {
		fmt.Fprintf(os.Stderr, "hint: %s\n", advised.Hint())
	}
	os.Exit(1)
}

// A maintainer is who runs this command.
type maintainer struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	now            func() time.Time
	passphrases    string // file with the passphrase of all keys; "": asked on the terminal
	work           int    // see lock; tests are in a hurry
}

func newCommand(m *maintainer) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "release",
		Short: "Keep the keys of the connector's releases, and publish them",
		Long: `A folder of releases is what a web server serves, as it is, and what
"connector update" reads: N.root.json, releases.json, and a folder for each
version. Whoever serves it is trusted with nothing.

  release keys new root-a.key                   # once for each person, on a machine of their own
  release root FOLDER --root root-a.key.pub --root root-b.key.pub --root-threshold 2 \
                      --releases releases.key.pub
  release sign FOLDER/1.root.json.draft --key root-a.key   # each person in turn
  release publish DIST FOLDER --version 1.4.0 --key releases.key
  release renew FOLDER --key releases.key       # before the releases expire

A document that lacks signatures is written as a draft, which nobody reads; the
signature that completes it gives it its name.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	cmd.PersistentFlags().StringVar(&m.passphrases, "passphrase-file", "", "`file` with the passphrase of the keys, instead of asking")
	cmd.CompletionOptions.DisableDefaultCmd = true
	cmd.AddCommand(newKeysCommand(m), newRootCommand(m), newSignCommand(m), newPublishCommand(m), newRenewCommand(m),
		newWithdrawCommand(m), newBundleCommand(), newVerifyCommand(m), newLicensesCommand(m))
	return cmd
}

func (m *maintainer) say(format string, args ...any) {
	_, _ = fmt.Fprintf(m.stdout, format+"\n", args...) // a closed pipe is the reader's choice
}
