//go:build unix

package main

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/sandbox"
	"ad-ldap-connector/testdata/lab"
)

// running is what the connector of the home has left for others, if its console
// answers.
func (c *cli) running() (r running) {
	c.t.Helper()
	h, err := home.Open(c.home, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	if h.LoadState("run", &r) != nil {
		return running{}
	}
	res, err := http.Get("http://" + r.Console + "/healthz")
	if err != nil {
		return running{}
	}
	_ = res.Body.Close() // that it answers is enough
	return r
}

// serves waits until that process is the one that runs, and alone.
func (c *cli) serves(cloud *sandbox.Cloud, process int) running {
	c.t.Helper()
	var r running
	lab.Eventually(c.t, "process "+strconv.Itoa(process)+" to serve", func() bool { r = c.running(); return r.PID == process })
	awaitAgents(c.t, cloud, "one agent", func(a []sandbox.Agent) bool { return len(a) == 1 })
	return r
}

// TestTakeoverLosesNothing: one process after the other takes over under logins.
// The console's socket is never closed, and its port stays.
func TestTakeoverLosesNothing(t *testing.T) {
	t.Parallel()
	perSecond, lasts := rates(t)
	c, cloud := newHandover(t, true)
	node := c.start("run", "--home", c.home, takeoverFlag) // there is nothing to take over yet
	awaitAgent(t, cloud)
	first := c.serves(cloud, node.cmd.Process.Pid)
	s := startStream(t, cloud, perSecond)
	for range 3 {
		next := c.start("run", "--home", c.home, takeoverFlag)
		node.wait(patience)
		if node.status() != exitOK || !strings.Contains(node.stderr.String(), "another process has taken over") {
			t.Errorf("the former process ended with %d:\n%s", node.status(), node.stderr)
		}
		if r := c.serves(cloud, next.cmd.Process.Pid); r.Console != first.Console {
			t.Errorf("the console is at %s, then %s", first.Console, r.Console)
		}
		if said := node.stderr.String() + next.stderr.String(); strings.Contains(said, "lost") || strings.Contains(said, "too late") || strings.Contains(said, "error: ") {
			t.Error(said)
		}
		node = next
		<-time.After(lasts / 3) // of logins, between two takeovers
	}
	s.nothingLost()
	node.interrupt()
	node.wait(patience)
	if left, err := os.Stat(filepath.Join(c.home, porterFile)); err == nil {
		t.Errorf("%s is left", left.Name())
	}
}

// notified is a service manager's socket: what it hears, one a line, but for
// what it is to show.
func notified(t *testing.T) (socket string, heard func() string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "notify") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket = filepath.Join(dir, "s")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_DGRAM, 0)
	if err == nil {
		err = syscall.Bind(fd, &syscall.SockaddrUnix{Name: socket})
	}
	if err != nil {
		t.Fatal(err)
	}
	said, ended := new(transcript), make(chan struct{})
	go func() {
		defer close(ended)
		b := make([]byte, 256)
		for {
			n, err := syscall.Read(fd, b)
			if err != nil || n == 0 {
				return
			}
			if !strings.HasPrefix(string(b[:n]), "STATUS=") {
				_, _ = said.Write(append(b[:n:n], '\n')) // a transcript takes everything
			}
		}
	}()
	t.Cleanup(func() {
		_ = syscall.Shutdown(fd, syscall.SHUT_RDWR) // it is done with
		<-ended
		_ = syscall.Close(fd) // the same
	})
	return socket, said.String
}

// TestRestartLosesNothing: the program in the home is replaced, and the service
// asked to be succeeded by it, under logins. Its manager learns of each process,
// from the former one, and of nothing that one says after that.
func TestRestartLosesNothing(t *testing.T) {
	t.Parallel()
	perSecond, lasts := rates(t)
	socket, heard := notified(t)
	c, cloud := newHandover(t, false, "NOTIFY_SOCKET="+socket)
	program := filepath.Join(c.home, "bin", "connector")
	replace := func() {
		if err := os.MkdirAll(filepath.Dir(program), 0o755); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("cp", c.program, program+".new").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if err := os.Rename(program+".new", program); err != nil {
			t.Fatal(err)
		}
	}
	replace()
	service := c.environCopy()
	service.program = program
	node := service.start("run", "--home", c.home)
	awaitAgent(t, cloud)
	c.serves(cloud, node.cmd.Process.Pid)
	s := startStream(t, cloud, perSecond)
	want, last := "READY=1\n", 0
	for range 2 {
		replace()
		var r restartResult
		out := c.must("restart", "-o", "json").stdout.String()
		if err := json.Unmarshal([]byte(out), &r); err != nil || r.Result != "restarted" || r.PID == 0 || r.PID == last || r.PID == node.cmd.Process.Pid {
			t.Fatalf("%v: %s", err, out)
		}
		last = r.PID
		t.Cleanup(func() { _ = syscall.Kill(r.PID, syscall.SIGKILL) }) // it has ended, unless the test failed
		want += "MAINPID=" + strconv.Itoa(last) + "\nREADY=1\n"
		c.serves(cloud, last)
		<-time.After(lasts / 2) // of logins, between two restarts
	}
	node.wait(patience)
	if node.status() != exitOK {
		t.Errorf("the first process ended with %d:\n%s", node.status(), node.stderr)
	}
	s.nothingLost()

	// A program that cannot run changes nothing.
	if err := os.WriteFile(program+".new", []byte("#!/bin/sh\nexit 7\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(program+".new", program); err != nil {
		t.Fatal(err)
	}
	if i := c.run("restart"); i.status() != exitFault || !strings.Contains(i.stderr.String(), "exit status 7 before") && !strings.Contains(i.stderr.String(), "ended before it took over: exit status 7") {
		t.Errorf("a program that ends: %d: %s", i.status(), i.stderr)
	}
	login(t, cloud, "alice", sandbox.DemoPassword, "")
	// Nobody from outside becomes the service's main process.
	if i := c.run("run", takeoverFlag); i.status() != exitFault || !strings.Contains(i.stderr.String(), "hint: connector restart") {
		t.Errorf("a takeover of a service: %d: %s", i.status(), i.stderr)
	}
	c.serves(cloud, last)
	if err := syscall.Kill(last, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	lab.Eventually(t, "its last word", func() bool { return strings.Contains(heard(), "STOPPING=1\n") })
	if got := heard(); got != want+"STOPPING=1\n" {
		t.Errorf("the manager heard\n%s\nand not\n%sSTOPPING=1", got, want)
	}
	if i := c.run("restart"); i.status() != exitFault || !strings.Contains(i.stderr.String(), "no connector runs in") {
		t.Errorf("where nothing runs: %d: %s", i.status(), i.stderr)
	}
}
