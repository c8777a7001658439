package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/sandbox"
	"ad-ldap-connector/testdata/lab"
)

// The life of a password in the keyring of the account that runs the connector:
// moved there, changed under logins, taken along to another machine that has no
// keyring, and moved back.
func TestAcceptKeyring(t *testing.T) {
	t.Parallel()
	k := lab.NewKeyring(t)
	r := newRotating(t, k.Environ...)
	r.must("config", "set", "SECRETS", "keyring")
	if text := r.text(); !strings.Contains(text, `"SECRETS": "keyring"`) || strings.Contains(text, sealedKey) {
		t.Errorf("config.json: %s", text)
	}
	r.start("run", "--home", r.home)
	awaitAgent(t, r.cloud)
	login(t, r.cloud, "alice", sandbox.DemoPassword, "")
	r.change(t, plantedNext)
	next := r.file("next", plantedNext+"\n")
	got := secretSet(t, r.must("config", "secret", "set", "LDAP_BIND_PASSWORD", "--value-file", next, "-o", "json"))
	if want := (secretResult{Result: "kept", Key: "LDAP_BIND_PASSWORD", Kept: "keyring", Tried: true, Live: true}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	login(t, r.cloud, "alice", sandbox.DemoPassword, "")
	r.arguments(r.program)
	if out := r.must("config", "secret", "list").stdout.String(); !strings.Contains(out, "LDAP_BIND_PASSWORD     keyring, sealed\n") {
		t.Error(out)
	}
	right := r.file("right", sandbox.DemoPassword+"\n")
	r.must("login", "alice", "--password-file", right)
	r.must("search", "users", "alice")
	r.must("export", "--plain", "--file", "a.zip")
	data, err := os.ReadFile(filepath.Join(r.home, "secrets", "ldap-bind-password.keyring"))
	if err != nil || strings.Contains(string(data), plantedNext) {
		t.Errorf("%q, %v", data, err)
	}

	// Nobody else has the session.
	other := r.environCopy("DBUS_SESSION_BUS_ADDRESS=unix:path=" + filepath.Join(r.dir, "no-bus"))
	for _, args := range [][]string{{"login", "alice", "--password-file", right}, {"export", "--plain", "--file", "b.zip"},
		{"config", "secret", "set", "LDAP_BIND_PASSWORD", "--value-file", next}, {"config", "set", "SECRETS", "file"}} {
		if i := other.run(args...); i.status() != exitFault || !strings.Contains(i.stderr.String(), "D-Bus session") {
			t.Errorf("%q without a session ended with %d: %s", args, i.status(), i.stderr)
		}
	}
	other.home = filepath.Join(r.dir, "other")
	other.must("import", "--offline", "a.zip")
	other.must("login", "alice", "--password-file", right)
	r.said = append(r.said, other.said...)

	r.must("config", "set", "SECRETS", "file")
	if text := r.text(); !strings.Contains(text, sealedKey) {
		t.Errorf("config.json: %s", text)
	}
	if _, err := os.Stat(filepath.Join(r.home, "secrets")); err == nil {
		t.Error("something is left in secrets")
	}
	r.must("login", "alice", "--password-file", right)
	if i := r.run("install", "--non-interactive", "--secrets", "keyring"); i.status() != exitUsage || !strings.Contains(i.stderr.String(), "--no-service") {
		t.Errorf("a service with a keyring: %d: %s", i.status(), i.stderr)
	}
	r.must("install", "--no-service", "--non-interactive", "--skip", "host.disk", "--secrets", "keyring", "--ldap-bind-password-file", next)
	if text := r.text(); strings.Contains(text, sealedKey) {
		t.Errorf("config.json: %s", text)
	}
	k.Kill()
	i := r.run("login", "alice", "--password-file", right)
	if i.status() != exitFault || !strings.Contains(i.stderr.String(), "no Secret Service") {
		t.Errorf("without its daemon login ended with %d: %s", i.status(), i.stderr)
	}
}
