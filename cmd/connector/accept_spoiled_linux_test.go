package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/sandbox"
	"ad-ldap-connector/testdata/lab"
)

// spoiledSteps has every step of an install go wrong in every way. One that
// fails, or is interrupted, leaves the machine as it was; after one that was
// killed, the same command installs the connector as if nothing had happened.
func spoiledSteps(t *testing.T, s *server) {
	ticket := s.newTicket("plan")
	steps := planned(t, s, s.install(shippedThere, ticket))
	if len(steps) < 15 || steps[0] != "redeem-ticket" || steps[len(steps)-1] != "wait-connected" {
		t.Fatalf("the plan is %q", steps)
	}
	s.Run("rm", ticket)
	steps = slices.Insert(steps, slices.Index(steps, "write-config"), "keep-password") // only with a store
	told := slices.Index(steps, "register-agent")
	before := s.Look()
	for i, step := range steps {
		hows := []string{failBefore, failAfter, interrupt, killAfter}
		if strings.HasPrefix(step, "check") || step == "redeem-ticket" { // what changes nothing leaves nothing half done
			hows = []string{failAfter, interrupt}
		}
		for _, how := range hows {
			// Once the tenant knows the key pair, that stays, and is named.
			kept := i > told || i == told && how == failAfter
			t.Run(step+"/"+how, func(t *testing.T) {
				s := &server{s.For(t), t, s.sandbox}
				spoilOne(t, s, step, how, kept)
				lab.WantSame(t, before, s.Look())
			})
		}
	}
}

// planned are the names of the steps of a command's plan.
func planned(t *testing.T, s *server, command []string) (steps []string) {
	t.Helper()
	for line := range strings.Lines(s.Run(append(command, "--dry-run", "-o", "json")...)) {
		var e struct{ Step, Event string }
		if json.Unmarshal([]byte(line), &e) == nil && e.Event == "planned" {
			steps = append(steps, e.Step)
		}
	}
	return steps
}

func spoilOne(t *testing.T, s *server, step, how string, kept bool) {
	name := step + "-" + how
	var kind, more []string
	if step == "allow-firewall" { // there is one, and somebody is to come through it
		s.Run("ufw", "--force", "enable")
		defer s.Run("ufw", "--force", "disable")
		kind, more = []string{`"kerberos":true`}, []string{"--skip", "kerberos,signin"}
	}
	if step == "keep-password" {
		more = []string{"--secrets", "systemd"}
	}
	ticket := s.newTicket(name, kind...)
	command := s.install(spoiledThere, ticket, append(more, "-o", "json")...)
	out, err := s.Try(append([]string{"env", spoilStep + "=" + step + ":" + how}, command...)...)
	status := exitOf(t, err)
	switch {
	case how == killAfter:
		if status != -1 {
			t.Fatalf("it was not killed but ended with %d: %s", status, out)
		}
		if again := s.Run(command...); !strings.Contains(lastLine(again), `"result":"installed"`) {
			t.Errorf("the second run: %s", again)
		}
		if refused := s.login(name, sandbox.DemoPassword); refused != "" {
			t.Errorf("a login after the second run: %s", refused)
		}
		if step == "allow-firewall" {
			if rules := s.Run("ufw", "status"); !strings.Contains(rules, "4000/tcp") {
				t.Errorf("the rule is missing: %s", rules)
			}
		}
		if last := lastLine(s.Run(command...)); !strings.Contains(last, `"result":"unchanged"`) {
			t.Errorf("the third run: %s", last)
		}
		s.Run(installedHome+"/bin/connector", "uninstall", "--yes", "--purge")
	case kept:
		if status != exitFault || !strings.Contains(out, "the key pair stays, because the tenant has registered it") {
			t.Errorf("it ended with %d: %s", status, out)
		}
		if left := s.Run("find", installedHome, "-type", "f", "!", "-name", "*.lock"); left != installedHome+"/certs/cert.key\n"+installedHome+"/certs/cert.pem\n" &&
			left != installedHome+"/certs/cert.pem\n"+installedHome+"/certs/cert.key\n" {
			t.Errorf("left:\n%s", left)
		}
		// The same command completes what was begun, with the pair that is known.
		again := s.Run(command...)
		if !strings.Contains(lastLine(again), `"result":"installed"`) {
			t.Errorf("the second run: %s", again)
		}
		s.Run(installedHome+"/bin/connector", "uninstall", "--yes", "--purge")
	default:
		want := exitUndone
		if how == interrupt {
			want = exitInterrupted
		} else if strings.HasPrefix(step, "redeem") || strings.HasPrefix(step, "check") {
			want = exitBlocked
		}
		if status != want {
			t.Errorf("it ended with %d, want %d: %s", status, want, out)
		}
	}
	s.Run("rm", ticket)
}
