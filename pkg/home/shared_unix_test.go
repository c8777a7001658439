//go:build unix

package home

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"ad-ldap-connector/pkg/config"
)

// The account of a shared home, as far as these tests go.
const account = 64321

// shared is a home as a service has it: root's, with the program, and an
// account's files in it.
func shared(t *testing.T) *Home {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("CONNECTOR_TEST_REQUIRE") == "1" {
			t.Fatal("this needs root (to give files away), and CONNECTOR_TEST_REQUIRE=1")
		}
		t.Skip("this needs root: to give files away")
	}
	h := lay(t, configured(t))
	from := filepath.Join(t.TempDir(), "program")
	putFile(t, from)
	for _, err := range []error{h.SaveProgram(from), h.SaveState("x", 1)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	names, err := h.Belongings()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if err := os.Lchown(h.Path(name), account, account); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{os.Chown(h.Dir(), 0, account), os.Chmod(h.Dir(), 0o771|os.ModeSticky)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// plant puts a link of the account's where something else was.
func plant(t *testing.T, h *Home, name, to string) {
	t.Helper()
	for _, err := range []error{os.RemoveAll(h.Path(name)), os.Symlink(to, h.Path(name)), os.Lchown(h.Path(name), account, account)} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func ownerOf(t *testing.T, name string) int {
	t.Helper()
	info, err := os.Lstat(name)
	if err != nil {
		t.Fatal(err)
	}
	return int(info.Sys().(*syscall.Stat_t).Uid)
}

// What an account has planted in its home does not make root give it the
// program, or take away what is not the connector's.
func TestPlantedLinks(t *testing.T) {
	for _, name := range []string{"certs", "logs", "state", "lib", "backups", "ca", ".replace", "state/write.lock", "state/lock", "state/x.json", "config.json"} {
		t.Run(name, func(t *testing.T) {
			h := shared(t)
			if err := os.MkdirAll(filepath.Dir(h.Path(name)), 0o700); err != nil {
				t.Fatal(err)
			}
			to := "bin"
			if filepath.Dir(name) == stateFolder {
				to = "../bin/connector"
			} else if name == configFile {
				to = "bin/connector"
			}
			plant(t, h, name, to)
			names, err := h.Belongings()
			if err != nil || !slices.Contains(names, name) {
				t.Errorf("belongings %q, %v", names, err)
			}
			for _, n := range names {
				if filepath.Base(n) == "connector" {
					t.Errorf("%s is among the belongings", n)
				}
			}
			// Each may be refused.
			unlock, err := h.Lock()
			if err == nil {
				_ = unlock()
			}
			_ = h.SaveState("y", 1)
			_ = h.SaveKeys(testPair(t, "b"))
			_ = h.SaveMapper("m")
			_ = h.SaveCA("own.pem", nil)
			if err := h.RemoveSince(nil); err != nil {
				t.Error(err)
			}
			for _, name := range []string{h.Path(binFolder), h.Program()} {
				if uid := ownerOf(t, name); uid != 0 {
					t.Errorf("%s belongs to %d", name, uid)
				}
			}
			if mode := mode(t, h.Path(binFolder)); mode.Perm() != 0o755 {
				t.Errorf("the program's folder has the mode %s", mode)
			}
			if text, err := os.ReadFile(h.Program()); err != nil || string(text) != "x" {
				t.Errorf("the program is %q, %v", text, err)
			}
		})
	}
}

// A link out of the home leads nowhere for root, and stands in nobody's way.
func TestPlantedWayOut(t *testing.T) {
	h := shared(t)
	outside := t.TempDir()
	secret := filepath.Join(outside, "cert.key")
	putFile(t, secret)
	for _, name := range []string{"certs", "logs"} {
		plant(t, h, name, outside)
	}
	if err := os.Mkdir(h.Path("ca"), 0o700); err != nil {
		t.Fatal(err)
	}
	plant(t, h, "ca/own.pem", secret)
	plant(t, h, configFile, secret)
	if names, err := h.Belongings(); err != nil || !slices.Contains(names, "certs") || slices.Contains(names, "certs/cert.key") {
		t.Errorf("belongings %q, %v", names, err)
	}
	if text, err := h.CA("own.pem"); err == nil {
		t.Errorf("root reads %q for the account", text)
	}
	if text, err := h.ConfigText(); err == nil {
		t.Errorf("root reads %q for the account", text)
	}
	if err := h.RemoveSince(nil); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(secret); err != nil {
		t.Error(err)
	}
}

// Where an administrator has cleared the state away, what root writes is still
// the account's.
func TestSharedWithoutState(t *testing.T) {
	h := shared(t)
	if err := os.RemoveAll(h.Path(stateFolder)); err != nil {
		t.Fatal(err)
	}
	c := config.Default()
	for _, err := range []error{c.Set("LDAP_URL", "ldaps://other.example"), h.SaveConfig(c)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{configFile, stateFolder, writeLock} {
		if uid := ownerOf(t, h.Path(name)); uid != account {
			t.Errorf("%s belongs to %d", name, uid)
		}
	}
}

// The service's account can run the program, whatever the umask of who installs.
func TestProgramUnderUmask(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	dir := t.TempDir()
	h := open(t, filepath.Join(dir, "above", "home"))
	from := filepath.Join(dir, "program")
	putFile(t, from)
	for _, err := range []error{h.Create(), h.SaveProgram(from)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	readable := []string{h.Path(binFolder), h.Program()}
	if os.Geteuid() == 0 { // who is not root installs for nobody else
		readable = append(readable, filepath.Dir(h.Dir()))
	}
	for _, name := range readable {
		if mode := mode(t, name); mode.Perm() != 0o755 {
			t.Errorf("%s has the mode %s", name, mode)
		}
	}
}

// A folder for the program that somebody else made is not used: who owns it
// could put another program there, for root to run.
func TestProgramInForeignFolder(t *testing.T) {
	outside := t.TempDir()
	for name, lay := range map[string]func(bin string) error{
		"link":   func(bin string) error { return os.Symlink(outside, bin) },
		"folder": func(bin string) error { return os.Mkdir(bin, 0o755) },
	} {
		t.Run(name, func(t *testing.T) {
			h := shared(t)
			from := filepath.Join(t.TempDir(), "program")
			putFile(t, from)
			bin := h.Path(binFolder)
			for _, err := range []error{h.RemoveProgram(), lay(bin), os.Lchown(bin, account, account)} {
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := h.SaveProgram(from); err == nil || !strings.Contains(err.Error(), bin+" is not root's alone") {
				t.Error(err)
			}
			if !isEmpty(bin) {
				t.Error("the program was copied there")
			}
		})
	}
}
