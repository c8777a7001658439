package main

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"ad-ldap-connector/testdata/lab"
)

// A command that waits for a secret on standard input is interrupted as well.
func TestAcceptInterruptedReading(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"ticket":  {"install", "--no-service", "--ticket-stdin"},
		"value":   {"config", "set", "LDAP_BIND_PASSWORD", "-"},
		"archive": {"import", "-"},
		"user":    {"login", "alice", "--password-stdin"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCLI(t)
			from, to, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = from.Close(); _ = to.Close() }) // nothing that matters was written
			if _, err := to.WriteString("half a line"); err != nil {
				t.Fatal(err)
			}
			c.input = from
			i := c.start(append(args, "--home", c.home)...)
			lab.Eventually(t, "the command to read", func() bool {
				left, err := unix.IoctlGetInt(int(from.Fd()), unix.TIOCINQ)
				return err != nil || left == 0
			})
			i.interrupt()
			i.wait(patience)
			if i.status() != exitInterrupted {
				t.Errorf("it ended with %d, want %d: %s", i.status(), exitInterrupted, i.stderr)
			}
		})
	}
}
