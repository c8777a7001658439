package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/sandbox"
	"ad-ldap-connector/testdata/lab"
)

// importedThere installs a node from the archive of another one, without a
// question: first with everything going wrong on the way, then as it should be.
func importedThere(t *testing.T, s *server) {
	const first, phrase, archive = "/usr/lib/lab/first", "/usr/lib/lab/phrase", "/usr/lib/lab/node.age"
	ticket := s.newTicket("imported")
	s.Run(s.install(shippedThere, ticket, "--no-service", "--home", first)...)
	s.Write(phrase, []byte("correct horse battery\n"))
	s.Run("chmod", "600", phrase)
	s.Run(shippedThere, "export", "--passphrase-file", phrase, "--file", archive, "--home", first)
	s.Run("rm", ticket)
	s.Run("rm", "-r", first)
	command := func(program string) []string {
		return []string{"env", "NO_COLOR=1", program, "install", "--non-interactive", "--import", archive, "--passphrase-file", phrase, "-o", "json"}
	}
	steps := planned(t, s, command(shippedThere))
	if at := slices.Index(steps, "import-node"); at < 1 || steps[at-1] != "create-home" {
		t.Fatalf("the plan is %q", steps)
	}
	before := s.Look()
	for _, spoil := range []struct {
		step, how string
		status    int
	}{
		{"import-node", failBefore, exitUndone}, {"import-node", failAfter, exitUndone}, {"import-node", interrupt, exitInterrupted},
		{"import-node", killAfter, -1}, {"start-service", failAfter, exitUndone}, {"wait-connected", interrupt, exitInterrupted},
	} {
		t.Run(spoil.step+"/"+spoil.how, func(t *testing.T) {
			s := &server{s.For(t), t, s.sandbox}
			out, err := s.Try(append([]string{"env", spoilStep + "=" + spoil.step + ":" + spoil.how}, command(spoiledThere)...)...)
			if status := exitOf(t, err); status != spoil.status {
				t.Errorf("it ended with %d, want %d: %s", status, spoil.status, out)
			}
			if spoil.how == killAfter {
				if again := s.Run(command(spoiledThere)...); !strings.Contains(lastLine(again), `"result":"installed"`) {
					t.Errorf("the second run: %s", again)
				}
				s.Run(installedHome+"/bin/connector", "uninstall", "--yes", "--purge")
			}
			lab.WantSame(t, before, s.Look())
		})
	}
	begun := time.Now()
	out := s.Run(command(shippedThere)...)
	took := time.Since(begun)
	t.Logf("from the program and an archive to accepted by the hub: %.1f s", took.Seconds())
	if took > time.Minute {
		t.Errorf("it took %s", took)
	}
	var r installResult
	if err := json.Unmarshal([]byte(lastLine(out)), &r); err != nil || r.Result != "installed" || r.Connection != "imported" {
		t.Fatalf("%+v, %v:\n%s", r, err, out)
	}
	if refused := s.login("imported", sandbox.DemoPassword); refused != "" {
		t.Errorf("alice is refused: %s", refused)
	}
	if last := lastLine(s.Run(command(shippedThere)...)); !strings.Contains(last, `"result":"unchanged"`) {
		t.Errorf("a second run: %s", last)
	}
	s.Run("connector", "uninstall", "--yes", "--purge")
	s.Run("rm", phrase, archive)
}
