package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/tenant"
)

// An importOrder is what an import was asked for.
type importOrder struct {
	offline, dryRun, noRestart, replace, undo bool
	passphrase                                secretFlags
}

func newImportCommand(a *app) *cobra.Command {
	var o importOrder
	cmd := &cobra.Command{
		Use:   "import FILE|-",
		Short: "Make this home a node of the connector that an archive comes from",
		Long: `It takes the archives of "connector export", encrypted or not, and of the
existing connector, both layouts. Everything is checked first; then all of it is
replaced or nothing, and what was there is kept under backups/. --dry-run says
key by key what would change; secrets are told by fingerprints.

--undo puts back what the last import has replaced. It can be undone in turn.

A home that serves another connection is replaced only with --replace.`,
		Example: `  connector import node.age
  connector import connector_export_20260301-101500.zip --dry-run
  connector import --undo`,
		Args: func(_ *cobra.Command, args []string) error {
			if o.undo && len(args) == 0 {
				return nil
			}
			if o.undo {
				return usagef("--undo takes no archive: it puts back what was there before the last import")
			}
			return exactArgs(1, "name the archive, or - for standard input: connector import node.age")(nil, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.undo {
				return a.undoImport(cmd.Context(), o)
			}
			return a.importArchive(cmd.Context(), args[0], o)
		},
	}
	cmd.Flags().BoolVar(&o.offline, "offline", false, "do not ask the tenant and the directory")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "check everything, say what would change, and change nothing")
	cmd.Flags().BoolVar(&o.noRestart, "no-restart", false, "do not make a running connector read its home again")
	cmd.Flags().BoolVar(&o.replace, "replace", false, "also where the home serves another connection, or has renewed its key pair since")
	cmd.Flags().BoolVar(&o.undo, "undo", false, "put back what the last import has replaced")
	o.passphrase.addFile(cmd.Flags(), "passphrase", "the passphrase of the archive")
	return cmd
}

// An importResult is the JSON of an import.
type importResult struct {
	Result     string   `json:"result"` // checked, imported or undone
	Home       string   `json:"home"`
	Connection string   `json:"connection"`
	Notes      []string `json:"notes"`
	Changes    []change `json:"changes"`
	Backup     string   `json:"backup"`
	Reloaded   *bool    `json:"reloaded,omitempty"`
}

func (a *app) importArchive(ctx context.Context, name string, o importOrder) error {
	archive, err := a.readArchive(ctx, name, &o.passphrase, a.interactive())
	if err != nil {
		return err
	}
	h, err := a.importHome()
	if err != nil {
		return err
	}
	notes := a.adapt(archive, h)
	if err := a.foreign(h, archive, o.replace); err != nil {
		return err
	}
	if err := a.proveArchive(ctx, h, archive, o.offline); err != nil {
		return err
	}
	for _, n := range notes {
		a.say("%s", n)
	}
	result := importResult{Result: "checked", Home: h.Dir(), Connection: archive.Config.Tenant.Connection, Notes: notes, Changes: a.importChanges(h, archive)}
	if o.dryRun {
		return a.tellImport(result)
	}
	if !o.replace {
		if err := a.agreeToReplace(h, archive); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err // before anything is changed
	}
	result.Result = "imported"
	if result.Backup, err = h.Replace(archive); err != nil {
		return err
	}
	return a.takeUpImport(ctx, h, result, o)
}

// importHome opens the home that is to be imported into.
func (a *app) importHome() (*home.Home, error) {
	h, err := a.openHome()
	if err != nil {
		return nil, err
	}
	if c, err := h.Config(); err == nil && c.EnvOnly() {
		return nil, errors.New("OVERRIDE_CONFIG=false: the configuration comes from the environment, and an imported one would not be read")
	}
	return h, nil
}

// adapt makes an archive suit this machine and this home, and returns all that
// is to be said of it.
func (a *app) adapt(archive *home.Archive, h *home.Home) []string {
	hostname, err := os.Hostname()
	if err != nil {
		hostname = "localhost" // only names SERVER_URL, which the operator may set
	}
	notes := []string{}
	if m := archive.Manifest; m != nil {
		notes = append(notes, fmt.Sprintf("The archive is of the node %s, connector %s, last changed on %s.", visible(m.Instance), visible(m.Version), m.Date.Format(time.DateTime+" MST")))
	}
	notes = append(notes, archive.Notes...)
	notes = append(notes, archive.Adapt(hostname, h.Dir())...)
	return append(notes, leavesStore(h)...)
}

