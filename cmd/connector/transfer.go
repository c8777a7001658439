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

func newExportCommand(a *app) *cobra.Command {
	var file string
	var plain, force bool
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the archive that makes another node of this connector",
		Long: `It holds config.json, lib/profileMapper.js, certs/cert.pem and certs/cert.key,
in the layout of the existing connector, which can read it too. Whoever has the
file can be this connector: keep it as you would keep the private key.`,
		Example: "  connector export --plain --file node.zip",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			if !plain {
				return &hinted{usagef("the archive would hold the private key unencrypted"), "add --plain to agree"}
			}
			h, err := a.openHome()
			if err != nil {
				return err
			}
			c, err := h.Config()
			if err != nil {
				return err
			}
			var archive bytes.Buffer
			if err := h.Export(&archive, c); err != nil {
				return err
			}
			if file == "-" {
				_, err := a.stdout.Write(archive.Bytes())
				return err
			}
			if file == "" {
				file = "connector_export_" + time.Now().UTC().Format("20060102-150405") + ".zip"
			}
			if err := writeNew(file, archive.Bytes(), force); err != nil {
				return err
			}
			if a.json() {
				return a.print(map[string]any{"file": file, "bytes": archive.Len(), "connection": c.Tenant.Connection})
			}
			a.say("wrote %s: it holds the private key unencrypted", file)
			return nil
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "`file` to write, - for standard output (default connector_export_<time>.zip)")
	cmd.Flags().BoolVar(&plain, "plain", false, "write the private key unencrypted")
	cmd.Flags().BoolVar(&force, "force", false, "write over an existing file")
	return cmd
}

// writeNew writes a file that only its owner may read, and never over another
// one unless told so. A file half written is taken away again.
func writeNew(name string, data []byte, force bool) error {
	mode := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if force {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) { // its mode may be too open to keep
			return err
		}
	}
	f, err := os.OpenFile(name, mode, 0o600)
	if errors.Is(err, os.ErrExist) {
		return &hinted{fmt.Errorf("write %s: it exists already", name), "add --force to write over it"}
	}
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", name, err), os.Remove(name))
	}
	return nil
}

// maxArchive is more than any archive of four small files.
const maxArchive = 16 << 20

func newImportCommand(a *app) *cobra.Command {
	var offline, dryRun, noRestart bool
	cmd := &cobra.Command{
		Use:   "import FILE|-",
		Short: "Make this home a node of the connector that an archive comes from",
		Long: `It takes the archives of "connector export" and of the existing connector, both
layouts. Everything is checked first; then all of it is replaced or nothing,
and what was there is kept under backups/.`,
		Example: `  connector import node.zip
  connector import connector_export_20260301-101500.zip --dry-run`,
		Args: exactArgs(1, "name the archive, or - for standard input: connector import node.zip"),
		RunE: func(cmd *cobra.Command, args []string) error {
			archive, err := a.readArchive(args[0])
			if err != nil {
				return err
			}
			h, err := a.openHome()
			if err != nil {
				return err
			}
			hostname, err := os.Hostname()
			if err != nil {
				hostname = "localhost" // only names SERVER_URL, which the operator may set
			}
			notes := append([]string{}, archive.Notes...)
			notes = append(notes, archive.Adapt(hostname)...)
			if err := a.proveArchive(cmd.Context(), archive, offline); err != nil {
				return err
			}
			for _, n := range notes {
				a.say("%s", n)
			}
			result := map[string]any{"result": "checked", "home": h.Dir(), "connection": archive.Config.Tenant.Connection, "notes": notes, "backup": ""}
			if !dryRun {
				if err := a.agreeToReplace(h, archive); err != nil {
					return err
				}
				backup, err := h.Replace(archive)
				if err != nil {
					return err
				}
				result["result"], result["backup"] = "imported", backup
				if !noRestart {
					result["reloaded"] = a.reloadRunning(cmd.Context(), h)
				}
			}
			if a.json() {
				return a.print(result)
			}
			a.say("%s connection %s in %s", result["result"], archive.Config.Tenant.Connection, h.Dir())
			return nil
		},
	}
	cmd.Flags().BoolVar(&offline, "offline", false, "do not ask the tenant and the directory")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "check everything and change nothing")
	cmd.Flags().BoolVar(&noRestart, "no-restart", false, "do not make a running connector read its home again")
	return cmd
}

func (a *app) readArchive(name string) (*home.Archive, error) {
	r := a.input()
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }() // it was only read
		r = f
	}
	data, err := io.ReadAll(io.LimitReader(r, maxArchive+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(data) > maxArchive {
		return nil, fmt.Errorf("read %s: larger than %d MiB", name, maxArchive>>20)
	}
	archive, err := home.ReadArchive(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return archive, nil
}

// proveArchive tries what the archive brings before anything is replaced: the
// mapper compiles, the tenant knows the ticket, the directory lets it in.
func (a *app) proveArchive(ctx context.Context, archive *home.Archive, offline bool) error {
	c, err := archive.Config.WithEnv(a.environ)
	if err != nil {
		return err
	}
	m, err := newMapper(archive.Mapper, "lib/profileMapper.js", c, a.log())
	if err != nil {
		return err
	}
	trial := c
	if offline && trial.Directory.BindPassword == "" && trial.Directory.BindCredentials == "" {
		trial.Directory.BindPassword = "to come" // a backup of the newer layout has no password; it is set after the import
	}
	if err := errors.Join(m.Close(), trial.Validate()); err != nil || offline {
		return err
	}
	h, err := a.openHome()
	if err != nil {
		return err
	}
	t, err := homeTransport(h, c.Network, a.environ)
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

// agreeToReplace asks before a configured home is replaced.
func (a *app) agreeToReplace(h *home.Home, archive *home.Archive) error {
	c, err := h.Config()
	if err != nil || c.Tenant.Connection == "" || a.yes {
		return nil //nolint:nilerr // a broken configuration is what an import may be for; it is kept in the backup
	}
	question := fmt.Sprintf("%s serves the connection %s; replace it by %s?", h.Dir(), c.Tenant.Connection, archive.Config.Tenant.Connection)
	if !a.interactive() {
		return &hinted{usagef("%s", question), "add --yes to agree"}
	}
	yes, err := a.ask().confirm(question, false)
	if err == nil && !yes {
		return errors.New("nothing was changed")
	}
	return err
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
