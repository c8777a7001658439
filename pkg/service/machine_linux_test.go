package service

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/testdata/lab"
)

// In the machine: this program, and where its services are.
const (
	programThere = "/usr/local/bin/agent"
	homesThere   = "/srv/agents"
)

// makeOwnHome makes the home of a service, which is the service's own.
func makeOwnHome(t *testing.T, u Unit) {
	t.Helper()
	for _, args := range [][]string{{"mkdir", "-p", u.Home}, {"chown", "-R", u.User, u.Home}, {"chmod", "700", u.Home}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", args, err, out)
		}
	}
}

// build makes a static program of this package's tests.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "agent")
	cmd := exec.Command("go", "test", "-c", "-o", program, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return program
}

// A real systemd keeps a service running, whatever happens to it.
func TestMachine(t *testing.T) {
	m := lab.Boot(t)
	m.Copy(build(t), programThere)
	untouched := m.Look()
	m.Run("useradd", "--system", "--user-group", "seen")
	if diff := strings.Join(lab.Diff(untouched, m.Look()), "\n"); !strings.Contains(diff, "+ user seen") || !strings.Contains(diff, "~ content /etc/shadow") {
		t.Fatalf("a new account looks like this: %s", diff)
	}
	m.Run("userdel", "seen")
	steps := []struct {
		name string
		test func(*testing.T, *lab.Machine)
	}{
		{"conformance", conformanceThere},
		{"foreign", foreignThere},
		{"half", halfThere},
		{"hidden", hiddenThere},
		{"former", formerThere},
		{"accounts", accountsThere},
		{"life", lifeThere},
		{"low port", lowPortThere},
		{"two of them", twoThere},
	}
	for _, step := range steps {
		if !t.Run(step.name, func(t *testing.T) {
			step.test(t, m)
			lab.WantSame(t, untouched, m.Look())
		}) {
			return // what follows would find what this one left
		}
	}
}

func conformanceThere(t *testing.T, m *lab.Machine) {
	out := m.Run("env", inMachine+"=1", programThere, "-test.run=^TestConformance$", "-test.v")
	if !strings.Contains(out, "--- PASS: TestConformance/system") {
		t.Fatal(out)
	}
}

// A service that somebody else made is not touched.
func foreignThere(t *testing.T, m *lab.Machine) {
	u := unitThere("foreign")
	for _, file := range []string{"/etc/systemd/system/foreign.service", "/usr/local/lib/systemd/system/foreign.service"} {
		m.Write(file, []byte("[Service]\nExecStart=/bin/sleep infinity\n"))
		m.Run("systemctl", "daemon-reload")
		before := m.Look()
		for _, verb := range []string{"register", "remove"} {
			out, err := m.Try(programThere, verb, asJSON(t, u))
			if err == nil || !strings.Contains(out, "is not the connector's: "+file) {
				t.Errorf("%s: %v: %s", verb, err, out)
			}
		}
		m.Run("userdel", u.User)
		lab.WantSame(t, before, m.Look())
		m.Run("rm", file)
	}
	m.Run("rm", "-rf", "/usr/local/lib/systemd")
	m.Run("systemctl", "daemon-reload")
}

// What was left half done, or half undone by hand, is mended and removed.
func halfThere(t *testing.T, m *lab.Machine) {
	u := unitThere("half")
	unit, link := "/etc/systemd/system/half.service", "/etc/systemd/system/multi-user.target.wants/half.service"
	for what, spoil := range map[string][]string{
		"a file that systemd has not seen": {"sh", "-c", "cp " + unit + " /tmp/x; systemctl disable --quiet half; rm " + unit +
			"; systemctl daemon-reload; cp /tmp/x " + unit},
		"a file that systemd still sees": {"rm", unit},
		"a link to nothing":              {"sh", "-c", "rm " + unit + "; systemctl daemon-reload"},
		"not enabled":                    {"systemctl", "disable", "--quiet", "half"},
		"changed by hand":                {"sed", "-i", "s/^Restart=.*/Restart=no/", unit},
	} {
		m.Run(programThere, "register", asJSON(t, u))
		m.Run(spoil...)
		if out := m.Run(programThere, "register", asJSON(t, u)); out != "changed: true\n" {
			t.Errorf("%s: %s", what, out)
		}
		m.Run("systemctl", "is-enabled", "half")
		m.Run(spoil...)
		m.Run(programThere, "remove", asJSON(t, u))
		if out, err := m.Try("ls", unit, link); err == nil || strings.Contains(out, "\n/etc") {
			t.Errorf("%s: it left %s", what, out)
		}
	}
	m.Run("rm", "/tmp/x")
}

