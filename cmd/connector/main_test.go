package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/hub"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/pkg/install"
	"ad-ldap-connector/pkg/tenant"
)

func TestExitCode(t *testing.T) {
	broken := errors.New("broken")
	for _, tt := range []struct {
		name        string
		err         error
		interrupted bool
		want        int
	}{
		{"done", nil, false, 0},
		{"done though a signal came", nil, true, 0},
		{"fault", broken, false, 1},
		{"usage", usagef("no"), false, 2},
		{"usage, wrapped", fmt.Errorf("install: %w", usagef("no")), false, 2},
		{"another connection", &install.StepError{Step: "redeem-ticket", Err: &install.OtherConnectionError{}}, false, 2},
		{"a check blocks", &install.StepError{Step: "check-clock", Err: broken}, false, 3},
		{"undone", &install.StepError{Step: "register-agent", Err: broken, Changed: true}, false, 5},
		{"something is left", &install.StepError{Step: "a", Err: broken, Changed: true, Left: []error{broken}}, false, 1},
		{"something is left of an interrupted one", &install.StepError{Step: "a", Err: context.Canceled, Changed: true, Left: []error{broken}}, true, 1},
		{"wrong ticket", &install.StepError{Step: "redeem-ticket", Err: tenant.ErrUnknownTicket}, false, 6},
		{"refusal", &identity.Refusal{Reason: identity.WrongPassword}, false, 6},
		{"interrupted", broken, true, 130},
		{"interrupted and undone", &install.StepError{Step: "a", Err: context.Canceled, Changed: true}, true, 130},
		{"said already", exitError(6), false, 6},
	} {
		if got := exitCode(tt.err, tt.interrupted); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestComplaint(t *testing.T) {
	var out, complaints bytes.Buffer
	a := &app{stdout: &out, stderr: &complaints, output: "json"}
	a.complain(&hinted{errors.Join(errors.New("first"), errors.New("second")), "do this"}, 1)
	if got, want := complaints.String(), "connector: first; second\nhint: do this\n"; got != want {
		t.Errorf("stderr %q, want %q", got, want)
	}
	var doc struct {
		Error struct {
			Message, Hint string
			Code          int
		}
	}
	if err := json.Unmarshal(out.Bytes(), &doc); err != nil || doc.Error.Hint != "do this" || doc.Error.Code != 1 {
		t.Errorf("stdout %s: %v", &out, err)
	}
}

func TestLogLinesCannotBeForged(t *testing.T) {
	var b bytes.Buffer
	log := newLog(&b, false, false).With("part", "hub").WithGroup("g")
	log.Info("command answered", "user", "eve\n[2026-01-01 00:00:00] auth0: Agent accepted.", "took", 1234567*time.Nanosecond, slog.Group("x", "y", 1))
	log.Debug("not shown")
	log.Warn("careful", "empty", "", "not shown", 2)
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines:\n%s", len(lines), &b)
	}
	for i, want := range []string{
		`command answered part=hub g.user="eve\n[2026-01-01 00:00:00] auth0: Agent accepted." g.took=1.23ms g.x.y=1`,
		`warn: careful part=hub g.empty="" g.not_shown=2`,
	} {
		stamp, rest, ok := strings.Cut(lines[i], "] ")
		if _, err := time.Parse("[2006-01-02 15:04:05", stamp); !ok || err != nil || rest != want {
			t.Errorf("line %q, want %q after the time (%v)", lines[i], want, err)
		}
	}
}

func TestStats(t *testing.T) {
	var s stats
	if l := s.logins(); l != (logins{}) {
		t.Errorf("nothing yet: %+v", l)
	}
	for i := range 2 * latencies {
		s.answered(hub.Answer{Command: "authenticate_user", Outcome: "accepted", Took: time.Duration(i%100+1) * time.Millisecond})
	}
	s.answered(hub.Answer{Command: "authenticate_user", Outcome: "refused"})
	s.answered(hub.Answer{Command: "authenticate_user", Outcome: "fault"})
	s.answered(hub.Answer{Command: "search_users", Outcome: "accepted"})
	l := s.logins()
	if l.Accepted != 2*latencies || l.Refused != 1 || l.Faulted != 1 || len(s.took) != latencies {
		t.Errorf("%+v, %d kept", l, len(s.took))
	}
	if l.P50 < 40 || l.P50 > 60 || l.P99 < 98 || l.P99 > 100 {
		t.Errorf("percentiles %+v", l)
	}
}

func TestSecretsComeFromFilesAndInput(t *testing.T) {
	for _, tt := range []struct{ input, want, fault string }{
		{"secret\n", "secret", ""},
		{"secret\r\n", "secret", ""},
		{" spaces stay ", " spaces stay ", ""},
		{"two\nlines\n", "two\nlines", ""},
		{"", "", "it is empty"},
		{"\n", "", "it is empty"},
		{strings.Repeat("x", maxSecret+1), "", "longer than"},
	} {
		s := secretFlags{name: "password", stdin: true}
		got, err := s.read(strings.NewReader(tt.input))
		if got != tt.want || (err == nil) != (tt.fault == "") || err != nil && !strings.Contains(err.Error(), tt.fault) {
			t.Errorf("%.20q: %.20q, %v", tt.input, got, err)
		}
	}
	both := secretFlags{name: "password", stdin: true, file: "x"}
	if _, err := both.read(strings.NewReader("x")); exitCode(err, false) != exitUsage {
		t.Errorf("both: %v", err)
	}
}
