//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAcceptPassphrase has somebody at a terminal make an archive and open it
// again: the passphrase is typed twice, is seen nowhere, and a wrong one may be
// typed anew.
func TestAcceptPassphrase(t *testing.T) {
	t.Parallel()
	const right, wrong = "correct horse battery", "corect horse battery"
	c := newCLI(t)
	transferHome(t, c.home, "corp-ad")
	p := c.sit("export", "--file", "node.age")
	p.asked("Passphrase", right)
	p.asked("Passphrase again", wrong)
	p.sees("the two are not the same")
	p.asked("Passphrase", right)
	p.asked("Passphrase again", right)
	p.sees("wrote node.age")
	p.leaves(exitOK)
	screen := p.screen.String()

	refused := c.sit("export", "--file", "-", "--plain")
	refused.sees("an archive is nothing for a terminal")
	refused.leaves(exitUsage)

	other := &cli{t: t, program: c.program, dir: c.dir, home: filepath.Join(c.dir, "other"), environ: c.environ}
	p = other.sit("import", "node.age", "--offline")
	p.asked("Passphrase of the archive", wrong)
	p.sees("the passphrase is wrong")
	p.asked("Passphrase of the archive", right)
	p.sees("imported connection corp-ad")
	p.leaves(exitOK)
	for _, said := range []string{screen, p.screen.String()} {
		if strings.Contains(said, right) || strings.Contains(said, wrong) {
			t.Errorf("a passphrase was shown:\n%s", plain(said))
		}
	}
	for _, name := range []string{"certs/cert.key", "config.json", "lib/profileMapper.js"} {
		one, err := os.ReadFile(filepath.Join(c.home, name))
		if err != nil {
			t.Fatal(err)
		}
		if two, err := os.ReadFile(filepath.Join(other.home, name)); err != nil || string(one) != string(two) {
			t.Errorf("%s differs, %v", name, err)
		}
	}
	// A third guess is the last one.
	p = other.sit("import", "node.age", "--offline")
	for range maxTries {
		p.asked("Passphrase of the archive", wrong)
	}
	p.leaves(exitFault)
}
