package main

import (
	"strings"
	"testing"

	"ad-ldap-connector/testdata/lab"
)

// runAsAWindowsService has the Service Control Manager, as far as Wine has one,
// start the program and stop it in order. What a start that cannot work says
// reaches the log file; Wine keeps no events.
func runAsAWindowsService(t *testing.T, w *lab.Windows) {
	const program, homeDir, name = connectorInWindows, `C:\home`, "Auth0 ADLDAP run"
	w.Write(homeDir+`\config.json`, []byte(`{"PROVISIONING_TICKET":"https://127.0.0.1:1/p/ad/x","LDAP_URL":"ldap://127.0.0.1:1","LDAP_BASE":"DC=corp,DC=test",
		"ANONYMOUS_SEARCH_ENABLED":true,"CONSOLE_ADDR":"127.0.0.1:0"}`))
	w.Run("sc", "create", name, "start=", "demand", "binPath=", program+` run --home `+homeDir+` --service "`+name+`"`)
	logged := func(message string) int {
		out, _ := w.Try(program, "logs", "--home", homeDir) // there may be none yet
		return strings.Count(out, message)
	}
	state := func() string {
		out, _ := w.Try("sc", "query", name) // it may be busy
		return out
	}
	for times := 1; times <= 2; times++ {
		w.Run("sc", "start", name)
		lab.Eventually(t, "the service to run", func() bool { return strings.Contains(state(), "RUNNING") })
		w.Run("sc", "stop", name)
		lab.Eventually(t, "the service to end", func() bool { return strings.Contains(state(), "STOPPED") })
		for _, message := range []string{"] connector starts version=", "] connector stopped"} {
			if n := logged(message); n != times {
				t.Errorf("the log says %d times %q, want %d", n, message, times)
			}
		}
	}
	w.Write(homeDir+`\config.json`, []byte(`{"LDAP_URL":"ldap://127.0.0.1:1"}`))
	_, _ = w.Try("sc", "start", name) // whether that is told depends on how fast it ends
	lab.Eventually(t, "the log to say why it cannot run", func() bool {
		return logged("error: the connector cannot run") == 1 && strings.Contains(state(), "STOPPED")
	})

	// By hand it is no service.
	out, err := w.Try(program, "run", "--home", homeDir, "--service", name)
	if err == nil || !strings.Contains(out, "run as the service "+name) || !strings.Contains(out, "hint: ") {
		t.Errorf("in a terminal: %v: %s", err, out)
	}
	w.Run("sc", "delete", name)
}
