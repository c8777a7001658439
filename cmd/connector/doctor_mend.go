package main

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"ad-ldap-connector/pkg/doctor"
	"ad-ldap-connector/pkg/install"
)

// sha256Text is a thumbprint as people copy it.
var sha256Text = regexp.MustCompile(`^(?:[0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$`)

// sameFingerprint compares two of them.
func sameFingerprint(a, b string) bool {
	return strings.EqualFold(strings.ReplaceAll(a, ":", ""), strings.ReplaceAll(b, ":", ""))
}

// mend does the fixes of a report, each after asking. Who cannot be asked must
// have said --yes; to what is pinned, --yes is no answer.
func (a *app) mend(ctx context.Context, env *doctor.Env, r doctor.Report, pins []string) ([]doctor.Mended, error) {
	return doctor.Mend(ctx, env, r, func(c doctor.Check, p doctor.Planned) (bool, error) {
		question := fmt.Sprintf("%s: %s?", c.ID, p.Says)
		named := slices.ContainsFunc(pins, func(pin string) bool { return sameFingerprint(pin, p.Pin) })
		switch {
		case p.Pin != "" && named, p.Pin == "" && a.yes:
			return true, nil
		case p.Pin != "" && len(pins) > 0:
			return false, doctor.Refused("it is another one than --trust-ca names")
		case p.Pin != "" && !a.interactive():
			return false, doctor.Refused("nobody can be asked; compare the thumbprint with that of whoever runs the CA, and add --trust-ca " + p.Pin)
		case !a.interactive():
			return false, &hinted{usagef("%s", question), "add --yes to agree"}
		}
		return a.ask().confirm(question, false)
	})
}

// trust keeps the certificate of an authority in the home's own folder of them,
// as an install does with --ca-file, and has SSL_CA_PATH name that.
func (t *target) trust(c *x509.Certificate) error {
	n, dir := t.config.Network, t.home.Path("ca")
	switch source := t.config.Source("SSL_CA_PATH"); {
	case n.CAPath == "", filepath.Clean(n.CAPath) == dir:
	case source == "environment":
		return fmt.Errorf("SSL_CA_PATH is %s by the environment: put the CA's certificate there", n.CAPath)
	default:
		return fmt.Errorf("SSL_CA_PATH is %s: put the CA's certificate there", n.CAPath)
	}
	sum := sha256.Sum256(c.Raw)
	name := "trusted-" + hex.EncodeToString(sum[:8]) + ".pem"
	if err := t.home.SaveCA(name, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})); err != nil {
		return fmt.Errorf("keep the CA's certificate: %w", err)
	}
	err := t.trusting(dir, t.home.Path("ca", name))
	if err != nil {
		err = errors.Join(err, t.home.RemoveCA(name))
	}
	return err
}

// trusting makes sure that the file is read from now on.
func (t *target) trusting(dir, file string) error {
	files, err := caFiles(dir, t.config.Network.CAFile)
	if err == nil && !slices.Contains(files, file) {
		err = fmt.Errorf("its name, %s, does not match SSL_CA_FILE, %s", filepath.Base(file), t.config.Network.CAFile)
	}
	if err != nil || t.config.Network.CAPath != "" {
		return err
	}
	c, err := t.home.Config()
	if err != nil {
		return err
	}
	c.Network.CAPath = dir
	return t.home.SaveConfig(c)
}

// wallEnv is what there is to ask of this machine's firewall.
func (t *target) wallEnv(env *doctor.Host, name string) {
	rule := install.Rule{Name: name, Port: t.config.SignIn.Port, Program: t.program()}
	env.Firewall = func(ctx context.Context) (doctor.Firewall, error) {
		f, err := install.SystemFirewall(ctx)
		switch {
		case err != nil:
			return doctor.Firewall{}, err
		case f == nil:
			return doctor.Firewall{Note: install.BareRules(ctx, rule.Port)}, nil
		}
		open, err := f.Allowed(ctx, rule)
		return doctor.Firewall{Name: f.Name(), Open: open, Rule: rule.Name}, err
	}
	env.OpenPort = func(ctx context.Context) error {
		f, err := install.SystemFirewall(ctx)
		switch {
		case err != nil:
			return err
		case f == nil:
			return errors.New("no firewall is active any more")
		}
		return f.Allow(ctx, rule)
	}
}

// program is the one that the service runs: the home's, or this one where the
// home has none.
func (t *target) program() string {
	own, _ := os.Executable()
	if t.home == nil {
		return own
	}
	name := "connector"
	if strings.EqualFold(filepath.Ext(own), ".exe") {
		name += ".exe"
	}
	if inHome := t.home.Path("bin", name); isFile(inHome) {
		return inHome
	}
	return own
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}
