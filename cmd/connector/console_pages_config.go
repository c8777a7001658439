package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/console"
	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/doctor"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/keys"
	"ad-ldap-connector/pkg/tenant"
)

var errNoWaivers = fs.ErrNotExist

// configuration is what the page Configuration does.
func (p *consolePages) configuration() *console.Configuration {
	return &console.Configuration{
		Read: p.readConfig, Check: p.checkConfig, Save: p.saveConfig, Discover: p.discover, Presets: config.Presets(),
	}
}

// readConfig reads the file and what stands above it, and says of the password
// when it is not for this account to change.
func (p *consolePages) readConfig() (console.Reading, error) {
	text, err := p.home.ConfigText()
	if err != nil {
		return console.Reading{}, err
	}
	c, err := p.home.Config()
	if err != nil {
		return console.Reading{}, err
	}
	r := console.Reading{Config: c, Text: text, Elsewhere: map[string]string{}}
	if store := c.Agent.Secrets; store != config.InFile {
		if err := p.mayStore(context.Background(), p.home, store); err != nil {
			r.Elsewhere[bindPasswordKey] = fmt.Sprintf("It is kept in the store %s, which the account of this connector cannot change. As an administrator: connector config secret set %s", store, bindPasswordKey)
		}
	}
	return r, nil
}

func (p *consolePages) checkConfig(ctx context.Context, c config.Config, only []string, seen func(doctor.Entry)) (bool, error) {
	checks, err := doctor.Select(doctor.Checks, only, nil)
	if err != nil {
		return false, err
	}
	way, err := homeTransport(p.home, c.Network, p.environ)
	if err != nil {
		return true, err
	}
	t := candidateTarget(p.home, c, way)
	t.ticket, _ = tenant.ParseTicket(string(c.Tenant.Ticket)) // config.valid says what is wrong with it
	if t.tenant = t.ticket.Host(); t.tenant == "" {
		t.tenant = hostOf(c.Tenant.Hub)
	}
	return p.examine(ctx, t, checks, seen), nil
}

// saveConfig writes a candidate as the commands "config set" and "config secret
// set" do, in one write, and has the running connector take it up.
func (p *consolePages) saveConfig(ctx context.Context, c config.Config, from console.Reading) (refused string, err error) {
	if c.EnvOnly() {
		return "", errEnvOnly
	}
	var pair *keys.Pair // what is sealed is sealed with
	password := string(c.Directory.BindPassword)
	typed := password != "" && !c.FromEnv(bindPasswordKey)
	switch {
	case typed && c.Agent.Secrets != config.InFile:
		if err := p.mayStore(ctx, p.home, c.Agent.Secrets); err != nil {
			return "", err
		}
		if _, err = p.keepPassword(ctx, p.home, c, c.Agent.Secrets, password); err != nil {
			return "", err
		}
		return p.takeUp(ctx), nil
	case typed:
		pair, err = p.home.Keys(c)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if err == nil {
			sealed, err := pair.Seal(password)
			if err != nil {
				return "", err
			}
			c.Directory.BindPassword, c.Directory.BindCredentials = "", config.Secret(sealed)
		}
	}
	err = p.home.SaveConfigOver(c, pair, from.Text)
	if errors.Is(err, home.ErrOtherConfig) {
		return "", console.ErrChanged
	}
	if err != nil {
		return "", err
	}
	return p.takeUp(ctx), nil
}

// discover asks DNS for the servers and the directory for its base DN and kind,
// as an install does.
func (p *consolePages) discover(ctx context.Context, c config.Config) (console.Discovery, error) {
	way, err := homeTransport(p.home, c.Network, p.environ)
	if err != nil {
		return console.Discovery{}, err
	}
	w := wizard{app: p.app, answers: &installAnswers{}, home: p.home, config: &c, transport: way}
	w.connection.Domains = c.Tenant.Issuer
	return w.find(ctx)
}

// find is what the wizard would offer: servers, where none are named, and what
// they say of themselves.
func (w *wizard) find(ctx context.Context) (console.Discovery, error) {
	var found console.Discovery
	if len(w.config.Directory.URLs) == 0 {
		found.URL = w.discovered(ctx)
		if found.URL == "" {
			return found, nil
		}
		if err := w.config.Set("LDAP_URL", found.URL); err != nil {
			return found, err
		}
	}
	o, err := w.options()
	if err != nil {
		return found, err
	}
	look, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	i := directory.Inspect(o)
	defer func() { _ = i.Close() }() // nothing was left to send
	if sites, err := i.Servers(look); err == nil {
		for _, s := range sites {
			found.Servers = append(found.Servers, s.URL)
		}
	}
	said := w.look(ctx)
	found.BaseDN, found.Preset = said.BaseDN, said.Preset
	return found, nil
}
