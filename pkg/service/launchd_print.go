package service

import (
	"strconv"
	"strings"
)

// parsePrint reads what "launchctl print" says of a loaded job: lines of
// "name = value", of which those of the job itself come first. The format is
// promised to nobody, so what is missing is not known, and no error.
func parsePrint(out string) Status {
	st := Status{State: Stopped, Enabled: true}
	seen := map[string]bool{}
	for line := range strings.Lines(out) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), " = ")
		if !ok || seen[key] {
			continue
		}
		seen[key] = true
		switch key {
		case "state":
			if value == "running" {
				st.State = Running
			}
		case "pid":
			if n, err := strconv.Atoi(value); err == nil && n > 0 {
				st.PID = n
			}
		case "runs":
			if n, err := strconv.Atoi(value); err == nil && n > 0 {
				st.Restarts = n - 1
			}
		case "last exit code":
			if value != "0" && value != "(never exited)" {
				st.Detail = "launchd: last exit code " + value
			}
		}
	}
	if st.State == Running {
		st.Detail = ""
	}
	return st
}
