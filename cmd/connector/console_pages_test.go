package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/console"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/profile"
)

// atConsole are the pages of a home in which nothing runs, and what was taken up.
func atConsole(t *testing.T, h *home.Home, taken *int) *consolePages {
	t.Helper()
	n := &node{home: h, environ: nil, saving: sync.Mutex{}}
	p := &consolePages{app: n.commands(new(strings.Builder)), home: h, saving: &n.saving, node: n}
	p.takeUp = func(context.Context) string { *taken++; return "" }
	return p
}

// TestConsoleSaves: over what was read alone, a password sealed, and a secret in
// no file in the clear.
func TestConsoleSaves(t *testing.T) {
	t.Parallel()
	h, taken := transferHome(t, filepath.Join(t.TempDir(), "home"), "corp-ad"), 0
	p := atConsole(t, h, &taken)
	first, err := p.readConfig()
	if err != nil {
		t.Fatal(err)
	}
	c := first.Config
	for key, text := range map[string]string{"LDAP_BASE": "DC=new", bindPasswordKey: "planted-typed"} {
		if err := c.Set(key, text); err != nil {
			t.Fatal(err)
		}
	}
	if refused, err := p.saveConfig(t.Context(), c, first); err != nil || refused != "" || taken != 1 {
		t.Fatalf("refused %q, %v, taken up %d times", refused, err, taken)
	}
	text, err := os.ReadFile(h.Path("config.json"))
	if err != nil || strings.Contains(string(text), "planted-typed") {
		t.Errorf("the password is in the file, %v", err)
	}
	now, err := h.Config()
	if err != nil || now.Directory.BaseDN != "DC=new" {
		t.Errorf("the base is %q, %v", now.Directory.BaseDN, err)
	}
	if got, err := h.BindPassword(now); err != nil || got != "planted-typed" {
		t.Errorf("the password does not open, %v", err)
	}
	// The first reading is out of date.
	if _, err := p.saveConfig(t.Context(), c, first); !errors.Is(err, console.ErrChanged) {
		t.Errorf("over another: %v", err)
	}
	// A store that only root can write is named, with the command.
	second, err := p.readConfig()
	if err != nil {
		t.Fatal(err)
	}
	c = second.Config
	c.Agent.Secrets = config.InSystemd
	if err := c.Set(bindPasswordKey, "another"); err != nil {
		t.Fatal(err)
	}
	if _, err := p.saveConfig(t.Context(), c, second); err == nil && os.Geteuid() != 0 {
		t.Error("a password was kept in a store that is not ours to write")
	}
}

// TestConsoleMapper keeps what it replaces, as many as there is room for.
func TestConsoleMapper(t *testing.T) {
	t.Parallel()
	h, taken := transferHome(t, filepath.Join(t.TempDir(), "home"), "corp-ad"), 0
	m := atConsole(t, h, &taken).mapper()
	script, err := m.Read()
	if err != nil || script.Fixed != "" || script.Memory == 0 {
		t.Fatalf("%+v, %v", script.Name, err)
	}
	for _, wrong := range []string{"", "  \n"} {
		if _, err := m.Save(t.Context(), wrong, script.Text); err == nil {
			t.Errorf("%q was saved", wrong)
		}
	}
	next := profile.Default + "\n\n" // which no process has to run: that it may is the browser's test
	if _, err := m.Save(t.Context(), next, "what nobody has written"); !errors.Is(err, console.ErrChanged) {
		t.Errorf("over another: %v", err)
	}
	if _, err := m.Save(t.Context(), next, script.Text); err != nil || taken != 1 {
		t.Fatalf("%v, taken up %d times", err, taken)
	}
	list, err := m.History()
	if err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	if text, err := m.Former(list[0].ID); err != nil || text != script.Text {
		t.Errorf("the former script is another, %v", err)
	}
	if _, err := m.Former("nothing"); err == nil {
		t.Error("a script that there never was")
	}
	var many []formerMapper
	for range 3 * mostFormer {
		many = append(many, formerMapper{Script: "x"})
	}
	if got := bounded(slices.Clone(many)); len(got) != mostFormer {
		t.Errorf("%d are kept", len(got))
	}
	many[1].Script = strings.Repeat("x", formerOctets)
	if got := bounded(many); len(got) != 1 {
		t.Errorf("%d are kept where one is large", len(got))
	}
}

// TestConsoleTransfer makes an archive and takes one in, and takes that back.
func TestConsoleTransfer(t *testing.T) {
	t.Parallel()
	dir, taken := t.TempDir(), 0
	h := transferHome(t, filepath.Join(dir, "home"), "corp-ad")
	other := atConsole(t, transferHome(t, filepath.Join(dir, "other"), "other-ad", "LDAP_BASE=DC=other"), new(int)).transfer()
	name, data, err := other.Export("several good words")
	if err != nil || !strings.HasSuffix(name, ".zip.age") {
		t.Fatalf("%s, %v", name, err)
	}
	tr := atConsole(t, h, &taken).transfer()
	for _, passphrase := range []string{"", "other words"} {
		if _, err := tr.Open(data, passphrase); !errors.Is(err, console.ErrPassphrase) {
			t.Errorf("opened with %q: %v", passphrase, err)
		}
	}
	if _, err := tr.Open([]byte("PK no archive"), ""); err == nil {
		t.Error("opened what is none")
	}
	a, err := tr.Open(data, "several good words")
	if err != nil || a.Foreign == "" || !slices.ContainsFunc(a.Changes, func(c console.SettingChange) bool { return c.Key == "LDAP_BASE" }) {
		t.Fatalf("%+v, %v", a, err)
	}
	if err := a.Prove(t.Context(), false); err != nil {
		t.Error(err)
	}
	if last, err := tr.Last(); err != nil || last != nil {
		t.Errorf("%+v can be undone, %v", last, err)
	}
	backup, _, err := a.Replace(t.Context())
	if err != nil || backup == "" || taken != 1 {
		t.Fatalf("%q, %v, taken up %d times", backup, err, taken)
	}
	if c, err := h.Config(); err != nil || c.Tenant.Connection != "other-ad" {
		t.Errorf("it serves %s, %v", c.Tenant.Connection, err)
	}
	last, err := tr.Last()
	if err != nil || last == nil || last.Connection != "corp-ad" || last.When.IsZero() {
		t.Fatalf("%+v, %v", last, err)
	}
	if _, err := tr.Undo(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if c, err := h.Config(); err != nil || c.Tenant.Connection != "corp-ad" {
		t.Errorf("afterwards it serves %s, %v", c.Tenant.Connection, err)
	}
}
