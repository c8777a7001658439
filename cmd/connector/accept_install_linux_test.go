package main

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/sandbox"
	"ad-ldap-connector/testdata/lab"
)

const installedHome = "/opt/auth0/ad-ldap"

// TestAcceptInstall is the life of a service on a machine that systemd started:
// installed from the program alone, started again with the machine, killed,
// hung, and removed without a trace.
func TestAcceptInstall(t *testing.T) {
	t.Parallel()
	s := bootServer(t)
	s.Run("systemd-creds", "setup") // the host's key, which stays
	for _, step := range []struct {
		name string
		test func(*testing.T, *server)
	}{
		{"life", installedLife},
		{"stored", storedThere},
		{"steps", spoiledSteps},
		{"imported", importedThere},
		{"guided", guidedThere},
		{"second", secondInstance},
		{"refused", refusedInstalls},
	} {
		before := s.Look()
		if !t.Run(step.name, func(t *testing.T) {
			s := &server{s.For(t), t, s.sandbox}
			step.test(t, s)
			lab.WantSame(t, before, s.Look())
		}) {
			return // what follows would find what this one left
		}
	}
}

func installedLife(t *testing.T, s *server) {
	ticket := s.newTicket("life")
	begun := time.Now()
	out := s.Run(s.install(shippedThere, ticket, "-o", "json")...)
	took := time.Since(begun)
	t.Logf("from the program alone to accepted by the hub: %.1f s", took.Seconds())
	if took > 15*time.Second {
		t.Errorf("it took %s", took)
	}
	var r installResult
	if err := json.Unmarshal([]byte(lastLine(out)), &r); err != nil || r.Result != "installed" || r.Service != "auth0-adldap" || r.Home != installedHome || r.Connection != "life" {
		t.Fatalf("%+v, %v:\n%s", r, err, out)
	}
	if refused := s.login("life", sandbox.DemoPassword); refused != "" {
		t.Errorf("alice is refused: %s", refused)
	}
	if refused := s.login("life", "wrong"); refused != "WrongPassword" {
		t.Errorf("alice with a wrong password: %q", refused)
	}
	installedProcess(t, s)
	installedFiles(t, s)
	installedSecrets(t, s, ticket)

	if out := s.Run(s.install(shippedThere, ticket, "-o", "json")...); !strings.Contains(lastLine(out), `"result":"unchanged"`) {
		t.Errorf("a second run: %s", out)
	}
	// It is found by its short name, and needs no flags.
	if out := s.Run("connector", "status"); !strings.Contains(out, "service running") {
		t.Errorf("status: %s", out)
	}

	installedRestart(t, s, "life")
	installedUpdate(t, s, "life")
	pid := s.pid()
	s.Run("kill", "-KILL", pid)
	lab.Eventually(t, "another process", func() bool { now := s.pid(); return now != "0" && now != pid && s.healthy() })
	s.Reboot()
	s.startSandbox()
	lab.Eventually(t, "the service after the machine started again", s.healthy)
	if refused := s.login("life", sandbox.DemoPassword); refused != "" {
		t.Errorf("after the machine started again: %s", refused)
	}

	if out, err := s.Try("connector", "uninstall"); exitOf(t, err) != exitUsage || !strings.Contains(out, "--yes") {
		t.Errorf("uninstall without a terminal: %v: %s", err, out)
	}
	out = s.Run("connector", "uninstall", "--yes", "-o", "json")
	if last := lastLine(out); !strings.Contains(last, `"result":"removed"`) || !strings.Contains(last, `"kept":"`+installedHome+`"`) {
		t.Errorf("uninstall: %s", out)
	}
	if owners := s.Run("find", installedHome, "!", "-user", "root"); owners != "" {
		t.Errorf("these belong to an account that is gone:\n%s", owners)
	}
	// What was kept is taken up again, with the same keys.
	cert := s.Run("cat", installedHome+"/certs/cert.pem")
	s.Run(s.install(shippedThere, ticket)...)
	if now := s.Run("cat", installedHome+"/certs/cert.pem"); now != cert {
		t.Error("the key pair is another one")
	}
	if out := s.Run("connector", "uninstall", "--yes", "--purge"); strings.Contains(out, "kept") {
		t.Errorf("uninstall --purge: %s", out)
	}
	s.Run("rm", ticket)
}

