package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ad-ldap-connector/testdata/lab"
)

// A server is a booted machine with the programs and a sandbox in it.
type server struct {
	*lab.Machine
	t       *testing.T
	sandbox sandboxInfo
}

// Where the programs are in the machine, out of the way of what an install does.
const (
	shippedThere = "/usr/lib/lab/connector" // the real one
	spoiledThere = "/usr/lib/lab/spoiled/connector"
	requestThere = "/usr/lib/lab/request"
)

// builds makes the programs once for all tests: the connector as it is shipped,
// and this test's program, which can spoil it.
func builds(t *testing.T) (connector, spoiled string) {
	t.Helper()
	dir := t.TempDir()
	connector, spoiled = filepath.Join(dir, "connector"), filepath.Join(dir, "spoiled")
	for _, args := range [][]string{
		{"build", "-ldflags=-s -w", "-o", connector, "."},
		{"test", "-c", "-ldflags=-s -w", "-o", spoiled, "."},
	} {
		cmd := exec.Command("go", args...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("build: %v\n%s", err, out)
		}
	}
	return connector, spoiled
}

// bootServer starts a machine with a sandbox that serves until it ends.
func bootServer(t *testing.T) *server {
	t.Helper()
	m := lab.Boot(t, "firewalld", "ufw", "iproute2", "nftables")
	m.Run("systemctl", "disable", "--quiet", "--now", "firewalld") // it is on from the beginning
	m.Run("ufw", "--force", "enable")                              // it writes its files in its own way
	m.Run("ufw", "--force", "disable")
	connector, spoiled := builds(t)
	for from, to := range map[string]string{connector: shippedThere, spoiled: spoiledThere} {
		m.Copy(from, to)
	}
	m.Run("ln", "-s", spoiledThere, requestThere)
	s := &server{Machine: m, t: t}
	s.startSandbox()
	return s
}

// startSandbox starts the sandbox as a unit of this boot alone.
func (s *server) startSandbox() {
	s.t.Helper()
	s.Run("systemd-run", "--quiet", "--unit=sandbox", "--property=StandardOutput=file:/usr/lib/lab/sandbox.json", "--property=StandardError=journal",
		shippedThere, "sandbox", "--state", "/usr/lib/lab/sandbox", "--listen", "127.0.0.1:4443", "--ldap-listen", "127.0.0.1:4389")
	lab.Eventually(s.t, "the sandbox", func() bool {
		out, err := s.Try("cat", "/usr/lib/lab/sandbox.json")
		return err == nil && json.Unmarshal([]byte(out), &s.sandbox) == nil && s.sandbox.URL != ""
	})
	s.Run("chmod", "755", "/usr/lib/lab/sandbox") // for request alone: the machine's root may anyway
}

// post asks the sandbox's API.
func (s *server) post(path, body string, answer any) {
	s.t.Helper()
	out := s.Run(requestThere, s.sandbox.CA, s.sandbox.API+path, body)
	if err := json.Unmarshal([]byte(out), answer); err != nil {
		s.t.Fatalf("%s: %v: %s", path, err, out)
	}
}

// newTicket makes a connection, and leaves its ticket in a file. More is what it
// has besides, as JSON.
func (s *server) newTicket(name string, more ...string) (file string) {
	s.t.Helper()
	var made struct{ Ticket string }
	s.post("/connections", "{"+strings.Join(append(more, `"name":"`+name+`"`), ",")+"}", &made)
	file = "/usr/lib/lab/ticket-" + name
	s.Write(file, []byte(made.Ticket+"\n"))
	s.Run("chmod", "600", file)
	return file
}

// install is the command of an install without questions.
func (s *server) install(program, ticketFile string, more ...string) []string {
	return append([]string{
		"env", "NO_COLOR=1", program, "install", "--non-interactive", "--ticket-file", ticketFile, "--ca-file", s.sandbox.CA,
		"--ldap-url", s.sandbox.LDAPURL, "--ldap-bind-user", s.sandbox.BindUser, "--ldap-bind-password-file", s.sandbox.BindPasswordFile,
	}, more...)
}

// login has the tenant ask for a login of the sandbox's user alice.
func (s *server) login(connection, password string) (refused string) {
	s.t.Helper()
	var r struct{ Reply reply }
	s.post("/requests/authenticate_user", `{"connection":"`+connection+`","username":"alice","password":"`+password+`"}`, &r)
	if r.Reply.Err != nil {
		return r.Reply.Err.Name
	}
	if r.Reply.Profile["id"] != "alice" && r.Reply.Profile["nickname"] == nil {
		s.t.Errorf("the profile is %v", r.Reply.Profile)
	}
	return ""
}

// exit is the status that a command ended with.
func exitOf(t *testing.T, err error) int {
	t.Helper()
	if err == nil {
		return 0
	}
	var x *exec.ExitError
	if !errors.As(err, &x) {
		t.Fatal(err)
	}
	return x.ExitCode()
}

// lastLine is the last line of what a command said.
func lastLine(out string) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	return lines[len(lines)-1]
}
