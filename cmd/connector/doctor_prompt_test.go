//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/testdata/lab"
)

// exposedHome gives a cli a home that others can read.
func exposedHome(t *testing.T, c *cli, settings string) {
	t.Helper()
	path := c.file("home/config.json", settings)
	for name, mode := range map[string]os.FileMode{path: 0o644, filepath.Dir(path): 0o755} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
}

func modeOf(t *testing.T, name string) os.FileMode {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

// TestAcceptDoctorAsks has a person decide about each thing that --fix would do.
func TestAcceptDoctorAsks(t *testing.T) {
	t.Parallel()
	for _, term := range []string{"TERM=xterm", "TERM=dumb"} {
		c := newCLI(t, term)
		exposedHome(t, c, `{"LDAP_URL": "ldaps://dc1.corp.example"}`)
		fix := []string{"doctor", "--only", "config.permissions", "--fix"}

		p := c.sit(fix...)
		p.asked("config.permissions: Keep other users out of the connector's files?", "n")
		p.sees("not agreed to")
		p.leaves(exitOK) // what warns does not fail it
		if mode := modeOf(t, c.home); mode != 0o755 {
			t.Errorf("%s: after a no the home has mode %o", term, mode)
		}

		p = c.sit(fix...)
		p.asked("config.permissions: Keep other users out of the connector's files?", "y")
		p.sees("Keep other users out of the connector's files: done")
		p.leaves(exitOK)
		if mode := modeOf(t, c.home); mode != 0o700 {
			t.Errorf("%s: after a yes the home has mode %o", term, mode)
		}
		if colours := strings.Contains(p.screen.String(), "\x1b[32mpassed"); colours != p.drawn {
			t.Errorf("%s: colours: %t in %q", term, colours, p.screen.String())
		}

		p = c.sit(fix...)
		p.sees("passed") // nothing is left to ask
		p.leaves(exitOK)
	}
}

const hangingHome = `{"PROVISIONING_TICKET": "https://127.0.0.1:1/p/ad/abcdefgh", "LDAP_URL": "ldaps://127.0.0.1:1", "LDAP_BASE": "DC=corp,DC=test",
	"ANONYMOUS_SEARCH_ENABLED": true, "PROFILE_MAPPER": "console.log('round and round'); while (true) {}", "PROFILE_MAPPING_TIMEOUT_MS": 600000}`

// TestAcceptDoctorInterrupted presses Ctrl-C while a check hangs.
func TestAcceptDoctorInterrupted(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	exposedHome(t, c, hangingHome)
	p := c.sit("doctor", "--only", "config.mapper,config.permissions", "--fix", "--timeout", "10m", "--verbose")
	p.sees("round and round")
	if _, err := p.console.Send("\x03"); err != nil {
		t.Fatal(err)
	}
	p.leaves(exitInterrupted)
	if screen := p.screen.String(); strings.Contains(screen, "[y/N]") || strings.Contains(screen, "config.valid") {
		t.Errorf("it went on: %s", screen)
	}
}

// TestAcceptDoctorEndsInTime measures what scripts wait for.
func TestAcceptDoctorEndsInTime(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	exposedHome(t, c, hangingHome)
	began := time.Now()
	i := c.run("doctor", "--only", "config", "--timeout", "1s")
	// A second more is the promise; a loaded machine starts processes slowly.
	if took := time.Since(began); i.status() != exitBlocked || took > 30*time.Second || took < time.Second {
		t.Errorf("status %d after %s\n%s", i.status(), took, i.stdout)
	}
	if !strings.Contains(i.stdout.String(), "it hung at starting the profile mapper") {
		t.Errorf("%s", i.stdout)
	}
}

// TestAcceptDoctorAsksWhomToTrust shows a person the CA's thumbprint, although
// everything else was agreed to beforehand.
func TestAcceptDoctorAsksWhomToTrust(t *testing.T) {
	t.Parallel()
	cloud := startCloud(t)
	inspector := lab.NewCA(t, t.TempDir())
	inspector.Open = true
	c := newCLI(t, "TERM=dumb", "HTTP_PROXY="+inspector.Intercept(t, strings.TrimPrefix(cloud.URL(), "https://"), true))
	c.file("home/config.json", `{"AD_HUB": "wss://acme.example/lo/hub"}`)
	fix := []string{"doctor", "--only", "tls.tenant", "--tenant", "acme.example", "--fix", "--yes"}

	p := c.sit(fix...)
	p.asked(pinOf(t, inspector), "n")
	p.sees("not agreed to")
	p.leaves(exitBlocked)
	if kept, err := filepath.Glob(filepath.Join(c.home, "ca", "*")); err != nil || len(kept) > 0 {
		t.Errorf("after a no there is %v, %v", kept, err)
	}

	p = c.sit(fix...)
	p.asked(pinOf(t, inspector), "y")
	p.sees("done")
	p.leaves(exitOK)
}
