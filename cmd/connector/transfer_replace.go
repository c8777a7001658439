package main

import (
	"context"
	"errors"
	"fmt"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/home"
)

// archiveTransport is the transport of a home as an archive would make it. What
// comes with the archive does not lie in the home yet.
func archiveTransport(h *home.Home, c config.Config, authorities []byte, environ []string) (*transport, error) {
	if authorities == nil {
		return homeTransport(h, c.Network, environ)
	}
	n := c.Network
	if n.CAPath == h.Path("ca") {
		n.CAPath = ""
	}
	t, err := newTransport(n, environ, authorities)
	if err == nil {
		t.dir = h.Dir()
	}
	return t, err
}

// foreign refuses an archive of another connection than the one the home serves.
func (a *app) foreign(h *home.Home, archive *home.Archive, replace bool) error {
	c, err := h.Config()
	if err != nil || replace {
		return nil //nolint:nilerr // a broken configuration is what an import may be for
	}
	here, there := c.Tenant, archive.Config.Tenant
	if here.Connection == "" || here.Connection == there.Connection && (here.Realm == there.Realm || here.Realm == "" || there.Realm == "") {
		return nil
	}
	return &hinted{usagef("%s serves the connection %s, the archive is of %s", h.Dir(), connectionOf(here), connectionOf(there)),
		"one connector serves one connection; add --replace to replace this one, or choose another folder with --home"}
}

func connectionOf(t config.Tenant) string {
	name := t.Connection
	if name == "" {
		name = "none"
	}
	if t.Realm != "" {
		name += " of " + t.Realm
	}
	return visible(name)
}

// importChanges lists what an archive would change. A home that cannot be read
// is one with nothing in it.
func (a *app) importChanges(h *home.Home, archive *home.Archive) []change {
	here := nodeSettings{}
	if c, err := h.Config(); err == nil {
		own, err := h.Keys(c)
		if err != nil {
			own = nil
		}
		script, _, err := h.Mapper(c)
		if err != nil {
			script = ""
		}
		here = describe(c, own, archive.Pair, script)
	}
	there, err := archive.Config.WithEnv(a.environ) // which both have above the file
	if err != nil {
		there = archive.Config
	}
	return here.changes(describe(there, archive.Pair, archive.Pair, archive.Mapper))
}

// agreeToReplace asks before a configured home is replaced.
func (a *app) agreeToReplace(h *home.Home, archive *home.Archive) error {
	c, err := h.Config()
	if err != nil || c.Tenant.Connection == "" || a.yes {
		return nil //nolint:nilerr // a broken configuration is what an import may be for; it is kept in the backup
	}
	return a.agree(fmt.Sprintf("%s serves the connection %s; replace it by %s?", h.Dir(), c.Tenant.Connection, archive.Config.Tenant.Connection))
}

func (a *app) agree(question string) error {
	if a.yes {
		return nil
	}
	if !a.interactive() {
		return &hinted{usagef("%s", question), "add --yes to agree"}
	}
	yes, err := a.ask().confirm(question, false)
	if err == nil && !yes {
		return errors.New("nothing was changed")
	}
	return err
}

// undoImport puts back what the last import has replaced.
func (a *app) undoImport(ctx context.Context, o importOrder) error {
	h, err := a.importHome()
	if err != nil {
		return err
	}
	last, err := h.LastImport()
	if errors.Is(err, home.ErrNoImport) {
		return &hinted{err, "former files of a home, should there be any, are below " + h.Path("backups")}
	}
	if err != nil {
		return err
	}
	if last.Renewed && !o.replace {
		return errRenewed(h)
	}
	result := importResult{Result: "checked", Home: h.Dir(), Connection: last.Connection, Notes: []string{}, Changes: []change{}}
	if o.dryRun {
		a.say("would put back what is in %s", last.Backup)
		return a.tellImport(result)
	}
	if err := a.agree(fmt.Sprintf("Put back what is in %s, of the connection %s?", last.Backup, visible(last.Connection))); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if result.Backup, err = h.UndoImport(last); err != nil {
		return err
	}
	result.Result = "undone"
	return a.takeUpImport(ctx, h, result, o)
}

// errRenewed is why an import is not undone without being asked to twice.
func errRenewed(h *home.Home) error {
	return &hinted{fmt.Errorf("undo the last import into %s: the key pair has been exchanged since", h.Dir()),
		"the tenant may not know the former pair any more; add --replace to put it back nevertheless"}
}
