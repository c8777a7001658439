package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/sandbox"
	"ad-ldap-connector/testdata/lab"
)

// installedUpdate updates a running service under logins, to a program that
// serves, to one that does not start, and back: to systemd it is one service that
// never stopped.
func installedUpdate(t *testing.T, s *server, connection string) {
	s.Write("/usr/lib/lab/stream", []byte(restartStream))
	s.Run("systemd-run", "--quiet", "--unit=stream", "sh", "/usr/lib/lab/stream", requestThere, s.sandbox.CA,
		s.sandbox.API+"/requests/authenticate_user", `{"connection":"`+connection+`","username":"alice","password":"`+sandbox.DemoPassword+`"}`)
	const next, broken = "/usr/lib/lab/next", "/usr/lib/lab/broken"
	program := installedHome + "/bin/connector"
	s.Run("sh", "-c", "cp "+shippedThere+" "+next+" && echo >>"+next) // another program, that does the same
	s.Write(broken, []byte("#!/bin/sh\n[ $1 = run ] && { echo alas >&2; exit 7; }\nexec "+shippedThere+" \"$@\"\n"))
	s.Run("chmod", "755", broken)
	sum := func(file string) string {
		text, _, _ := strings.Cut(s.Run("sha256sum", file), " ")
		return text
	}
	update := func(args ...string) (updateResult, string, int) {
		t.Helper()
		out, err := s.Try(append([]string{"env", hurry + "=1s", spoiledThere, "update", "-o", "json", "--skip", "network"}, args...)...)
		var r updateResult
		for line := range strings.Lines(out) {
			var one updateResult
			if json.Unmarshal([]byte(line), &one) == nil && one.Result != "" {
				r = one
			}
		}
		return r, out, exitOf(t, err)
	}
	first, was := sum(program), s.pid()
	if r, out, status := update("--from", broken, "--sha256", sum(broken)); status != exitUndone || r.Result != "undone" || s.pid() != was || sum(program) != first ||
		!strings.Contains(out, "exit status 7") || !strings.Contains(out, "alas") {
		t.Errorf("a program that does not start: %d, %+v, process %s and then %s:\n%s", status, r, was, s.pid(), out)
	}
	if r, out, status := update("--from", next, "--sha256", sum(next)); status != exitOK || r.Result != "updated" || s.pid() == was || sum(program) != sum(next) {
		t.Errorf("%d, %+v, process %s and then %s:\n%s", status, r, was, s.pid(), out)
	}
	if r, out, status := update("--rollback"); status != exitOK || r.Result != "updated" || sum(program) != first {
		t.Errorf("back: %d, %+v:\n%s", status, r, out)
	}
	// The system's own timer updates it, where that is wanted.
	s.Run("connector", "config", "set", "UPDATE_AUTO", "on")
	day := time.Now().AddDate(0, 0, 3).Format("Mon") // which it is not, whenever this runs
	s.Run("connector", "config", "set", "UPDATE_WINDOW", day+" 02:00-04:00")
	s.Run(s.install(shippedThere, "/usr/lib/lab/ticket-"+connection)...)
	if out := s.Run("systemctl", "show", "--property=TimersCalendar,ActiveState,UnitFileState", "auth0-adldap-update.timer"); !strings.Contains(out, day+" *-*-* 02:00:00") ||
		!strings.Contains(out, "ActiveState=active") || !strings.Contains(out, "UnitFileState=enabled") {
		t.Errorf("the timer is\n%s", out)
	}
	s.Run("systemctl", "start", "auth0-adldap-update.service") // which does nothing at another time
	want := "ActiveState=active\nNRestarts=0"
	if got := strings.TrimSpace(s.Run("systemctl", "show", "--property=ActiveState,NRestarts", "auth0-adldap.service")); !sameLines(got, want) {
		t.Errorf("systemd says\n%s\nand not\n%s", got, want)
	}
	if modes := strings.TrimSpace(s.Run("stat", "--format=%U:%G %a", program, installedHome+"/bin/connector-previous")); modes != "root:root 755\nroot:root 755" {
		t.Errorf("the programs are\n%s", modes)
	}
	s.Run("touch", "/usr/lib/lab/enough")
	lab.Eventually(t, "the end of the logins", func() bool { _, err := s.Try("systemctl", "is-active", "--quiet", "stream"); return err != nil })
	answers := s.Run("cat", "/usr/lib/lab/answers")
	asked, accepted := strings.Count(answers, "exit "), strings.Count(answers, `"reply":{"profile":`)
	t.Logf("%d logins", asked)
	if asked == 0 || accepted != asked {
		t.Errorf("of %d logins %d were accepted:\n%.2000s", asked, accepted, answers)
	}
	s.Run("rm", "/usr/lib/lab/stream", "/usr/lib/lab/enough", "/usr/lib/lab/answers", next, broken)
}
