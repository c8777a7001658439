package main

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/agent"
	"ad-ldap-connector/pkg/service"
	"ad-ldap-connector/testdata/lab"
)

// In the machine: the programs, and where the service and the pretend tenant are.
const (
	connectorThere = "/usr/local/bin/connector"
	helperThere    = "/usr/local/bin/helper"
	homeThere      = "/opt/auth0/ad-ldap"
	unitName       = "auth0-adldap"
)

// A served is a machine on which the connector is a service.
type served struct {
	*testing.T
	*lab.Machine
	cloud sandboxInfo
	hunt  *hunter
}

// buildStatic makes the program as it is released.
func buildStatic(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "connector")
	cmd := exec.Command("go", "build", "-o", program, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return program
}

// startThere starts the pretend tenant and directory.
func (s *served) startThere() {
	s.Helper()
	s.Machine.Run("systemd-run", "--quiet", "--unit=cloud", "--property=StandardOutput=truncate:/srv/cloud.json", "--property=StandardError=journal", connectorThere, "sandbox",
		"--state", "/srv/cloud", "--listen", "127.0.0.1:8443", "--ldap-listen", "127.0.0.1:8389", "--users", "/srv/users.ldif")
	lab.Eventually(s.T, "the pretend tenant", func() bool {
		out, err := s.Try("cat", "/srv/cloud.json")
		return err == nil && json.Unmarshal([]byte(out), &s.cloud) == nil
	})
}

// show is a property of the service.
func (s *served) show(property string) string {
	s.Helper()
	return strings.TrimSpace(s.Machine.Run("systemctl", "show", "--value", "--property="+property, unitName))
}

// healthy waits until logins can be answered. The clock is compared once a
// minute, which is not waited for.
func (s *served) healthy() {
	s.Helper()
	lab.Eventually(s.T, "the connector to be well", func() bool {
		out, _ := s.Try(connectorThere, "status", "--home", homeThere, "-o", "json") // degraded is a status too
		var st status
		if json.Unmarshal([]byte(out), &st) != nil || st.Service != "running" {
			return false
		}
		for _, p := range st.Parts {
			if p.Name != "clock" && p.Health != agent.OK {
				return false
			}
		}
		return true
	})
}

// another waits until the service runs in another process.
func (s *served) another(pid string) string {
	s.Helper()
	now := ""
	lab.Eventually(s.T, "another process than "+pid, func() bool {
		now = s.show("MainPID")
		return now != "0" && now != pid && s.show("ActiveState") == "active"
	})
	return now
}

// journal returns the records that match, since the machine started.
func (s *served) journal(match ...string) (records []map[string]any) {
	s.Helper()
	return s.decode(s.Machine.Run(append([]string{"journalctl", "--boot", "--no-pager", "--all", "--output=json", "--unit=" + unitName}, match...)...))
}

// decode reads what journalctl prints as JSON.
func (s *served) decode(out string) (records []map[string]any) {
	s.Helper()
	for line := range strings.Lines(out) {
		var r map[string]any
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			s.Fatalf("%s: %v", line, err)
		}
		records = append(records, r)
	}
	return records
}

// records waits until so many records match: the journal gets them a moment
// later.
func (s *served) records(n int, match string) (found []map[string]any) {
	s.Helper()
	lab.Eventually(s.T, fmt.Sprintf("%d records of %s", n, match), func() bool {
		found = s.journal(match)
		return len(found) == n
	})
	return found
}

func (s *served) ask(user, password string, times int) string {
	s.Helper()
	body, err := json.Marshal(map[string]string{"username": user, "password": password})
	if err != nil {
		s.Fatal(err)
	}
	return s.Machine.Run(helperThere, "ask", s.cloud.URL, string(body), fmt.Sprint(times))
}

