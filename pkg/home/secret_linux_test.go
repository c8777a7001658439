package home

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/config"
)

// storedIn is a home whose password is in systemd's store.
func storedIn(t *testing.T, environ ...string) *Home {
	t.Helper()
	if err := CheckStore(config.InSystemd); err != nil || os.Geteuid() != 0 {
		t.Skipf("root and a systemd are needed: %v", err)
	}
	h := lay(t, configured(t))
	keepIn(t, h, config.InSystemd, "of the store")
	return open(t, h.Dir(), environ...)
}

// A service reads what systemd handed it, and before that what it was handed
// while it ran.
func TestHanded(t *testing.T) {
	credentials, running := t.TempDir(), t.TempDir()
	h := storedIn(t, "CREDENTIALS_DIRECTORY="+credentials, "RUNTIME_DIRECTORY=/nonexistent:"+running)
	if got := bindPassword(t, h); got != "of the store" {
		t.Errorf("without any: %q", got)
	}
	if exposed, err := h.Exposed(); err != nil || strings.Contains(strings.Join(exposed, " "), secretsFolder) {
		t.Errorf("exposed: %q, %v", exposed, err)
	}
	for _, step := range []struct{ dir, text string }{{credentials, "of the start"}, {running, "handed over"}} {
		if err := os.WriteFile(filepath.Join(step.dir, BindSecret), []byte(step.text), 0o400); err != nil {
			t.Fatal(err)
		}
		if got := bindPassword(t, h); got != step.text {
			t.Errorf("%q, want %q", got, step.text)
		}
	}
	if done, err := HandOver("no-such-service-of-the-tests", BindSecret, "x"); done || err != nil {
		t.Errorf("a service that does not run is handed a secret: %v, %v", done, err)
	}
}

// What root would hand to the service must not be of the account's choice.
func TestForeignSecretsFolder(t *testing.T) {
	h := storedIn(t)
	dir, elsewhere := h.Path(secretsFolder), t.TempDir()
	for what, spoil := range map[string]func() error{
		"a link":         func() error { return os.Symlink(elsewhere, dir) },
		"the account's":  func() error { return errorsOf(os.Mkdir(dir, 0o700), os.Chown(dir, 12345, 12345)) },
		"open to others": func() error { return errorsOf(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o755)) },
		"a file":         func() error { return os.WriteFile(dir, nil, 0o600) },
	} {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if err := h.StoreSecret(config.InSystemd, BindSecret, "planted-password"); err == nil || strings.Contains(err.Error(), "planted-password") {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := h.StoredSecret(config.InSystemd, BindSecret); err == nil {
			t.Errorf("%s is read", what)
		}
	}
	if left := filesBelow(t, elsewhere); len(left) > 0 {
		t.Errorf("written elsewhere: %v", left)
	}
}

func errorsOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// A systemd that cannot encrypt gets a file that root alone reads; one that can
// by now takes its place.
func TestOlderSystemd(t *testing.T) {
	h := storedIn(t)
	if err := h.RemoveSecrets(); err != nil {
		t.Fatal(err)
	}
	path, bin := os.Getenv("PATH"), t.TempDir()
	write := func(version string) {
		if err := os.WriteFile(filepath.Join(bin, "systemctl"), []byte("#!/bin/sh\necho 'systemd "+version+" (x)'\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin)
	if err := CheckStore(config.InSystemd); err == nil {
		t.Error("no systemd at all will do")
	}
	write("239")
	if err := CheckStore(config.InSystemd); err == nil || !strings.Contains(err.Error(), "239") {
		t.Errorf("systemd 239: %v", err)
	}
	write("249")
	keepIn(t, h, config.InSystemd, "in the clear")
	file, encrypted := h.Credential(BindSecret)
	if encrypted || file != h.Path(secretsFolder, BindSecret) || bindPassword(t, h) != "in the clear" {
		t.Errorf("%s, %v", file, encrypted)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	t.Setenv("PATH", path)
	if _, encrypted := h.Credential(BindSecret); encrypted {
		t.Error("what is there is not what systemd is told")
	}
	if CheckStore(config.InSystemd) != nil {
		return // this host has no newer one
	}
	keepIn(t, h, config.InSystemd, "encrypted by now")
	if file, encrypted := h.Credential(BindSecret); encrypted != encrypts() || bindPassword(t, h) != "encrypted by now" {
		t.Errorf("%s, %v", file, encrypted)
	}
	if name := hasPlain(filesBelow(t, h.Dir()), "in the clear"); name != "" {
		t.Errorf("%s still has the former password", name)
	}
}

// The environment alone may say where the password is, as in a container that
// systemd starts.
func TestHandedInAnEnvironment(t *testing.T) {
	credentials := t.TempDir()
	if err := os.WriteFile(filepath.Join(credentials, BindSecret), []byte("of the start"), 0o400); err != nil {
		t.Fatal(err)
	}
	h := open(t, filepath.Join(t.TempDir(), "home"), "OVERRIDE_CONFIG=false", "SECRETS=systemd", "LDAP_BIND_USER=svc", "CREDENTIALS_DIRECTORY="+credentials)
	if got := bindPassword(t, h); got != "of the start" {
		t.Errorf("%q", got)
	}
}
