package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	dbusDaemon    = "/usr/bin/dbus-daemon"
	dbusSend      = "/usr/bin/dbus-send"
	keyringDaemon = "/usr/bin/gnome-keyring-daemon"
)

// A Keyring is a D-Bus session of the test's own with a gnome-keyring-daemon in
// it, whose keyring is open, as that of a person who has logged in. The bus
// starts nothing by itself: nobody asks a person for a password.
type Keyring struct {
	Environ []string // what whoever is in the session has above its environment

	t           testing.TB
	bus, daemon *process
}

// busConfig is a session's bus whose socket is told.
const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=%s</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy></busconfig>
`

// NewKeyring starts one, which ends with the test.
func NewKeyring(t testing.TB) *Keyring {
	t.Helper()
	need(t, "dbus-daemon", dbusDaemon)
	need(t, "dbus-send", dbusSend)
	need(t, "gnome-keyring-daemon", keyringDaemon)
	dir, err := os.MkdirTemp("", "keyring-") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // the test has ended
	socket, conf := filepath.Join(dir, "bus"), filepath.Join(dir, "bus.conf")
	if err := os.WriteFile(conf, []byte(fmt.Sprintf(busConfig, socket)), 0o600); err != nil {
		t.Fatal(err)
	}
	k := &Keyring{t: t, Environ: []string{"DBUS_SESSION_BUS_ADDRESS=unix:path=" + socket}}
	for name, folder := range map[string]string{"HOME": "", "XDG_RUNTIME_DIR": "run", "XDG_DATA_HOME": "data", "XDG_CONFIG_HOME": "config", "XDG_CACHE_HOME": "cache"} {
		folder = filepath.Join(dir, folder)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		k.Environ = append(k.Environ, name+"="+folder)
	}
	k.bus = start(t, dbusDaemon, "--config-file="+conf, "--nofork", "--nopidfile")
	t.Cleanup(k.bus.kill)
	Eventually(t, "a D-Bus session", func() bool {
		_, err := os.Stat(socket)
		return err == nil
	})
	cmd := exec.Command(keyringDaemon, "--foreground", "--unlock", "--components=secrets")
	cmd.Env, cmd.Stdin = append(os.Environ(), k.Environ...), strings.NewReader("of-the-keyring")
	k.daemon = startCommand(t, cmd)
	t.Cleanup(k.daemon.kill)
	Eventually(t, "an open keyring", func() bool {
		out, err := k.ask("org.freedesktop.DBus.Properties.Get", "string:org.freedesktop.Secret.Service", "string:Collections")
		if k.daemon.ended() {
			t.Fatalf("gnome-keyring-daemon: %s", k.daemon.said)
		}
		return err == nil && strings.Contains(out, loginKeyring)
	})
	return k
}

// loginKeyring is the keyring that a login opens.
const loginKeyring = "/org/freedesktop/secrets/collection/login"

// ask calls a method of the Secret Service.
func (k *Keyring) ask(method string, args ...string) (string, error) {
	args = append([]string{"--session", "--print-reply", "--reply-timeout=20000", "--dest=org.freedesktop.secrets", "/org/freedesktop/secrets", method}, args...)
	cmd := exec.Command(dbusSend, args...)
	cmd.Env = append(os.Environ(), k.Environ...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Lock locks the keyring, and nobody is there to open it.
func (k *Keyring) Lock() {
	k.t.Helper()
	out, err := k.ask("org.freedesktop.Secret.Service.Lock", "array:objpath:"+loginKeyring)
	if err != nil || !strings.Contains(out, loginKeyring) {
		k.t.Fatalf("lock the keyring: %v: %s", err, out)
	}
}

// Pause makes the daemon hang, as one does that waits for a person.
func (k *Keyring) Pause() {
	k.t.Helper()
	if err := stopProcess(k.daemon.cmd.Process); err != nil {
		k.t.Fatal(err)
	}
}

// Resume ends that.
func (k *Keyring) Resume() {
	k.t.Helper()
	if err := continueProcess(k.daemon.cmd.Process); err != nil {
		k.t.Fatal(err)
	}
}

// Kill ends the daemon, and its session goes on.
func (k *Keyring) Kill() { k.daemon.kill() }

// KillBus ends the session.
func (k *Keyring) KillBus() { k.bus.kill() }