// An account that was there before survives.
func accountsThere(t *testing.T, m *lab.Machine) {
	u := unitThere("accounts")
	m.Run("useradd", "--system", "--comment", "not the connector's", u.User)
	before := m.Look()
	m.Run(programThere, "register", asJSON(t, u))
	m.Run(programThere, "remove", asJSON(t, u))
	lab.WantSame(t, before, m.Look())
	m.Run("userdel", u.User)

	m.Run(programThere, "register", asJSON(t, u))
	passwd := strings.TrimSpace(m.Run("getent", "passwd", u.User))
	if !regexp.MustCompile(`^accounts:x:[1-9]\d{2}:\d+:` + mark + `:/nonexistent:/usr/sbin/nologin$`).MatchString(passwd) {
		t.Errorf("account %q", passwd)
	}
	if shadow := m.Run("getent", "shadow", u.User); !strings.HasPrefix(shadow, "accounts:!") {
		t.Errorf("it has a password: %q", shadow)
	}
	m.Run(programThere, "remove", asJSON(t, u))
}

// One service is started, killed, hung, restarted with the machine and removed.
func lifeThere(t *testing.T, m *lab.Machine) {
	u := unitThere("life")
	u.Watchdog = 6 * time.Second
	u.Environment = u.Home + "/environment" // which is missing
	u.Args = append(u.Args, "127.0.0.1:4389")
	if out := m.Run(programThere, "register", asJSON(t, u)); out != "changed: true\n" {
		t.Fatalf("register: %s", out)
	}
	makeHome(m, u)
	if out := m.Run("systemd-analyze", "verify", "/etc/systemd/system/life.service"); out != "" {
		t.Errorf("systemd complains: %s", out)
	}
	security(t, m, u.Name)

	m.Run("systemctl", "start", u.Name)
	m.Run("test", "-f", u.Home+"/ready") // who started it has waited
	first := statusThere(t, m, u)
	if first.State != Running || !first.Enabled || first.Since.IsZero() {
		t.Errorf("status %+v", first)
	}
	uid := strings.TrimSpace(m.Run("id", "-u", u.User))
	if seen := m.Run("cat", u.Home+"/seen"); seen != "uid "+uid+"\n" {
		t.Errorf("the service says:\n%s", seen)
	}

	m.Run("kill", "-KILL", strconv.Itoa(first.PID))
	second := waitForNew(t, m, u, first)
	m.Run("kill", "-USR1", strconv.Itoa(second.PID))
	third := waitForNew(t, m, u, second)
	if journal := m.Run("journalctl", "--no-pager", "--unit", u.Name); !strings.Contains(journal, "Watchdog timeout") {
		t.Errorf("it was not the watchdog that ended it:\n%s", journal)
	}
	if third.Restarts < 2 {
		t.Errorf("restarts: %+v", third)
	}

	m.Run("systemctl", "stop", u.Name)
	m.Run("test", "-f", u.Home+"/stopped") // it ended in order
	m.Run("rm", u.Home+"/ready", u.Home+"/stopped")
	m.Reboot()
	if st := statusThere(t, m, u); st.State != Running {
		t.Errorf("after the machine started again: %+v", st)
	}
	if same := m.Run(programThere, "register", asJSON(t, u)); same != "changed: false\n" {
		t.Errorf("registered once more: %s", same)
	}

	m.Run(programThere, "remove", asJSON(t, u))
	m.Run("rm", "-r", homesThere)
}

// The only right that a service ever gets is that over low ports.
func lowPortThere(t *testing.T, m *lab.Machine) {
	u := unitThere("low")
	u.Args = append(u.Args, "127.0.0.1:443")
	u.Ports = []int{443, 8357}
	m.Run(programThere, "register", asJSON(t, u))
	makeHome(m, u)
	security(t, m, u.Name)
	m.Run("systemctl", "start", u.Name)
	pid := strconv.Itoa(statusThere(t, m, u).PID)
	const bindLow = 1 << 10 // CAP_NET_BIND_SERVICE
	for _, set := range []string{"CapEff", "CapPrm", "CapBnd", "CapAmb"} {
		line := m.Run("grep", set, "/proc/"+pid+"/status")
		if got, err := strconv.ParseUint(strings.Fields(line)[1], 16, 64); err != nil || got != bindLow {
			t.Errorf("%q, %v", line, err)
		}
	}
	m.Run(programThere, "remove", asJSON(t, u))
	m.Run("rm", "-r", homesThere)
}

