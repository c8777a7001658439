//go:build unix

package main

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"ad-ldap-connector/testdata/lab"
)

// TestRunOutlivesTheReaderOfItsLog runs the connector into a pipe that nobody
// reads any more: logging is no reason to end, and a signal still is one.
func TestRunOutlivesTheReaderOfItsLog(t *testing.T) {
	c := newCLI(t, "PROVISIONING_TICKET=https://127.0.0.1:1/p/ad/x", "LDAP_URL=ldap://127.0.0.1:1", "LDAP_BASE=DC=corp,DC=test", "ANONYMOUS_SEARCH_ENABLED=true")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(c.program, "run", "--home", c.home)
	cmd.Env, cmd.Stderr = c.environ, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() { _ = cmd.Process.Kill() }() // it has ended, unless the test failed
	if err := errors.Join(w.Close(), r.Close()); err != nil {
		t.Fatal(err)
	}
	reloads := func() int {
		data, _ := os.ReadFile(c.home + "/logs/connector.log") // it may not be there yet
		n := 0
		for line := range strings.SplitSeq(string(data), "\n") {
			if parseLogLine(line).Message == "configuration reloaded" {
				n++
			}
		}
		return n
	}
	lab.Eventually(t, "it to run", func() bool {
		s, err := (&app{home: c.home, environ: c.environ}).askStatus(t.Context())
		return err == nil && s.Service == "running"
	})
	for want := 1; want <= 2; want++ { // each says more than one line
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		lab.Eventually(t, "a reload", func() bool { return reloads() >= want })
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("it does not end")
	}
}