// TestRunAsAService has a real systemd take care of the program, as it is
// released, whatever happens to it.
func TestRunAsAService(t *testing.T) {
	t.Parallel()
	m := lab.Boot(t)
	m.Copy(buildStatic(t), connectorThere)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	m.Copy(self, helperThere)
	s := &served{T: t, Machine: m}
	m.Write("/srv/users.ldif", []byte(plantedLDIF))
	m.Write("/srv/bind", []byte(plantedBind+"\n"))
	s.startThere()
	m.Write("/srv/ticket", []byte(s.cloud.Ticket+"\n"))
	m.Run(connectorThere, "install", "--no-service", "--non-interactive", "--skip", "host", "--home", homeThere, "--ticket-file", "/srv/ticket", "--ca-file", s.cloud.CA,
		"--ldap-url", "ldap://127.0.0.1:8389", "--ldap-base", "DC=corp,DC=test", "--ldap-bind-user", "CN=svc,DC=corp,DC=test", "--ldap-bind-password-file", "/srv/bind")
	unit, err := json.Marshal(service.Unit{
		Name: unitName, Description: "AD LDAP Connector", Program: connectorThere, Args: []string{"run", "--home", homeThere},
		Home: homeThere, User: unitName, Watchdog: 8 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	m.Run(helperThere, "register", string(unit))
	s.hunt = &hunter{t: t, secrets: map[string]string{
		"ticket": s.cloud.Ticket[strings.LastIndex(s.cloud.Ticket, "/")+1:], "bind password": plantedBind, "user's password": plantedUser, "wrong password": plantedWrong,
	}}
	for _, step := range []struct {
		name string
		test func(*served)
	}{
		{"begins", beginsThere},
		{"fields", fieldsThere},
		{"a journal that hangs", hungJournalThere},
		{"killed", killedThere},
		{"hung", hungThere},
		{"support", supportThere},
		{"stops", stopsThere},
		{"cannot run", cannotRunThere},
		{"boots alone", bootsThere},
		{"secrets", secretsThere},
	} {
		if !t.Run(step.name, func(t *testing.T) { s.T = t; s.hunt.t = t; step.test(s) }) {
			return // what follows builds on it
		}
	}
}

// Whoever starts it has waited until it began its work, and a reload is one.
func beginsThere(s *served) {
	s.Machine.Run("systemctl", "start", unitName)
	if state := s.show("ActiveState"); state != "active" {
		s.Errorf("it is %s", state)
	}
	s.healthy()
	lab.Eventually(s.T, "systemctl status to say so", func() bool {
		return strings.HasPrefix(s.show("StatusText"), "accepted by the hub, directory 127.0.0.1:8389, ") || strings.Contains(s.show("StatusText"), "clock")
	})
	s.records(1, "CONNECTOR_EVENT=connector starts")
	pid := s.show("MainPID")
	s.Machine.Run("systemctl", "reload", unitName)
	s.records(1, "CONNECTOR_EVENT=configuration reloaded")
	s.healthy()
	if now := s.show("MainPID"); now != pid {
		s.Errorf("process %s, then %s", pid, now)
	}
}

// Attributes are fields, however long they are and whatever is in them.
func fieldsThere(s *served) {
	long := strings.Repeat("long name ", 100)
	s.ask("mary", plantedUser, 1)
	s.ask("mary", plantedWrong, 1)
	s.ask("eve\nPRIORITY=0", plantedWrong, 1)
	s.ask(long, plantedWrong, 1)
	all := s.records(4, "CONNECTOR_EVENT=command answered")
	for i, want := range []struct{ user, outcome string }{{"mary", "accepted"}, {"mary", "refused"}, {`eve\nPRIORITY=0`, "refused"}} {
		r := all[i]
		if r["CONNECTOR_USER"] != want.user || r["CONNECTOR_OUTCOME"] != want.outcome || r["PRIORITY"] != "6" || r["CONNECTOR_PART"] != "hub" ||
			r["SYSLOG_IDENTIFIER"] != "connector" || r["_TRANSPORT"] != "journal" || !strings.HasPrefix(fmt.Sprint(r["MESSAGE"]), "command answered part=hub ") {
			s.Errorf("%d: %v", i, r)
		}
	}
	if user, _ := all[3]["CONNECTOR_USER"].(string); len(user) < 100 {
		s.Errorf("the long name: %q", user)
	}
	// More than a datagram holds goes another way, which the sandbox lets it.
	s.Machine.Run("systemd-run", "--quiet", "--wait", "--unit=big", "--property=ProtectSystem=strict", "--property=PrivateDevices=yes",
		"--property=PrivateIPC=yes", "--property=User="+unitName, helperThere, "note", "1000000")
	big := s.Machine.Run("journalctl", "--no-pager", "--all", "--output=json", "--unit=big", "CONNECTOR_EVENT=big")
	var r map[string]any
	if err := json.Unmarshal([]byte(big), &r); err != nil || r["CONNECTOR_ERR"] != strings.Repeat("line\n", 200_000) {
		s.Errorf("a record of a megabyte: %v, %.300s", err, big)
	}
	for _, r := range s.journal("_TRANSPORT=stdout") {
		s.Errorf("said on stderr: %v", r["MESSAGE"])
	}
}

// Logins go on while journald hangs, and after it was killed.
func hungJournalThere(s *served) {
	pid := s.show("MainPID")
	journald := strings.TrimSpace(s.Machine.Run("systemctl", "show", "--value", "--property=MainPID", "systemd-journald"))
	s.Machine.Run("kill", "-STOP", journald)
	s.ask("mary", plantedUser, 700) // more than its socket holds
	s.Machine.Run("kill", "-CONT", journald)
	s.Machine.Run("kill", "-KILL", journald)
	s.ask("mary", plantedUser, 1)
	lab.Eventually(s.T, "the journal", func() bool {
		s.ask("last", plantedWrong, 1)
		return len(s.journal("CONNECTOR_USER=last")) > 0
	})
	if now := s.show("MainPID"); now != pid {
		s.Errorf("process %s, then %s", pid, now)
	}
}

func killedThere(s *served) {
	pid := s.show("MainPID")
	s.Machine.Run("kill", "-KILL", pid)
	s.another(pid)
	s.healthy()
}

// A process that does nothing more is ended, and started again.
func hungThere(s *served) {
	pid := s.show("MainPID")
	s.Machine.Run("kill", "-STOP", pid)
	s.another(pid)
	if said := s.Machine.Run("journalctl", "--no-pager", "--boot", "--unit", unitName); !strings.Contains(said, "Watchdog timeout") {
		s.Errorf("it was not the watchdog that ended it:\n%s", said)
	}
	s.healthy()
}

// The archive has what the journal knows of the service, and the log can be
// read by those who may.
func supportThere(s *served) {
	s.Machine.Run(connectorThere, "support", "--home", homeThere, "--file", "/srv/case.zip", "--timeout", "20s")
	data := s.Machine.Run("cat", "/srv/case.zip")
	z, err := zip.NewReader(strings.NewReader(data), int64(len(data)))
	if err != nil {
		s.Fatal(err)
	}
	f, err := z.Open("logs/journal-" + unitName + ".txt")
	if err != nil {
		s.Fatal(err)
	}
	text, err := io.ReadAll(f)
	if err != nil || !strings.Contains(string(text), "connector starts version=") || !strings.Contains(string(text), "Watchdog timeout") {
		s.Errorf("%v: %.2000s", err, text)
	}
	s.hunt.search("the journal in the archive", string(text))

	if out := s.Machine.Run(connectorThere, "logs", "--home", homeThere, "-n", "2000"); !strings.Contains(out, "] connector starts version=") {
		s.Errorf("the log shows %s", out)
	}
	out, err := s.Try("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", connectorThere, "logs", "--home", homeThere)
	if err == nil || !strings.Contains(out, "permission denied") || !strings.Contains(out, "hint: run this as root") {
		s.Errorf("nobody reads the log: %v: %s", err, out)
	}
}

// It is stopped in order.
func stopsThere(s *served) {
	s.Machine.Run("systemctl", "stop", unitName)
	if status, result := s.show("ExecMainStatus"), s.show("Result"); status != "0" || result != "success" {
		s.Errorf("it ended with %s: %s", status, result)
	}
	s.records(1, "CONNECTOR_EVENT=connector stopped")
}

// What is wrong at the start is in the journal, and is an error there.
func cannotRunThere(s *served) {
	s.Machine.Run("cp", "--archive", homeThere+"/config.json", "/srv/config.json")
	s.Machine.Run("sh", "-c", "echo '{' >"+homeThere+"/config.json")
	if out, err := s.Try("systemctl", "start", unitName); err == nil {
		s.Errorf("it started: %s", out)
	}
	s.Machine.Run("systemctl", "stop", unitName)
	// Not by the unit: on a busy machine the journal looks for the process too late.
	var said []map[string]any
	lab.Eventually(s.T, "the reason in the journal", func() bool {
		said = s.decode(s.Machine.Run("journalctl", "--boot", "--no-pager", "--all", "--output=json", "CONNECTOR_EVENT=the connector cannot run"))
		return len(said) > 0
	})
	if said[0]["PRIORITY"] != "3" || !strings.Contains(fmt.Sprint(said[0]["CONNECTOR_ERR"]), "config.json") {
		s.Errorf("it said %v", said)
	}
	s.Machine.Run("cp", "--archive", "/srv/config.json", homeThere+"/config.json")
}

// The machine starts, and with it the service, while there is neither tenant
// nor directory. It is well once they come.
func bootsThere(s *served) {
	s.Reboot()
	if state := s.show("ActiveState"); state != "active" {
		s.Errorf("it is %s", state)
	}
	if out, err := s.Try(connectorThere, "status", "--home", homeThere, "-o", "json"); err == nil {
		s.Errorf("it is well without tenant and directory: %s", out)
	}
	s.startThere()
	s.healthy()
	if restarts := s.show("NRestarts"); restarts != "0" {
		s.Errorf("it was started again %s times", restarts)
	}
	s.ask("mary", plantedUser, 1)
	s.Machine.Run("systemctl", "stop", unitName)
}

// None of all that shows a secret.
func secretsThere(s *served) {
	s.hunt.search("the journal", s.Machine.Run("journalctl", "--no-pager", "--all", "--output=export", "--unit="+unitName))
	s.hunt.search("the log file", s.Machine.Run("cat", homeThere+"/logs/connector.log"))
}
