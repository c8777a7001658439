package service

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ad-ldap-connector/testdata/lab"
)

// In Windows: this program, and where it finds its test data.
const (
	windowsThere = `C:\service`
	agentThere   = windowsThere + `\agent.exe`
)

// buildWindows makes a program of this package's tests for Windows.
func buildWindows(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "agent.exe")
	cmd := exec.Command("go", "test", "-c", "-trimpath", "-o", program, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=windows", "GOARCH=amd64")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return program
}

// All that this package promises of Windows holds under Wine, as far as that is
// one.
func TestWine(t *testing.T) {
	w := lab.Wine(t)
	w.Copy(buildWindows(t), agentThere)
	w.CopyTree("testdata", windowsThere+`\testdata`)
	w.Setenv(inMachine, "1")
	out := w.RunTests(windowsThere, agentThere)
	for _, test := range []string{"TestConformance/system", "TestRegisteredAs", "TestForeign", "TestEvents", "TestEnds", "TestText"} {
		if !strings.Contains(out, "--- PASS: "+test+" ") {
			t.Errorf("%s did not pass:\n%s", test, out)
		}
	}

	// Services start with the machine, even if nobody stopped them in order.
	u := Unit{Name: "Auth0 ADLDAP test", Description: "A service for tests", Program: agentThere, Args: []string{"agent"}, Home: windowsThere}
	w.Run(agentThere, "register", asJSON(t, u))
	if st := statusInWindows(t, w, u); st.State != Stopped || !st.Enabled {
		t.Errorf("registered: %+v", st)
	}
	// The delay of those that start later, in milliseconds, is two minutes else.
	w.Run("reg", "add", `HKLM\System\CurrentControlSet\Control`, "/v", "AutoStartDelay", "/t", "REG_DWORD", "/d", "1", "/f")
	w.Reboot()
	lab.Eventually(t, "the service to start with Windows", func() bool { return statusInWindows(t, w, u).State == Running })
	w.Run(agentThere, "remove", asJSON(t, u))
	for _, key := range []string{`Services\` + u.Name, `Services\EventLog\Application\` + u.Name} {
		if out, err := w.Try("reg", "query", `HKLM\System\CurrentControlSet\`+key); err == nil {
			t.Errorf("it left %s", out)
		}
	}
}

func statusInWindows(t *testing.T, w *lab.Windows, u Unit) (st Status) {
	t.Helper()
	if err := json.Unmarshal([]byte(w.Run(agentThere, "status", asJSON(t, u))), &st); err != nil {
		t.Fatal(err)
	}
	return st
}
