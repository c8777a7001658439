package main

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"time"

	"ad-ldap-connector/pkg/console"
	"ad-ldap-connector/pkg/home"
)

// transfer is what the page Import / Export does.
func (p *consolePages) transfer() *console.Transfer {
	t := &console.Transfer{
		Open: p.openArchive,
		Undo: func(ctx context.Context, replace bool) (string, error) {
			last, err := p.home.LastImport()
			if err != nil {
				return "", err
			}
			if last.Renewed && !replace {
				return "", errRenewed(p.home)
			}
			if _, err := p.home.UndoImport(last); err != nil {
				return "", err
			}
			return p.takeUp(ctx), nil
		},
		Last: p.lastImport,
	}
	if p.node != nil {
		t.Export = p.exportArchive
	}
	return t
}

func (p *consolePages) exportArchive(passphrase string) (string, []byte, error) {
	c, err := p.home.Config()
	if err != nil {
		return "", nil, err
	}
	data, err := p.archiveOf(p.home, c)
	if err == nil && passphrase != "" {
		data, err = home.Encrypt(data, passphrase)
	}
	return archiveName(passphrase == ""), data, err
}

// openArchive does as "connector import --dry-run".
func (p *consolePages) openArchive(data []byte, passphrase string) (*console.Arrival, error) {
	if _, err := p.importHome(); err != nil { // the environment may have the configuration
		return nil, err
	}
	if home.IsEncrypted(data) {
		if passphrase == "" {
			return nil, &hinted{console.ErrPassphrase, "the archive is encrypted: type its passphrase"}
		}
		plain, err := home.Decrypt(data, passphrase)
		if errors.Is(err, home.ErrPassphrase) {
			return nil, console.ErrPassphrase
		}
		if err != nil {
			return nil, err
		}
		data = plain
	}
	archive, err := home.ReadArchive(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, &hinted{err, "upload a valid zip file, as an export makes it"}
	}
	out := &console.Arrival{Connection: archive.Config.Tenant.Connection, Notes: p.adapt(archive, p.home)}
	if err := p.foreign(p.home, archive, false); err != nil {
		out.Foreign = visible(err.Error())
	}
	for _, c := range p.importChanges(p.home, archive) {
		out.Changes = append(out.Changes, console.SettingChange{Key: c.Key, Here: visible(c.Here), There: visible(c.There)})
	}
	out.Prove = func(ctx context.Context, ask bool) error { return p.proveArchive(ctx, p.home, archive, !ask) }
	out.Replace = func(ctx context.Context) (backup, refused string, err error) {
		if backup, err = p.home.Replace(archive); err != nil {
			return "", "", err
		}
		return backup, p.takeUp(ctx), nil
	}
	return out, nil
}

func (p *consolePages) lastImport() (*console.LastImport, error) {
	last, err := p.home.LastImport()
	if errors.Is(err, home.ErrNoImport) {
		return nil, nil //nolint:nilnil // there is none
	}
	if err != nil {
		return nil, err
	}
	out := &console.LastImport{Connection: visible(last.Connection), Backup: last.Backup, Renewed: last.Renewed}
	name := filepath.Base(last.Backup)
	if at, err := time.Parse("20060102-150405", name[:min(len(name), len("20060102-150405"))]); err == nil {
		out.When = at
	}
	return out, nil
}