// tellImport tells what came of an import.
func (a *app) tellImport(r importResult) error {
	if a.json() {
		return a.print(r)
	}
	if r.Result == "checked" {
		for _, c := range r.Changes {
			if err := a.text("%s\n", c); err != nil {
				return err
			}
		}
		if len(r.Changes) == 0 {
			a.say("no setting would change")
		}
	}
	a.say("%s connection %s in %s", r.Result, r.Connection, r.Home)
	if r.Backup != "" {
		a.say("what was there is in %s; take it back with: connector%s import --undo", r.Backup, instanceFlag(a.name))
	}
	return nil
}

// takeUpImport has a running connector take up what is new in its home.
func (a *app) takeUpImport(ctx context.Context, h *home.Home, r importResult, o importOrder) error {
	if !o.noRestart {
		reloaded := a.reloadRunning(ctx, h)
		r.Reloaded = &reloaded
	}
	return a.tellImport(r)
}

// maxArchiveFile is more than any archive of four small files, armored.
const maxArchiveFile = 16 << 20

func (a *app) readArchive(ctx context.Context, name string, passphrase *secretFlags, ask bool) (*home.Archive, error) {
	r := a.input()
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }() // it was only read
		r = f
	}
	data, err := io.ReadAll(io.LimitReader(r, maxArchiveFile+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(data) > maxArchiveFile {
		return nil, fmt.Errorf("read %s: larger than %d MiB", name, maxArchiveFile>>20)
	}
	if data, err = a.opened(ctx, data, passphrase, ask); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	archive, err := home.ReadArchive(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return archive, nil
}

// proveArchive tries what the archive brings before anything is replaced: the
// mapper compiles, the tenant knows the ticket, the directory lets it in.
func (a *app) proveArchive(ctx context.Context, h *home.Home, archive *home.Archive, offline bool) error {
	c, err := archive.Config.WithEnv(a.environ)
	if err != nil {
		return err
	}
	if err := a.compile(archive); err != nil {
		return err
	}
	trial := c
	if offline && trial.Directory.BindPassword == "" && trial.Directory.BindCredentials == "" {
		trial.Directory.BindPassword = "to come" // a backup of the newer layout has no password; it is set after the import
	}
	if err := trial.Validate(); err != nil || offline {
		return err
	}
	t, err := archiveTransport(h, c, archive.CA, a.environ)
	if err != nil {
		return err
	}
	if c.Directory.BindMethod == string(directory.Simple) && c.Directory.BindPassword == "" && c.Directory.BindCredentials != "" {
		password, err := archive.Pair.Open(string(c.Directory.BindCredentials))
		if err != nil {
			return fmt.Errorf("open LDAP_BIND_CREDENTIALS: %w", err)
		}
		c.Directory.BindPassword = config.Secret(password)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*checkTime)
	defer cancel()
	if c.Tenant.Ticket != "" {
		ticket, err := tenant.ParseTicket(string(c.Tenant.Ticket))
		if err != nil {
			return err
		}
		if _, err := newTenant(t).Connection(ctx, ticket); err != nil {
			return &hinted{err, "mend that, or add --offline to import without asking"}
		}
	}
	if err := a.checkDirectory(t)(ctx, c); err != nil {
		return &hinted{err, "mend that, or add --offline to import without asking"}
	}
	return nil
}

// reloadRunning makes the connector that runs on h read its home again, and
// reports whether there was one.
func (a *app) reloadRunning(ctx context.Context, h *home.Home) bool {
	var r running
	if h.LoadState("run", &r) != nil || r.Console == "" {
		return false
	}
	var i instance
	live, err := fetchStatus(ctx, r.Console)
	if err != nil || h.LoadState("instance", &i) != nil || live.Instance != i.ID {
		return false // it does not run
	}
	if err := reload(r.PID); err != nil {
		a.say("restart the running connector, it did not take the signal to reload: %v", err)
		return false
	}
	return true
}
