package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/home"
)

// checkImport refuses flags that say otherwise than an archive does.
func (o *installAnswers) checkImport(cmd *cobra.Command) error {
	if o.archive == "" {
		if o.passphrase.given() {
			return usagef("--passphrase-file is for --import")
		}
		return nil
	}
	var faults []error
	for _, name := range []string{"ticket", "ticket-file", "ticket-stdin", "anonymous", "ldap-bind-user", "ldap-bind-method", "preset"} {
		faults = append(faults, oneOf(cmd, "import", name))
	}
	return errors.Join(faults...)
}

// importedNode returns the archive that h is to be a node of, suited to this
// machine and with its password in clear; nil when none is asked for, or h is one
// already.
func (a *app) importedNode(ctx context.Context, h *home.Home, o *installAnswers) (*home.Archive, error) {
	if o.archive == "" {
		return nil, nil
	}
	if o.found != nil {
		return nil, &hinted{usagef("%s holds the Node connector", h.Dir()),
			"without --import its files are taken over as they are; with it, choose another folder by --home"}
	}
	node, err := a.readArchive(ctx, o.archive, &o.passphrase, a.asks(o))
	if err != nil {
		return nil, err
	}
	if err := a.foreign(h, node, o.replace); err != nil {
		return nil, err
	}
	if isNode(h, node) {
		a.say("%s is a node of this connector already, and keeps its configuration; \"connector import\" brings it in line", h.Dir())
		return nil, nil
	}
	for _, note := range a.adapt(node, h) {
		a.say("%s", note)
	}
	if err := a.compile(node); err != nil {
		return nil, err
	}
	if node.CA != nil && node.Config.Network.CAPath == h.Path("ca") {
		node.Config.Network.CAPath = "" // until it lies there
	}
	if node.Config, err = node.Config.WithEnv(a.environ); err != nil {
		return nil, fmt.Errorf("read the environment: %w", err)
	}
	d := &node.Config.Directory
	if d.BindMethod == string(directory.Simple) && d.BindPassword == "" && d.BindCredentials != "" {
		password, err := node.Pair.Open(string(d.BindCredentials))
		if err != nil {
			return nil, fmt.Errorf("open LDAP_BIND_CREDENTIALS: %w", err)
		}
		d.BindPassword = config.Secret(password)
	}
	return node, nil
}

// isNode reports whether a home has the key pair of an archive and serves its
// connection, with all that it needs.
func isNode(h *home.Home, node *home.Archive) bool {
	c, err := h.Config()
	if err != nil || c.Tenant.Connection == "" || c.Tenant.Connection != node.Config.Tenant.Connection {
		return false
	}
	pair, err := h.Keys(c)
	if err != nil {
		return false
	}
	_, have := pair.PEM()
	_, want := node.Pair.PEM()
	_, err = h.BindPassword(c)
	return err == nil && bytes.Equal(have, want)
}
