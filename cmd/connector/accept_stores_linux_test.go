package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/sandbox"
	"ad-ldap-connector/testdata/lab"
)

const (
	storedSecret  = installedHome + "/secrets/ldap-bind-password.cred"
	handedByStart = "/run/credentials/auth0-adldap.service/ldap-bind-password"
	handedSince   = "/run/auth0-adldap/ldap-bind-password"
)

// storedThere is the life of a password that systemd keeps: installed with it,
// changed under a running service, moved to the file and back.
func storedThere(t *testing.T, s *server) {
	ticket := s.newTicket("stored")
	first := strings.TrimSpace(s.Run("cat", s.sandbox.BindPasswordFile))
	install := s.install(shippedThere, ticket, "--secrets", "systemd", "-o", "json")
	if out := s.Run(install...); !strings.Contains(lastLine(out), `"result":"installed"`) {
		t.Fatalf("%s", out)
	}
	if out := s.Run(install...); !strings.Contains(lastLine(out), `"result":"unchanged"`) {
		t.Errorf("a second run: %s", out)
	}
	s.serves("after the install")
	for name, want := range map[string]string{installedHome + "/secrets": "root:root 700", storedSecret: "root:root 600"} {
		if got := strings.TrimSpace(s.Run("stat", "--format=%U:%G %a", name)); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	s.shows(first, handedByStart)

	// An administrator's commands open it, those of others say how.
	s.Run("connector", "search", "users", "alice")
	out, err := s.Try("setpriv", "--reuid=auth0-adldap", "--regid=auth0-adldap", "--clear-groups", "connector", "search", "users", "alice")
	if exitOf(t, err) != exitFault || !strings.Contains(out, "only root opens its credentials") || !strings.Contains(out, "hint: run this as root") {
		t.Errorf("for the account: %v: %s", err, out)
	}
	if out, err := s.Try("connector", "config", "set", "SECRETS", "keyring"); exitOf(t, err) != exitFault || !strings.Contains(out, "the service auth0-adldap runs this home") || !strings.Contains(out, "hint: set SECRETS to systemd") {
		t.Errorf("a service's keyring: %v: %s", err, out)
	}
	s.rotates(first)
	s.moves()

	s.Run("connector", "uninstall", "--yes", "--purge")
	s.Write(s.sandbox.BindPasswordFile, []byte(plantedNext+"\n")) // for those that come next
	s.Run("rm", ticket)
}

// serves has somebody log in.
func (s *server) serves(when string) {
	s.t.Helper()
	if refused := s.login("stored", sandbox.DemoPassword); refused != "" {
		s.t.Errorf("%s alice is refused: %s", when, refused)
	}
}

// shows looks for a password wherever it could lie, but where it may.
func (s *server) shows(password string, allowed ...string) {
	s.t.Helper()
	s.Write("/usr/lib/lab/patterns", []byte(password+"\n"))
	for where, shell := range map[string]string{
		"processes": `for p in /proc/[0-9]*; do for f in cmdline environ; do grep -laFf /usr/lib/lab/patterns $p/$f 2>/dev/null; done; done`,
		"journal":   `journalctl --no-pager --output=export | grep -aFf /usr/lib/lab/patterns`,
		"disk":      `grep -rlaFf /usr/lib/lab/patterns / --exclude-dir=proc --exclude-dir=sys --exclude-dir=lab --exclude-dir=dev 2>/dev/null`,
	} {
		out, _ := s.Try("sh", "-c", shell) // grep finds nothing: that is no error here
		for line := range strings.Lines(out) {
			if line = strings.TrimSpace(line); line != "" && !slices.Contains(allowed, line) {
				s.t.Errorf("%s: the password is in %s", where, line)
			}
		}
	}
	s.Run("rm", "/usr/lib/lab/patterns")
}

// changes has the directory take another password of the service account.
func (s *server) changes(password string) {
	s.t.Helper()
	lab.Eventually(s.t, "the directory to change the password", func() bool {
		var r struct{ Reply reply }
		s.post("/requests/change_password", `{"connection":"stored","username":"connector","password":"`+password+`"}`, &r)
		return r.Reply.Err == nil
	})
}

// sets is the command, which must end with the running service bound.
func (s *server) sets(password string) {
	s.t.Helper()
	s.Write("/usr/lib/lab/next", []byte(password+"\n"))
	s.Run("chmod", "600", "/usr/lib/lab/next")
	out := s.Run("connector", "config", "secret", "set", "LDAP_BIND_PASSWORD", "--value-file", "/usr/lib/lab/next", "-o", "json")
	var r secretResult
	want := secretResult{Result: "kept", Key: "LDAP_BIND_PASSWORD", Kept: "systemd", Tried: true, Live: true}
	if err := json.Unmarshal([]byte(out[strings.IndexByte(out, '{'):]), &r); err != nil || r != want {
		s.t.Errorf("%+v, %v: %s", r, err, out)
	}
	s.Run("rm", "/usr/lib/lab/next")
}

// rotates changes the password of the running service, which stays the process
// that it is.
func (s *server) rotates(first string) {
	s.t.Helper()
	s.Run("connector", "config", "set", "ENABLE_WRITE_BACK", "true")
	s.Run("systemctl", "reload", "auth0-adldap")
	s.Write("/usr/lib/lab/wrong", []byte(plantedWrong+"\n"))
	s.Run("chmod", "600", "/usr/lib/lab/wrong")
	if out, err := s.Try("connector", "config", "secret", "set", "LDAP_BIND_PASSWORD", "--value-file", "/usr/lib/lab/wrong"); exitOf(s.t, err) != exitRefused {
		s.t.Errorf("a wrong password: %v: %s", err, out)
	}
	s.Run("rm", "/usr/lib/lab/wrong")
	s.changes(plantedNext)
	pid := s.pid()
	s.sets(plantedNext)
	if now := s.pid(); now != pid {
		s.t.Errorf("the process %s became %s", pid, now)
	}
	s.serves("after the change")
	s.shows(plantedNext, handedSince)
	s.Run("kill", "-KILL", pid)
	lab.Eventually(s.t, "another process", func() bool { now := s.pid(); return now != "0" && now != pid && s.healthy() })
	s.serves("after the service was killed")
	s.shows(plantedNext, handedByStart)
	s.shows(first)
}

// moves takes the password to the file and back.
func (s *server) moves() {
	s.t.Helper()
	s.Run("connector", "config", "set", "SECRETS", "file")
	s.serves("with the password in the file")
	const unit = "/etc/systemd/system/auth0-adldap.service"
	if out, err := s.Try("sh", "-c", "ls "+installedHome+"/secrets; grep Credential "+unit); err == nil || strings.Contains(out, "Load") {
		s.t.Errorf("left in the store: %s", out)
	}
	s.Run("systemctl", "restart", "auth0-adldap")
	lab.Eventually(s.t, "the service", s.healthy)

	if out := s.Run("connector", "config", "set", "SECRETS", "systemd"); !strings.Contains(out, "next: systemctl restart auth0-adldap") {
		s.t.Errorf("%s", out)
	}
	s.Run("systemctl", "reload", "auth0-adldap") // which is refused, and harms nobody
	s.serves("before the restart")
	s.Run("systemctl", "restart", "auth0-adldap")
	lab.Eventually(s.t, "the service", s.healthy)
	s.serves("with the password in the store again")
	s.shows(plantedNext, handedByStart)
}