// pid is the service's process, "0" if there is none.
func (s *server) pid() string {
	out, err := s.Try("systemctl", "show", "--property=MainPID", "--value", "auth0-adldap.service")
	if err != nil {
		return "0"
	}
	return strings.TrimSpace(out)
}

func (s *server) healthy() bool {
	_, err := s.Try(installedHome+"/bin/connector", "status")
	return err == nil
}

// installedProcess looks at the process, which has no more rights than it needs.
func installedProcess(t *testing.T, s *server) {
	status := s.Run("cat", "/proc/"+s.pid()+"/status")
	uid := strings.TrimSpace(s.Run("id", "-u", "auth0-adldap"))
	for _, want := range []string{"Uid:\t" + uid + "\t", "CapEff:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"} {
		if !strings.Contains(status, want) {
			t.Errorf("want %q in\n%s", want, status)
		}
	}
	out := s.Run("systemd-analyze", "security", "--no-pager", "auth0-adldap.service")
	found := regexp.MustCompile(`Overall exposure level for .*: (\d+\.\d+)`).FindStringSubmatch(out)
	if found == nil {
		t.Fatal(out)
	}
	if score, err := strconv.ParseFloat(found[1], 64); err != nil || score > 2.0 {
		t.Errorf("exposure %s", found[1])
	}
	t.Logf("systemd-analyze security: %s", found[1])
}

