package service

import (
	"strconv"
	"strings"
	"time"
)

// shown are the properties of a unit, by their names.
type shown map[string]string

// parseShow reads what "systemctl show" printed: NAME=VALUE lines, in any
// order. Of what it does not understand it makes nothing.
func parseShow(out []byte) shown {
	s := shown{}
	for line := range strings.Lines(string(out)) {
		if key, value, ok := strings.Cut(strings.TrimRight(line, "\n"), "="); ok {
			s[key] = value
		}
	}
	return s
}

func (s shown) number(key string) int {
	n, err := strconv.Atoi(s[key])
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// status says what the properties mean.
func (s shown) status() Status {
	if s["LoadState"] == "not-found" || s["LoadState"] == "" {
		return Status{State: None}
	}
	st := Status{
		Enabled:  s["UnitFileState"] == "enabled",
		PID:      s.number("MainPID"),
		Restarts: s.number("NRestarts"),
		Detail:   s["StatusText"],
	}
	switch s["ActiveState"] {
	case "active", "reloading", "refreshing":
		st.State = Running
		st.Since = s.since()
	case "activating":
		st.State = Starting
	case "deactivating":
		st.State = Stopping
	default:
		st.State = Stopped
	}
	if result := s["Result"]; st.State != Running && result != "" && result != "success" {
		st.Detail = "systemd: " + result
		if result == "exit-code" {
			st.Detail += " " + s["ExecMainStatus"]
		}
	}
	return st
}

// since is when the unit became active, asked for as seconds since 1970.
func (s shown) since() time.Time {
	n, err := strconv.ParseInt(strings.TrimPrefix(s["ActiveEnterTimestamp"], "@"), 10, 64)
	if err != nil || n <= 0 {
		return time.Time{}
	}
	return time.Unix(n, 0)
}

// parseVersion reads systemd's number from "systemd 252 (252.39-1~deb12u2)".
func parseVersion(out []byte) int {
	for i, word := range strings.Fields(string(out)) {
		if i == 1 {
			n, _ := strconv.Atoi(strings.TrimLeft(word, "v"))
			return max(n, 0)
		}
	}
	return 0
}