// Several services on one machine have nothing in common: not the account, the
// home, or the end.
func twoThere(t *testing.T, m *lab.Machine) {
	one, two := unitThere("auth0-adldap"), unitThere("auth0-adldap-second")
	two.Program = two.Home + "/agent" // in its home, where it may write
	for _, u := range []Unit{one, two} {
		m.Run(programThere, "register", asJSON(t, u))
		m.Run("mkdir", "-p", u.Home)
		m.Run("cp", programThere, u.Home+"/agent")
		m.Run("touch", u.Home+"/mine")
		u.Owned = []string{"mine"}
		m.Run(programThere, "entrust", asJSON(t, u))
		m.Run("systemctl", "start", u.Name)
		m.Run("cat", u.Home+"/ready")
	}
	if owner := m.Run("stat", "--format=%U:%G", one.Home, one.Home+"/mine", two.Home+"/mine", two.Program); owner !=
		"root:"+one.User+"\n"+one.User+":"+one.User+"\n"+two.User+":"+two.User+"\nroot:root\n" {
		t.Errorf("owners %q", owner)
	}
	other := statusThere(t, m, two)
	for _, verb := range []string{"mv", "rm -f"} {
		out, err := m.Try("nsenter", "--target", strconv.Itoa(other.PID), "--mount", "--setuid", strings.TrimSpace(m.Run("id", "-u", two.User)),
			"/bin/sh", "-c", verb+` "$1" "$2"`, "sh", two.Program, two.Home+"/other")
		if err == nil {
			t.Errorf("it could %s its program: %s", verb, out)
		}
	}
	m.Run(programThere, "remove", asJSON(t, one))
	if now := statusThere(t, m, two); now.State != Running || now.PID != other.PID {
		t.Errorf("the other one: %+v, then %+v", other, now)
	}
	m.Run(programThere, "remove", asJSON(t, two))
	m.Run("rm", "-r", homesThere)
}

// A connector may live where people's files are, which it does not see.
func hiddenThere(t *testing.T, m *lab.Machine) {
	u := unitThere("hidden")
	u.Program, u.Home, u.Writable = "/root/bin/agent", "/home/hidden/conn", []string{"/tmp/spool"}
	m.Run("mkdir", "-p", "/root/bin", "/tmp/spool")
	m.Run("cp", programThere, u.Program)
	m.Write("/root/secret", nil)
	m.Write("/home/hidden/secret", nil)
	m.Run(programThere, "register", asJSON(t, u))
	makeHome(m, u)
	m.Run("systemctl", "start", u.Name)
	pid := strconv.Itoa(statusThere(t, m, u).PID)
	for dir, want := range map[string]string{"/root": "bin\n", "/root/bin": "agent\n", "/home/hidden": "conn\n", "/tmp": "spool\n"} {
		if got := m.Run("nsenter", "--target", pid, "--mount", "ls", dir); got != want {
			t.Errorf("in %s it sees %q", dir, got)
		}
	}
	if seen := m.Run("cat", u.Home+"/seen"); strings.Count(seen, "\n") != 1 {
		t.Errorf("the service says:\n%s", seen)
	}
	security(t, m, u.Name)
	m.Run(programThere, "remove", asJSON(t, u))
	m.Run("rm", "-r", "/root/bin", "/root/secret", "/home/hidden", "/tmp/spool")
}

func unitThere(name string) Unit {
	return Unit{
		Name: name, Description: "A service for tests", Program: programThere, Args: []string{"agent"},
		Home: homesThere + "/" + name + " home", User: name,
	}
}

func makeHome(m *lab.Machine, u Unit) {
	m.Run("mkdir", "-p", u.Home)
	m.Run("chown", u.User, u.Home)
}

func asJSON(t *testing.T, u Unit) string {
	t.Helper()
	data, err := json.Marshal(u)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func statusThere(t *testing.T, m *lab.Machine, u Unit) Status {
	t.Helper()
	var st Status
	if err := json.Unmarshal([]byte(m.Run(programThere, "status", asJSON(t, u))), &st); err != nil {
		t.Fatal(err)
	}
	return st
}

// waitForNew waits until a service runs in another process than it did.
func waitForNew(t *testing.T, m *lab.Machine, u Unit, old Status) (st Status) {
	t.Helper()
	lab.Eventually(t, fmt.Sprintf("another process than %d", old.PID), func() bool {
		st = statusThere(t, m, u)
		return st.State == Running && st.PID != old.PID
	})
	return st
}

// security wants what systemd says of a sandbox to be no worse than 2.0.
func security(t *testing.T, m *lab.Machine, name string) {
	t.Helper()
	out := m.Run("systemd-analyze", "security", "--no-pager", name+".service")
	found := regexp.MustCompile(`Overall exposure level for .*: (\d+\.\d+)`).FindStringSubmatch(out)
	if found == nil {
		t.Fatal(out)
	}
	score, err := strconv.ParseFloat(found[1], 64)
	if err != nil || score > 2.0 {
		t.Errorf("exposure %.1f, %v:\n%s", score, err, out)
	}
	t.Logf("exposure of %s: %.1f", name, score)
}