// installedFiles looks at who may do what with the files.
func installedFiles(t *testing.T, s *server) {
	for name, want := range map[string]string{
		installedHome: "root:auth0-adldap 1771", installedHome + "/bin": "root:root 755", installedHome + "/bin/connector": "root:root 755",
		installedHome + "/config.json": "auth0-adldap:auth0-adldap 600", installedHome + "/certs/cert.key": "auth0-adldap:auth0-adldap 600",
		installedHome + "/state": "auth0-adldap:auth0-adldap 700",
	} {
		if got := strings.TrimSpace(s.Run("stat", "--format=%U:%G %a", name)); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	s.Run("useradd", "stranger")
	for _, args := range [][]string{
		{"ls", installedHome}, {"cat", installedHome + "/config.json"}, {"cat", installedHome + "/certs/cert.key"}, {"cat", installedHome + "/logs/connector.log"},
	} {
		if out, err := s.Try(append([]string{"setpriv", "--reuid=stranger", "--clear-groups"}, args...)...); err == nil {
			t.Errorf("anybody may %q: %s", args, out)
		}
	}
	s.Run("setpriv", "--reuid=stranger", "--clear-groups", "connector", "version")
	if out, err := s.Try("setpriv", "--reuid=stranger", "--clear-groups", "connector", "status"); exitOf(t, err) != exitFault || !strings.Contains(out, "permission denied") || !strings.Contains(out, "hint: run it as root") {
		t.Errorf("status for anybody: %v: %s", err, out)
	}
	// The service's account may write its files, and cannot touch the program.
	for _, shell := range []string{"mv bin other", "rm bin/connector", "touch bin/new", "mv bin/connector x", ": >bin/connector"} {
		if out, err := s.Try("setpriv", "--reuid=auth0-adldap", "--regid=auth0-adldap", "--clear-groups", "sh", "-c", "cd "+installedHome+" && "+shell); err == nil {
			t.Errorf("the account may %s: %s", shell, out)
		}
	}
	s.Run("userdel", "stranger")
}

// installedSecrets looks for the ticket and the password wherever others could
// see them: argument lists, environments, units, the journal and the disk.
func installedSecrets(t *testing.T, s *server, ticketFile string) {
	secret := strings.TrimSpace(s.Run("cat", ticketFile))
	ticket := secret[strings.LastIndexByte(secret, '/')+1:]
	password := strings.TrimSpace(s.Run("cat", s.sandbox.BindPasswordFile))
	if len(ticket) < 8 || len(password) < 8 {
		t.Fatalf("%q, %q", ticket, password)
	}
	s.Write("/usr/lib/lab/patterns", []byte(ticket+"\n"+password+"\n"))
	search := func(where string, shell string, allowed ...string) {
		t.Helper()
		out, _ := s.Try("sh", "-c", shell) // grep finds nothing: that is no error here
		for line := range strings.Lines(out) {
			if line = strings.TrimSpace(line); line != "" && !slices.Contains(allowed, line) {
				t.Errorf("%s: a secret is in %s", where, line)
			}
		}
	}
	search("processes", `for p in /proc/[0-9]*; do for f in cmdline environ; do grep -laFf /usr/lib/lab/patterns $p/$f 2>/dev/null; done; done`)
	search("journal", `journalctl --no-pager --output=export | grep -aFf /usr/lib/lab/patterns`)
	search("disk", `grep -rlaFf /usr/lib/lab/patterns / --exclude-dir=proc --exclude-dir=sys --exclude-dir=lab --exclude-dir=dev 2>/dev/null`,
		installedHome+"/config.json") // the ticket, as it always was
	search("configuration", `grep -cF '`+password+`' `+installedHome+`/config.json | grep -v '^0$'`)
	s.Run("rm", "/usr/lib/lab/patterns")
}

// guidedThere answers questions at a terminal of the machine's.
func guidedThere(t *testing.T, s *server) {
	ticket := s.newTicket("guided")
	cmd := s.Command(shippedThere, "install", "--ca-file", s.sandbox.CA)
	cmd.Env = append(cmd.Env, "TERM=xterm")
	p := sitAt(t, cmd)
	p.asked("Ticket URL", strings.TrimSpace(s.Run("cat", ticket)))
	p.asked("Directory URL", s.sandbox.LDAPURL)
	p.asked("Service account", s.sandbox.BindUser)
	p.asked("Password of "+s.sandbox.BindUser, strings.TrimSpace(s.Run("cat", s.sandbox.BindPasswordFile)))
	p.asked("Base DN of the users", "")
	p.asked("Install with these answers?", "y")
	p.sees("installed: connection guided")
	p.sees("the hub has accepted it")
	p.leaves(exitOK)
	if refused := s.login("guided", sandbox.DemoPassword); refused != "" {
		t.Errorf("alice is refused: %s", refused)
	}
	s.Run("connector", "uninstall", "--yes", "--purge")
	s.Run("rm", ticket)
}

// secondInstance installs two connectors beside each other, and beside a program
// that has the console's port.
func secondInstance(t *testing.T, s *server) {
	s.Run("systemd-run", "--quiet", "--unit=squatter", shippedThere, "sandbox", "--no-directory", "--listen", "127.0.0.1:8357")
	defer s.Run("systemctl", "stop", "squatter")
	lab.Eventually(t, "somebody at the console's port", func() bool {
		_, err := s.Try("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8357")
		return err == nil
	})
	one, two := s.newTicket("one"), s.newTicket("two")
	if out := s.Run(s.install(shippedThere, one)...); !strings.Contains(out, "port 8357 is taken; CONSOLE_ADDR will be 127.0.0.1:8358") {
		t.Errorf("%s", out)
	}
	out := s.Run(s.install(shippedThere, two, "--name", "second", "-o", "json")...)
	if !strings.Contains(lastLine(out), `"service":"auth0-adldap-second"`) || !strings.Contains(lastLine(out), installedHome+"-second") {
		t.Errorf("%s", out)
	}
	for _, connection := range []string{"one", "two"} {
		if refused := s.login(connection, sandbox.DemoPassword); refused != "" {
			t.Errorf("a login for %s: %s", connection, refused)
		}
	}
	var all struct {
		Instances []struct {
			Name, Home string
			Status     status
		}
	}
	out = s.Run(shippedThere, "status", "--all", "-o", "json")
	if err := json.Unmarshal([]byte(out), &all); err != nil || len(all.Instances) != 2 {
		t.Fatalf("status --all: %v: %s", err, out)
	}
	for i, want := range []struct{ name, home, connection string }{
		{"auth0-adldap", installedHome, "one"}, {"auth0-adldap-second", installedHome + "-second", "two"},
	} {
		got := all.Instances[i]
		if got.Name != want.name || got.Home != want.home || got.Status.Connection != want.connection || got.Status.Service != "running" {
			t.Errorf("status --all: %+v", got)
		}
	}
	// The same connection once more is said, before the tenant refuses it.
	before := s.Look()
	out, err := s.Try(s.install(shippedThere, two, "--name", "third")...)
	for _, want := range []string{"agent.duplicate", installedHome + "-second serves two too", "the connection has a connector already"} {
		if exitOf(t, err) != exitUndone || !strings.Contains(out, want) {
			t.Errorf("the same connection twice: %v, want %q in:\n%s", err, want, out)
		}
	}
	lab.WantSame(t, before, s.Look())
	s.Run(shippedThere, "uninstall", "--yes", "--purge")
	if refused := s.login("two", sandbox.DemoPassword); refused != "" {
		t.Errorf("the other one, once the first is gone: %s", refused)
	}
	s.Run(shippedThere, "--name", "second", "uninstall", "--yes", "--purge")
	s.Run("rm", one, two)
}

// refusedInstalls change nothing.
func refusedInstalls(t *testing.T, s *server) {
	ticket := s.newTicket("refused")
	s.Run("useradd", "--create-home", "somebody")
	if out, err := s.Try("setpriv", "--reuid=somebody", "--clear-groups", shippedThere, "install", "--non-interactive"); exitOf(t, err) != exitFault ||
		!strings.Contains(out, "only an administrator may") || !strings.Contains(out, "--no-service") {
		t.Errorf("without rights: %v: %s", err, out)
	}
	s.Run("userdel", "--remove", "somebody")

	// Another program's service of that name stays, whatever it is.
	s.Write("/etc/systemd/system/auth0-adldap.service", []byte("[Service]\nExecStart=/bin/sleep infinity\n"))
	s.Run("systemctl", "daemon-reload")
	before := s.Look()
	if out, err := s.Try(s.install(shippedThere, ticket)...); exitOf(t, err) != exitUndone || !strings.Contains(out, "is not the connector's") {
		t.Errorf("a foreign service: %v: %s", err, out)
	}
	lab.WantSame(t, before, s.Look())
	s.Run("rm", "/etc/systemd/system/auth0-adldap.service")
	s.Run("systemctl", "daemon-reload")

	// An administrator's own setting keeps it from starting.
	const dropIn = "/etc/systemd/system/auth0-adldap.service.d"
	s.Write(dropIn+"/own.conf", []byte("[Service]\nExecStartPre=/bin/false\n"))
	before = s.Look()
	out, err := s.Try(s.install(shippedThere, ticket)...)
	for _, want := range []string{"start-service: start the service auth0-adldap: ", "left: ", "the key pair stays"} {
		if exitOf(t, err) != exitFault || !strings.Contains(out, want) {
			t.Errorf("a service that does not start: %v, want %q in:\n%s", err, want, out)
		}
	}
	s.Run(shippedThere, "uninstall", "--yes", "--purge")
	lab.WantSame(t, before, s.Look())
	s.Run("rm", "-r", dropIn)
	s.Run("systemctl", "daemon-reload")
	ticket = s.newTicket("refused-too")

	// A full disk.
	s.Run("mkdir", "-p", "/opt/auth0")
	s.Run("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", "/opt/auth0")
	before = s.Look()
	if out, err := s.Try(s.install(shippedThere, ticket, "--skip", "host.disk")...); exitOf(t, err) != exitUndone || !strings.Contains(out, "no space left") {
		t.Errorf("a full disk: %v: %s", err, out)
	}
	lab.WantSame(t, before, s.Look())
	s.Run("umount", "/opt/auth0")
	s.Run("rmdir", "/opt/auth0")
	s.Run("rm", ticket, strings.TrimSuffix(ticket, "-too"))
}
