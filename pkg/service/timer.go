package service

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// A Timer has the system run a program now and then, as its administrator and
// apart from the service that it is for: that one's account could not do what is
// to be done.
type Timer struct {
	Name    string // the service's
	Program string // absolute path
	Args    []string
	Days    []time.Weekday // none: all
	From    time.Duration  // since midnight, in local time
	Spread  time.Duration  // how much later it may run, by chance: others do the same
}

// ErrNoTimers says that this system has no such thing that the connector knows.
var ErrNoTimers = errors.New("the connector knows no timers of this system")

// timerSuffix makes the name of a timer of the name of its service.
const timerSuffix = "-update"

var dayNames = []string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}

// units are the texts of a timer and of the service that it starts.
func (t Timer) units() (timer, job string, err error) {
	u := Unit{Name: t.Name + timerSuffix, Program: t.Program, Home: t.Program, User: "root", Args: t.Args}
	if err := u.check(); err != nil {
		return "", "", err
	}
	var days []string
	for _, d := range t.Days {
		days = append(days, dayNames[d])
	}
	when := fmt.Sprintf("*-*-* %02d:%02d:00", int(t.From.Hours()), int(t.From.Minutes())%60)
	if len(days) > 0 {
		when = strings.Join(days, ",") + " " + when
	}
	head := "# " + ours + ", and again when it is installed or updated.\n[Unit]\nDescription=Update of " + percent(t.Name) + "\n"
	timer = head + fmt.Sprintf("\n[Timer]\nOnCalendar=%s\nRandomizedDelaySec=%d\n\n[Install]\nWantedBy=timers.target\n", when, int(t.Spread.Seconds()))
	job = head + "After=network.target\n\n[Service]\nType=oneshot\nTimeoutStartSec=1h\nExecStart=" + command(t.Program, t.Args) + "\n"
	return timer, job, nil
}
