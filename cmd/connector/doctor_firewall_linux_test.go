package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/doctor"
	"ad-ldap-connector/testdata/lab"
)

// TestDoctorOpensAFirewall mends a real firewall, in a machine of its own.
func TestDoctorOpensAFirewall(t *testing.T) {
	t.Parallel()
	m := lab.Boot(t, "firewalld", "ufw", "iproute2", "nftables")
	program := filepath.Join(t.TempDir(), "connector")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	const there = "/usr/local/bin/connector"
	m.Copy(program, there)
	m.Write("/srv/home/config.json", []byte(`{"KERBEROS_AUTH": true, "SERVER_URL": "http://login.corp.example:4100", "PORT": 4100}`))
	m.Run("chmod", "-R", "go=", "/srv/home")
	look := func(args ...string) (doctor.Entry, []doctor.Mended) {
		t.Helper()
		out, _ := m.Try(append([]string{there, "doctor", "--home", "/srv/home", "--only", "signin.firewall", "-o", "json", "-q"}, args...)...) // the report says it all
		var d doctor.Document
		if err := json.Unmarshal([]byte(out), &d); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		for _, c := range d.Checks {
			if c.ID == "signin.firewall" {
				return c, d.Fixes
			}
		}
		t.Fatalf("no signin.firewall: %s", out)
		return doctor.Entry{}, nil
	}
	m.Run("systemctl", "stop", "firewalld") // it is on from the beginning
	if c, _ := look(); c.Status != doctor.Skipped || !strings.Contains(c.Detail, "no firewall is active") {
		t.Errorf("without one: %+v", c)
	}
	m.Run("nft", "add table inet t; add chain inet t in { type filter hook input priority 0; policy drop; }")
	if c, _ := look(); c.Status != doctor.Skipped || !strings.Contains(c.Detail, "nftables") || !strings.Contains(c.Detail, "4100") {
		t.Errorf("with bare rules: %+v", c)
	}
	m.Run("nft", "flush", "ruleset")
	m.Run("ufw", "--force", "enable")
	if c, fixes := look(); c.Status != doctor.Failed || len(fixes) > 0 || !strings.Contains(c.Command, "--fix") {
		t.Errorf("shut: %+v, %+v", c, fixes)
	}
	c, fixes := look("--fix", "--yes")
	if c.Status != doctor.Passed || len(fixes) != 1 || !fixes[0].Done || !strings.Contains(fixes[0].Says, "TCP port 4100") || !strings.Contains(fixes[0].Says, "auth0-adldap") {
		t.Errorf("opened: %+v, %+v", c, fixes)
	}
	if added := m.Run("ufw", "show", "added"); !strings.Contains(added, "ufw allow 4100/tcp comment 'auth0-adldap'") {
		t.Errorf("ufw has %s", added)
	}
	if c, fixes := look("--fix", "--yes"); c.Status != doctor.Passed || len(fixes) > 0 {
		t.Errorf("again: %+v, %+v", c, fixes)
	}
}
