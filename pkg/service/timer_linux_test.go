package service

import (
	"strings"
	"testing"
	"time"
)

func TestTimerUnits(t *testing.T) {
	t.Parallel()
	timer, job, err := Timer{
		Name: "auth0-adldap", Program: "/opt/auth0/ad-ldap/bin/connector", Args: []string{"update", "--home", "/opt/50%"},
		Days: []time.Weekday{time.Saturday, time.Sunday}, From: 2*time.Hour + 30*time.Minute, Spread: 90 * time.Minute,
	}.units()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\nOnCalendar=Sat,Sun *-*-* 02:30:00\n", "\nRandomizedDelaySec=5400\n", "\nWantedBy=timers.target\n", "# " + ours} {
		if !strings.Contains(timer, want) {
			t.Errorf("want %q in\n%s", want, timer)
		}
	}
	for _, want := range []string{"\nType=oneshot\n", "\nExecStart=\"/opt/auth0/ad-ldap/bin/connector\" \"update\" \"--home\" \"/opt/50%%\"\n", "# " + ours} {
		if !strings.Contains(job, want) {
			t.Errorf("want %q in\n%s", want, job)
		}
	}
	if r := parseUnit("auth0-adldap-update", []byte(job)); r.Home != "" {
		t.Errorf("it is taken for a connector: %+v", r)
	}
	if timer, _, err := (Timer{Name: "a", Program: "/p"}).units(); err != nil || !strings.Contains(timer, "\nOnCalendar=*-*-* 00:00:00\n") {
		t.Errorf("%v:\n%s", err, timer)
	}
	for _, bad := range []Timer{{Name: "", Program: "/p"}, {Name: "a", Program: "p"}, {Name: "a\nb", Program: "/p"}, {Name: "a", Program: "/p", Args: []string{"x\ny"}}} {
		if timer, job, err := bad.units(); err == nil {
			t.Errorf("%+v:\n%s%s", bad, timer, job)
		}
	}
}
