package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/sandbox"
	"ad-ldap-connector/testdata/lab"
)

// In Windows: the connector as it was downloaded.
const connectorInWindows = `C:\lab\connector.exe`

// A windowsHost is a Windows with a sandbox on it.
type windowsHost struct {
	*lab.Windows
	t       *testing.T
	sandbox sandboxInfo
}

func buildForWindows(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "connector.exe")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=windows", "GOARCH=amd64")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return program
}

// newTenant starts a sandbox, whose connection no connector serves yet.
func (h *windowsHost) newTenant(name string) {
	h.t.Helper()
	p := h.Start(connectorInWindows, "sandbox", "--state", `C:\lab\`+name)
	lab.Eventually(h.t, "a sandbox", func() bool {
		for line := range strings.Lines(p.Said()) {
			if strings.HasPrefix(line, "{") && json.Unmarshal([]byte(line), &h.sandbox) == nil {
				return true
			}
		}
		return false
	})
	h.Write(`C:\lab\ticket.txt`, []byte(h.sandbox.Ticket))
}

// install runs connector install, and returns what its last line says.
func (h *windowsHost) install(args ...string) (result map[string]string) {
	h.t.Helper()
	s := h.sandbox
	out := h.Run(connectorInWindows, append([]string{"install", "--non-interactive", "--quiet", "-o", "json", "--ticket-file", `C:\lab\ticket.txt`, "--ca-file", s.CA,
		"--ldap-url", s.LDAPURL, "--ldap-bind-user", s.BindUser, "--ldap-bind-password-file", s.BindPasswordFile}, args...)...)
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, `{"result"`) && json.Unmarshal([]byte(line), &result) == nil {
			return result
		}
	}
	h.t.Fatalf("install: %s", out)
	return nil
}

// login tries a login through the hub; "" is accepted, else the name of the
// refusal.
func (h *windowsHost) login(password string) string {
	h.t.Helper()
	body, err := json.Marshal(map[string]string{"connection": "sandbox", "username": "alice", "password": password})
	if err != nil {
		h.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(h.Shell(`cat "$1"`, h.Path(h.sandbox.CA))))
	client := http.Client{Timeout: patience, Transport: &http.Transport{DialContext: h.Dial, TLSClientConfig: &tls.Config{RootCAs: pool}}}
	defer client.CloseIdleConnections()
	res, err := client.Post(h.sandbox.API+"/requests/authenticate_user", "application/json", bytes.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	var answer struct{ Reply reply }
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || res.StatusCode != http.StatusOK {
		h.t.Fatalf("%s, %v", res.Status, err)
	}
	if answer.Reply.Err != nil {
		return answer.Reply.Err.Name
	}
	return ""
}

// serves wants a connector in that home that is well and takes logins.
func (h *windowsHost) serves(home string) {
	h.t.Helper()
	lab.Eventually(h.t, "a connector that is well", func() bool {
		out, err := h.Try(connectorInWindows, "status", "--home", home)
		return err == nil && strings.Contains(out, "service running")
	})
	if refused := h.login(sandbox.DemoPassword); refused != "" {
		h.t.Errorf("login: %s", refused)
	}
	if refused := h.login("wrong"); refused != "WrongPassword" {
		h.t.Errorf("login with a wrong password: %q", refused)
	}
}

// The connector installs and runs on Windows, as far as Wine is one.
func TestWine(t *testing.T) {
	h := &windowsHost{Windows: lab.Wine(t), t: t}
	h.Copy(buildForWindows(t), connectorInWindows)
	h.newTenant("foreground")
	h.foreground(`C:\lab\home`)
	runAsAWindowsService(t, h.Windows)
}

// foreground is an install without a service.
func (h *windowsHost) foreground(home string) {
	if got := h.install("--no-service", "--home", home); got["result"] != "installed" || got["home"] != home || got["service"] != "none" {
		h.t.Errorf("%v", got)
	}
	if got := h.install("--no-service", "--home", home); got["result"] != "unchanged" {
		h.t.Errorf("again: %v", got)
	}
	p := h.Start(connectorInWindows, "run", "--home", home, "--until-stdin-closes")
	h.serves(home)

	// Wine has no access lists to speak of, and no time service.
	out := h.Run(connectorInWindows, "doctor", "--home", home)
	if !strings.Contains(out, "0 failed") || !strings.Contains(out, "the Service Control Manager") {
		h.t.Errorf("doctor: %s", out)
	}
	h.Write(`C:\lab\mapper.js`, []byte(`module.exports = function (raw, cb) { cb(null, { id: "1", name: raw.cn + " mapped" }); };`))
	if out := h.Run(connectorInWindows, "profile", "alice", "--home", home, "--mapper", `C:\lab\mapper.js`); !strings.Contains(out, `"Alice Adams mapped"`) {
		h.t.Errorf("the mapper's process: %s", out)
	}
	p.CloseStdin()
	if !strings.Contains(p.Said(), "connector stopped") {
		h.t.Errorf("it did not end in order: %s", p.Said())
	}
	if out, err := h.Try(connectorInWindows, "status", "--home", home); err == nil || !strings.Contains(out, "service stopped") {
		h.t.Errorf("status of what has ended: %v: %s", err, out)
	}
}
