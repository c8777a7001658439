package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ad-ldap-connector/testdata/lab"
)

// requireProgram returns the path of a program that the test runs. Without it
// the test is skipped, or fails where CONNECTOR_TEST_REQUIRE=1 promises it.
func requireProgram(t *testing.T, name string) string {
	t.Helper()
	// Servers lie where only root's PATH leads.
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/usr/lib/squid") {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path
		}
	}
	if os.Getenv("CONNECTOR_TEST_REQUIRE") == "1" {
		t.Fatalf("%s is not installed, and CONNECTOR_TEST_REQUIRE is 1", name)
	}
	t.Skipf("%s is not installed", name)
	return ""
}

// transcript collects what a server prints.
type transcript struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *transcript) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *transcript) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// startListener starts a server that listens on a port of 127.0.0.1, waits
// until it does, and ends it with the test. Somebody may take the port between
// its choice and its use: then it is tried with another.
func startListener(t *testing.T, command func(port int) *exec.Cmd) (address string, said *transcript) {
	t.Helper()
	for range 5 {
		port := lab.FreePort(t)
		address, said = fmt.Sprintf("127.0.0.1:%d", port), new(transcript)
		cmd := command(port)
		cmd.Stdout, cmd.Stderr = said, said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			_ = cmd.Wait() // it is ended by a signal
			close(ended)
		}()
		t.Cleanup(func() {
			_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
			select {
			case <-ended:
			case <-time.After(10 * time.Second):
				_ = cmd.Process.Kill()
				<-ended
			}
		})
		up, dead := false, false
		lab.Eventually(t, cmd.Path, func() bool {
			select {
			case <-ended:
				dead = true
				return true
			default:
			}
			c, err := net.Dial("tcp", address)
			if err == nil {
				up = true
				_ = c.Close() // it was only a try
			}
			return up
		})
		if up && !dead {
			return address, said
		}
		t.Logf("%s ended at once: %s", cmd.Path, strings.TrimSpace(said.String()))
	}
	t.Fatal("no server after five tries")
	return "", nil
}
