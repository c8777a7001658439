package main

import (
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// allowedLicences are those whose terms the connector keeps by printing them.
// MPL-2.0 asks for the source of its own files besides, which are unchanged and
// public.
var allowedLicences = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MPL-2.0"}

// TestLicenses compares the embedded list with what is linked, and every
// licence with those that are allowed.
func TestLicenses(t *testing.T) {
	t.Parallel()
	modules, err := licences()
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, m := range modules {
		if m.Module != "std" {
			have[m.Module+" "+m.Version] = true
		}
		if len(m.Licences) == 0 || len(m.Text) < 200 {
			t.Errorf("%s: no licence was recognised, of %d octets", m.Module, len(m.Text))
		}
		for _, l := range m.Licences {
			if !slices.Contains(allowedLicences, l) {
				t.Errorf("%s: %s is not allowed", m.Module, l)
			}
		}
	}
	want := linkedModules(t)
	if !maps.Equal(have, want) {
		t.Errorf("the licences embedded are not of what is linked: run make licenses\nembedded: %v\nlinked: %v",
			slices.Sorted(maps.Keys(have)), slices.Sorted(maps.Keys(want)))
	}
}

// linkedModules asks the go command, for all systems. The test's cached result
// depends on go.mod, and on the connector's own source anyhow.
func linkedModules(t *testing.T) map[string]bool {
	t.Helper()
	if _, err := os.ReadFile("../../go.mod"); err != nil {
		t.Fatal(err)
	}
	modules := map[string]bool{}
	for _, system := range []string{"linux", "windows", "darwin"} {
		cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{end}}{{end}}", ".")
		cmd.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0")
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(out)) {
			if line = strings.TrimSpace(line); line != "" {
				modules[line] = true
			}
		}
	}
	return modules
}

func TestLicensesPrinted(t *testing.T) {
	t.Parallel()
	out := printed(t, "version", "--licenses")
	for _, want := range []string{"github.com/go-ldap/ldap/v3", "MIT", "Mozilla Public License", "WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in it", want)
		}
	}
}
