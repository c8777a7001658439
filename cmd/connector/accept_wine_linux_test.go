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
	t.Parallel()
	h := &windowsHost{Windows: lab.Wine(t), t: t}
	h.Copy(buildForWindows(t), connectorInWindows)
	h.newTenant("foreground")
	h.foreground(`C:\lab\home`)
	runAsAWindowsService(t, h.Windows)
	h.service()
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

// look is what an install may leave on a machine: files and keys of the registry.
func (h *windowsHost) look() lab.Look {
	h.t.Helper()
	look := lab.Look{}
	for line := range strings.Lines(h.Shell(`find "$1" \( -path '*/lab' -o -path '*/Temp' -o -path '*/windows/temp' \) -prune -o -print`, h.Path(`C:\`))) {
		look["file "+strings.TrimSpace(line)] = ""
	}
	for line := range strings.Lines(h.Run("reg", "query", `HKLM\System\CurrentControlSet\Services`, "/s")) {
		if strings.HasPrefix(line, "HKEY") {
			look["key "+strings.TrimSpace(line)] = ""
		}
	}
	if len(look) < 500 {
		h.t.Fatalf("saw only %d things", len(look))
	}
	return look
}

// service is an install with a service, in the system's own home, and of another
// instance beside it.
func (h *windowsHost) service() {
	before := h.look()
	const home, name = `C:\Program Files (x86)\Auth0\AD LDAP Connector`, "Auth0 ADLDAP"

	// The tenant knows another key pair for this connection: that is seen after
	// all has been done, and undone.
	out, err := h.Try(connectorInWindows, "install", "--non-interactive", "--ticket-file", `C:\lab\ticket.txt`, "--ca-file", h.sandbox.CA, "--ldap-url", h.sandbox.LDAPURL,
		"--ldap-bind-user", h.sandbox.BindUser, "--ldap-bind-password-file", h.sandbox.BindPasswordFile)
	if err == nil || !strings.Contains(out, "undone   Register the service "+name) || !strings.Contains(out, "undone   Create the home") {
		h.t.Errorf("install over another: %v: %s", err, out)
	}
	lab.WantSame(h.t, before, h.look())

	h.newTenant("service")
	if got := h.install(); got["result"] != "installed" || got["home"] != home || got["service"] != name {
		h.t.Fatalf("%v", got)
	}
	h.serves(home)
	for key, want := range map[string]string{
		`Services\` + name:                      `"` + home + `\bin\connector.exe" run --home "` + home + `" --service "` + name + `"`,
		`Services\EventLog\Application\` + name: "EventCreate.exe",
	} {
		if out := h.Run("reg", "query", `HKLM\System\CurrentControlSet\`+key); !strings.Contains(out, want) {
			h.t.Errorf("%s: %s, want %s", key, out, want)
		}
	}
	for _, verb := range []string{"stop", "start"} {
		h.Run("net", verb, name)
	}
	h.serves(home)

	one := h.sandbox
	h.newTenant("second")
	if got := h.install("--name", "second", "--secrets", "dpapi"); got["result"] != "installed" || got["home"] != home+" second" || got["service"] != name+" second" {
		h.t.Errorf("%v", got)
	}
	h.serves(home + " second") // the service opens what the administrator's command sealed
	if out := h.Run(connectorInWindows, "config", "secret", "list", "--name", "second"); !strings.Contains(out, "LDAP_BIND_PASSWORD     dpapi, sealed") {
		h.t.Errorf("the password is %s", out)
	}
	h.Run(connectorInWindows, "search", "users", "alice", "--name", "second")
	if out := h.Run(connectorInWindows, "config", "set", "SECRETS", "file", "--name", "second"); !strings.Contains(out, "next: restart") {
		h.t.Errorf("moved under a running service: %s", out)
	}
	h.Run(connectorInWindows, "search", "users", "alice", "--name", "second")
	h.Run(connectorInWindows, "uninstall", "--name", "second", "--purge", "--yes")

	h.sandbox = one
	h.serves(home)
	h.Run(connectorInWindows, "uninstall", "--purge", "--yes")
	lab.WantSame(h.t, before, h.look())
}
