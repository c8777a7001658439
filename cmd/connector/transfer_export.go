package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/home"
)

// An exportOrder is what an export was asked for.
type exportOrder struct {
	file                  string
	encrypt, plain, force bool
	passphrase            secretFlags
}

func newExportCommand(a *app) *cobra.Command {
	var o exportOrder
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the archive that makes another node of this connector",
		Long: `It holds config.json, lib/profileMapper.js, certs/cert.pem and certs/cert.key.
Whoever can read them can be this connector, so the archive is encrypted with a
passphrase, in the format of age. It is asked for on a terminal, or read from
--passphrase-file. --plain leaves that out, for the existing connector, which can
import such an archive; keep it as you would keep the private key.

Nothing is written unless all of it is good: the configuration parses, key and
certificate belong together, the sealed password opens, the mapper compiles.`,
		Example: `  connector export --file node.age
  connector export --passphrase-file passphrase.txt --file node.age
  connector export --plain --file node.zip`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(oneOf(cmd, "encrypt", "plain"), oneOf(cmd, "plain", "passphrase-file")); err != nil {
				return err
			}
			return a.export(o)
		},
	}
	cmd.Flags().StringVarP(&o.file, "file", "f", "", "`file` to write, - for standard output (default connector_export_<time>)")
	cmd.Flags().BoolVar(&o.encrypt, "encrypt", false, "encrypt it with a passphrase, as it is by default")
	cmd.Flags().BoolVar(&o.plain, "plain", false, "write the private key unencrypted")
	cmd.Flags().BoolVar(&o.force, "force", false, "write over an existing file")
	o.passphrase.addFile(cmd.Flags(), "passphrase", "the passphrase")
	return cmd
}

func (a *app) export(o exportOrder) error {
	switch {
	case o.file == "-" && isTerminal(a.stdout):
		return &hinted{usagef("an archive is nothing for a terminal"), "name a file, or lead standard output into one"}
	case !o.plain && !o.passphrase.given() && !a.interactive():
		return &hinted{usagef("there is no terminal to ask for the passphrase"),
			"give --passphrase-file, or --plain to write the private key unencrypted"}
	}
	h, c, err := a.loadConfig()
	if err != nil {
		return err
	}
	data, err := a.archiveOf(h, c)
	if err != nil {
		return err
	}
	if !o.plain {
		passphrase, err := a.newPassphrase(&o.passphrase)
		if err != nil {
			return err
		}
		if data, err = home.Encrypt(data, passphrase); err != nil {
			return err
		}
	}
	if o.file == "-" {
		_, err := a.stdout.Write(data)
		return err
	}
	if o.file == "" {
		o.file = archiveName(o.plain)
	}
	if err := writeNew(o.file, data, o.force); err != nil {
		return err
	}
	if o.plain {
		for _, why := range strangeToNode(c) {
			a.say("warning: where the archive is for a Node connector: %s", why)
		}
	}
	if a.json() {
		return a.print(map[string]any{"file": o.file, "bytes": len(data), "connection": c.Tenant.Connection, "encrypted": !o.plain})
	}
	if o.plain {
		a.say("wrote %s: it holds the private key unencrypted", o.file)
		return nil
	}
	a.say("wrote %s: it opens with the passphrase alone; on the next node: connector install --import FILE", o.file)
	return nil
}

// archiveName is what an archive of this moment is called.
func archiveName(plain bool) string {
	name := "connector_export_" + time.Now().UTC().Format("20060102-150405") + ".zip"
	if !plain {
		name += ".age"
	}
	return name
}

// archiveOf returns the plain archive of a home, once what is in it is known to
// work.
func (a *app) archiveOf(h *home.Home, c config.Config) ([]byte, error) {
	from := home.Origin{Version: thisBuild().Version}
	var i instance
	if err := h.LoadState("instance", &i); err == nil { // one that has never run has none, and gets none here
		from.Instance = i.ID
	}
	var archive bytes.Buffer
	if err := h.Export(&archive, c, from); err != nil {
		return nil, err
	}
	made, err := home.ReadArchive(bytes.NewReader(archive.Bytes()), int64(archive.Len()))
	if err != nil {
		return nil, fmt.Errorf("export %s: %w", h.Dir(), err)
	}
	if err := a.compile(made); err != nil {
		return nil, fmt.Errorf("export %s: %w", h.Dir(), err)
	}
	return archive.Bytes(), nil
}

// compile tries whether an archive's mapper can be used.
func (a *app) compile(archive *home.Archive) error {
	script, name := archive.Mapper, "lib/profileMapper.js"
	if source := archive.Config.Mapper.Source; source != "" {
		script, name = source, "PROFILE_MAPPER"
	}
	m, err := newMapper(script, name, archive.Config, a.log())
	if err != nil {
		return err
	}
	return m.Close()
}

// shortPassphrase is what somebody with the file can guess.
const shortPassphrase = 12

// newPassphrase reads a passphrase, or has it typed twice.
func (a *app) newPassphrase(s *secretFlags) (string, error) {
	read := a.typedTwice
	if s.given() {
		read = func() (string, error) { return a.readLine(s) }
	}
	text, err := read()
	if err == nil && len(text) < shortPassphrase {
		a.say("warning: a passphrase of %d characters can be guessed by whoever has the file; several words cannot", len([]rune(text)))
	}
	return text, err
}

func (a *app) typedTwice() (string, error) {
	for try := 1; ; try++ {
		first, err := a.ask().password("Passphrase")
		if err != nil {
			return "", err
		}
		second, err := a.ask().password("Passphrase again")
		if err != nil {
			return "", err
		}
		if first == second && first != "" {
			return first, nil
		}
		problem := errors.New("the two are not the same")
		if first == "" {
			problem = errors.New("the passphrase is empty")
		}
		if try == maxTries {
			return "", problem
		}
		a.say("%v", problem)
	}
}

// opened returns the plain archive in data. A passphrase that was typed may be
// typed again.
func (a *app) opened(ctx context.Context, data []byte, s *secretFlags, ask bool) ([]byte, error) {
	if !home.IsEncrypted(data) {
		if s.given() {
			a.say("the archive is not encrypted; the passphrase was not needed")
		}
		return data, nil
	}
	if !s.given() && !ask {
		return nil, &hinted{usagef("the archive is encrypted, and there is no terminal to ask for the passphrase"), "give --passphrase-file"}
	}
	if s.given() {
		passphrase, err := a.readLine(s)
		if err != nil {
			return nil, err
		}
		return home.Decrypt(data, passphrase)
	}
	for try := 1; ; try++ {
		passphrase, err := a.ask().password("Passphrase of the archive")
		if err != nil {
			return nil, err
		}
		plain, err := home.Decrypt(data, strings.Trim(passphrase, "\r\n"))
		if !errors.Is(err, home.ErrPassphrase) && passphrase != "" || try == maxTries || ctx.Err() != nil {
			return plain, err
		}
		a.say("%v", err)
	}
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
