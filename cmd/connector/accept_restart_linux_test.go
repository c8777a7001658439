package main

import (
	"encoding/json"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/sandbox"
	"ad-ldap-connector/testdata/lab"
)

// restartStream logs in, one after the other, until it is told that it is enough.
const restartStream = `while [ ! -e /usr/lib/lab/enough ]; do
	"$1" "$2" "$3" "$4" >>/usr/lib/lab/answers 2>&1
	echo "exit $?" >>/usr/lib/lab/answers
done
`

// installedRestart replaces the program of a running service, and has it
// succeeded by the new one, under logins: to systemd it is one service that never
// stopped.
func installedRestart(t *testing.T, s *server, connection string) {
	s.Write("/usr/lib/lab/stream", []byte(restartStream))
	s.Run("systemd-run", "--quiet", "--unit=stream", "sh", "/usr/lib/lab/stream", requestThere, s.sandbox.CA,
		s.sandbox.API+"/requests/authenticate_user", `{"connection":"`+connection+`","username":"alice","password":"`+sandbox.DemoPassword+`"}`)
	program := installedHome + "/bin/connector"
	for range 2 {
		before := s.pid()
		s.Run("cp", "--preserve=mode,ownership", program, program+".new")
		s.Run("mv", program+".new", program)
		var r restartResult
		out := s.Run("connector", "restart", "-o", "json")
		if err := json.Unmarshal([]byte(lastLine(out)), &r); err != nil || r.Result != "restarted" || r.PID == 0 {
			t.Fatalf("%v: %s", err, out)
		}
		t.Logf("restarted in %d ms", r.TookMs)
		if now := s.pid(); now == before || now == "0" {
			t.Errorf("the main process was %s, and is %s", before, now)
		}
		lab.Eventually(t, "the former process to end", func() bool { _, err := s.Try("kill", "-0", before); return err != nil })
		want := "ActiveState=active\nNRestarts=0"
		if got := strings.TrimSpace(s.Run("systemctl", "show", "--property=ActiveState,NRestarts", "auth0-adldap.service")); !sameLines(got, want) {
			t.Errorf("systemd says\n%s\nand not\n%s", got, want)
		}
		if status := s.Run("cat", "/proc/"+s.pid()+"/status"); !strings.Contains(status, "Seccomp:\t2") || !strings.Contains(status, "NoNewPrivs:\t1") {
			t.Errorf("the new process is without bounds:\n%s", status)
		}
	}
	s.Run("touch", "/usr/lib/lab/enough")
	lab.Eventually(t, "the end of the logins", func() bool { _, err := s.Try("systemctl", "is-active", "--quiet", "stream"); return err != nil })
	answers := s.Run("cat", "/usr/lib/lab/answers")
	asked, accepted, well := strings.Count(answers, "exit "), strings.Count(answers, `"reply":{"profile":`), strings.Count(answers, "exit 0\n")
	t.Logf("%d logins", asked)
	if asked == 0 || accepted != asked || well != asked {
		t.Errorf("of %d logins %d were accepted:\n%.2000s", asked, accepted, answers)
	}
	// The watchdog watches the new process: one that hangs is ended.
	pid := s.pid()
	s.Run("kill", "-STOP", pid)
	lab.Eventually(t, "the watchdog", func() bool { now := s.pid(); return now != "0" && now != pid && s.healthy() })
	s.Run("systemctl", "stop", "auth0-adldap.service")
	if got := s.pid(); got != "0" {
		t.Errorf("process %s outlives the service", got)
	}
	if out := s.Run("connector", "restart", "-o", "json"); !strings.Contains(lastLine(out), `"result":"started"`) {
		t.Errorf("where the service does not run: %s", out)
	}
	lab.Eventually(t, "the service", s.healthy)
	s.Run("rm", "/usr/lib/lab/stream", "/usr/lib/lab/enough", "/usr/lib/lab/answers")
}

// sameLines compares texts whatever the order of their lines.
func sameLines(a, b string) bool {
	lines := func(text string) map[string]bool {
		all := map[string]bool{}
		for line := range strings.Lines(text) {
			all[strings.TrimSpace(line)] = true
		}
		return all
	}
	x, y := lines(a), lines(b)
	for line := range x {
		if !y[line] {
			return false
		}
	}
	return len(x) == len(y)
}
