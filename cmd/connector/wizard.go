package main

import (
	"context"
	"net"
	"strings"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/home"
)

// A wizard completes the directory's settings: a flag wins, then what the home
// holds, then what the directory itself says, then a question. Without a
// terminal it names all that is missing at once.
type wizard struct {
	*app
	answers   *installAnswers
	transport *transport
	home      *home.Home
	config    *config.Config
	missing   []string
}

func (w *wizard) complete(ctx context.Context) error {
	steps := []func(context.Context) error{w.url, w.account, w.base, w.preset}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if len(w.missing) > 0 {
		return usagef("still needed: %s", strings.Join(w.missing, ", "))
	}
	return nil
}

func (w *wizard) url(ctx context.Context) error {
	d := &w.config.Directory
	if w.answers.url != "" {
		if err := w.config.Set("LDAP_URL", w.answers.url); err != nil {
			return &usageError{err}
		}
		return nil
	}
	if len(d.URLs) > 0 {
		return nil
	}
	if !w.asks(w.answers) {
		w.missing = append(w.missing, "--ldap-url")
		return nil
	}
	answer, err := w.ask().input("Directory URL", w.discovered(ctx), "ldaps://dc1.corp.example, or ldap://host:389")
	if err != nil {
		return err
	}
	return w.config.Set("LDAP_URL", answer)
}

// discovered asks DNS for the domain controllers of this host's domain.
func (w *wizard) discovered(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	for _, domain := range hostDomains() {
		if found, err := directory.Discover(ctx, net.DefaultResolver, domain); err == nil && len(found) > 0 {
			return found[0].URL
		}
	}
	return ""
}

// look reads what the directory says of itself, to anybody or to the service
// account. A directory that says nothing gives no defaults; whether it works is
// checked by the plan.
func (w *wizard) look(ctx context.Context) directory.Server {
	if len(w.config.Directory.URLs) == 0 {
		return directory.Server{}
	}
	o, err := directoryOptions(*w.config, string(w.config.Directory.BindPassword), w.transport, w.log(), nil)
	if err != nil {
		return directory.Server{} // a filter that does not parse is named when the plan validates
	}
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	s, err := directory.Look(ctx, o)
	if err != nil {
		w.log().Debug("look at the directory", "err", err)
	}
	return s
}

func (w *wizard) base(ctx context.Context) error {
	d := &w.config.Directory
	if w.answers.base != "" {
		d.BaseDN = w.answers.base
	}
	if d.BaseDN != "" {
		return nil
	}
	found := w.look(ctx).BaseDN
	if !w.asks(w.answers) {
		if d.BaseDN = found; found == "" {
			w.missing = append(w.missing, "--ldap-base (the directory did not say)")
		}
		return nil
	}
	answer, err := w.ask().input("Base DN of the users", found, "DC=corp,DC=example")
	d.BaseDN = answer
	return err
}

func (w *wizard) account(ctx context.Context) error {
	d := &w.config.Directory
	if w.answers.anonymous {
		d.BindMethod = string(directory.Simple) // nobody, which has no other method
		d.BindUser, d.BindPassword, d.BindCredentials, d.Anonymous = "", "", "", true
		return nil
	}
	if w.answers.user != "" {
		d.BindUser = w.answers.user
	}
	byName := d.BindMethod == string(directory.Simple) || d.Keytab != "" // else a certificate or a ticket says who it is
	if byName && d.BindUser == "" && !w.asks(w.answers) {
		w.missing = append(w.missing, "--ldap-bind-user (or --anonymous)")
		return nil
	}
	if byName && d.BindUser == "" {
		answer, err := w.ask().input("Service account", "", "a DN, user@corp.example or CORP\\user that may read users and groups")
		if err != nil {
			return err
		}
		d.BindUser = answer
	}
	if d.BindMethod != string(directory.Simple) {
		return nil
	}
	if w.answers.password.given() {
		text, err := w.answers.password.read(w.input())
		d.BindPassword = config.Secret(text)
		return err
	}
	if d.BindPassword != "" {
		return nil
	}
	if d.BindCredentials != "" && openableHome(w.home, *w.config) {
		text, err := bindPassword(w.home, *w.config)
		d.BindPassword = config.Secret(text)
		return err
	}
	if !w.asks(w.answers) {
		w.missing = append(w.missing, "--ldap-bind-password-file or --ldap-bind-password-stdin")
		return nil
	}
	text, err := w.ask().password("Password of " + d.BindUser)
	d.BindPassword = config.Secret(text)
	return err
}

// preset sets the filters that suit the kind of directory, where the operator
// has none of their own.
func (w *wizard) preset(ctx context.Context) error {
	name := w.answers.preset
	if name == "" {
		name = w.look(ctx).Preset
	}
	if name == "" {
		w.say("directory: its kind was not recognised; what you have not set is as for Active Directory (--preset says otherwise)")
		return nil
	}
	if err := w.config.ApplyPreset(name); err != nil {
		return &usageError{err}
	}
	w.say("directory: settings for %s", name)
	return nil
}
