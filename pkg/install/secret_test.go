package install

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/home"
)

// here is a store that this machine has.
func here(t *testing.T) string {
	t.Helper()
	for _, store := range []string{config.InDPAPI, config.InSystemd} {
		if home.CheckStore(store) == nil && (store == config.InDPAPI || os.Geteuid() == 0) {
			// The key of credentials is the test's own, and not the host's.
			t.Setenv("SYSTEMD_CREDENTIAL_SECRET", filepath.Join(t.TempDir(), "key"))
			return store
		}
	}
	t.Skip("it takes Windows, or root and systemd 247 or later")
	return ""
}

func (w *world) password(t *testing.T) string {
	t.Helper()
	h := w.home(t)
	c, err := h.Config()
	if err != nil {
		t.Fatal(err)
	}
	password, err := h.BindPassword(c)
	if err != nil {
		t.Fatal(err)
	}
	return password
}

// An install puts the password into a store, and not into the configuration;
// another password takes its place, and another install takes it back.
func TestInstallIntoAStore(t *testing.T) {
	store := here(t)
	w := newWorld(t)
	stored := func(password string) Options {
		o := w.options(t)
		o.Config.Agent.Secrets, o.Config.Directory.BindPassword = store, config.Secret(password)
		return o
	}
	if !w.install(t, stored(bindPassword)) {
		t.Fatal("nothing was changed")
	}
	if text := w.files(t)["config.json"]; strings.Contains(text, "LDAP_BIND_PASSWORD") || strings.Contains(text, "LDAP_BIND_CREDENTIALS") || !strings.Contains(text, store) {
		t.Errorf("config.json: %s", text)
	}
	if got := w.password(t); got != bindPassword {
		t.Errorf("the store has %q", got)
	}
	before := w.files(t)
	if w.install(t, stored(bindPassword)) {
		t.Error("a second run changes something")
	}
	failing := stored("another-password")
	ctx, cancel := context.WithCancel(t.Context())
	_, err := New(failing).Apply(ctx, func(e Event) {
		if e.Step.Name == "keep-password" && e.What == Did {
			cancel()
		}
	})
	if err == nil || w.password(t) != bindPassword || w.files(t)["config.json"] != before["config.json"] {
		t.Errorf("undone, the store has %q: %v", w.password(t), err)
	}
	if !w.install(t, stored("another-password")) || w.password(t) != "another-password" {
		t.Errorf("the store has %q", w.password(t))
	}

	o := w.options(t)
	o.Config.Agent.Secrets = config.InFile
	w.install(t, o)
	if got := w.password(t); got != bindPassword {
		t.Errorf("back in the file is %q", got)
	}
	for name := range w.files(t) {
		if strings.HasPrefix(name, "secrets") {
			t.Errorf("%s is left", name)
		}
	}
}

// An install that fails leaves nothing in a store either.
func TestACancelledInstallLeavesNoSecret(t *testing.T) {
	store := here(t)
	w := newWorld(t)
	o := w.options(t)
	o.Config.Agent.Secrets = store
	ctx, cancel := context.WithCancel(t.Context())
	_, err := New(o).Apply(ctx, func(e Event) {
		if e.Step.Name == "write-config" && e.What == Did {
			cancel()
		}
	})
	if _, there := os.Lstat(w.dir); err == nil || !os.IsNotExist(there) {
		t.Errorf("%v; the home: %v: %v", err, there, w.files(t))
	}
}

// A password of the environment is not put into a file that is to have none.
func TestAPasswordOfTheEnvironmentStaysThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.options(t)
	w.install(t, o)
	p := w.provisioner(t, "LDAP_BIND_PASSWORD=of-the-environment", "SECRETS=systemd")
	before := w.files(t)["config.json"]
	if _, err := p.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if now := w.files(t)["config.json"]; now != before {
		t.Errorf("%s became %s", before, now)
	}
}
