package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ad-ldap-connector/pkg/doctor"
	"ad-ldap-connector/pkg/sandbox"
)

// filesBelow tells all that a command which refuses must leave as it was: names,
// modes, and of each file when it was changed and what is in it.
func filesBelow(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		text := info.Mode().String()
		if e.Type().IsRegular() {
			text += fmt.Sprint(" ", info.ModTime().UnixNano())
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += " " + string(data)
		}
		all[path] = text
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestAcceptBlockedInstall has a check block a first install and one over a
// home that is there. Both leave every file as it was.
func TestAcceptBlockedInstall(t *testing.T) {
	t.Parallel()
	cloud := startCloud(t)
	d, err := sandbox.StartDirectory(sandbox.DirectoryOptions{Traits: sandbox.Traits{ActiveDirectory: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() }) // the test has ended
	c := newCLI(t)
	install := []string{
		"install", "--no-service", "--non-interactive", "--skip", "host", "--ticket-file", c.file("ticket.txt", cloud.Ticket()), "--ca-file", cloud.CAFile(),
		"--ldap-url", d.URL(), "--ldap-base", d.BaseDN(), "--ldap-bind-user", d.BindUser(), "--ldap-bind-password-file", c.file("password.txt", d.BindPassword()),
	}
	blocked := c.environCopy("PROFILE_MAPPER=function (", "LDAP_HEARTBEAT_SECONDS=77")
	for _, what := range []string{"nothing", "a home"} {
		before := filesBelow(t, c.dir)
		i := blocked.run(install...)
		if i.status() != exitBlocked || !strings.Contains(i.stderr.String(), "check: blocked by config.mapper") {
			t.Fatalf("over %s it ended with %d: %s", what, i.status(), i.stderr)
		}
		if diff := cmp.Diff(before, filesBelow(t, c.dir)); diff != "" {
			t.Errorf("a blocked install over %s changed the files (-before +after):\n%s", what, diff)
		}
		c.must(install...)
	}
}

// TestGateLeavesNoIDBehind holds the gate's own lists against the catalogue.
func TestGateLeavesNoIDBehind(t *testing.T) {
	for _, name := range unasked {
		if !slices.ContainsFunc(doctor.Checks, func(c doctor.Check) bool { return string(c.ID) == name || c.ID.Group() == name }) {
			t.Errorf("%s is left out by name, and is in no catalogue", name)
		}
	}
	for step, id := range steppers {
		if _, err := doctor.Lookup(string(id)); err != nil {
			t.Errorf("%s: %v", step, err)
		}
	}
	g, err := new(app).newGate(gateFlags{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range g.checks {
		if c.Severity == doctor.Warns && c.Timeout > 3*time.Second {
			t.Errorf("%s stops no install, and may hold it up for %s", c.ID, c.Timeout)
		}
		if slices.Contains(unasked, string(c.ID)) || slices.Contains(unasked, c.ID.Group()) {
			t.Errorf("%s is asked twice", c.ID)
		}
	}
	if g, err = new(app).newGate(gateFlags{skip: slices.Concat(unasked, []string{"host", "time.ntp"})}); err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(g.checks, func(c doctor.Check) bool { return c.ID.Group() == "host" }) {
		t.Error("what is skipped is asked")
	}
}
