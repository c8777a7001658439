package kubernetes_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// patience is how long a test waits for what must come.
const patience = 60 * time.Second

const mapperText = "module.exports = function (raw) { return { id: raw.sAMAccountName, nickname: 'of the ConfigMap' }; };\n"

// TestRun makes the Secret by the guide's own commands and runs two agents with
// exactly what the chart says: the hub accepts both, they answer, and one that
// is told to end is not ready any more, ends in time, and loses no login.
func TestRun(t *testing.T) {
	t.Parallel()
	for _, needed := range []string{"unshare", "nsenter", "setpriv", "bash", "jq", "unzip"} {
		if _, err := exec.LookPath(needed); err != nil {
			skip(t, needed+" is not installed; `make test` as root installs it")
		}
	}
	if os.Geteuid() != 0 {
		skip(t, "only root makes a pod's file system")
	}
	s := startSandbox(t)
	made := guideObjects(t, s)
	made["connector-mapper"] = map[string]string{"profileMapper.js": mapperText}
	authority, err := os.ReadFile(s.CA)
	if err != nil {
		t.Fatal(err)
	}
	made["connector-authorities"] = map[string]string{"corp.pem": string(authority)}
	start := func(hostname string) (*pod, *rendered) {
		r := mustRender(t, least(values{
			"config":      values{"LDAP_URL": s.LDAPURL, "LDAP_BASE": s.LDAPBase, "LDAP_BIND_USER": s.BindUser, "CONSOLE_ADDR": "127.0.0.1:0"},
			"mapper":      values{"existing": "connector-mapper"},
			"authorities": values{"configMap": "connector-authorities"},
			"metrics":     values{"enabled": true},
			"ports":       values{"health": freePort(t), "peers": freePort(t), "metrics": freePort(t), "signIn": freePort(t)},
		}))
		return startPod(t, r, made, hostname), r
	}
	first, rendered := start("first")
	second, _ := start("second")
	eventually(t, "two agents", func() bool {
		if first.ended() || second.ended() {
			t.Fatal("one has ended")
		}
		return len(s.agents(t)) == 2
	})
	for _, a := range s.agents(t) {
		if a.Thumbprint != s.agents(t)[0].Thumbprint {
			t.Errorf("agents %+v", s.agents(t))
		}
	}
	c := rendered.container()
	paths := map[string]bool{c.StartupProbe.HTTPGet.Path: true, c.LivenessProbe.HTTPGet.Path: true, c.ReadinessProbe.HTTPGet.Path: true}
	health := port(t, rendered, "health")
	for path := range paths {
		eventually(t, path+" to be 200", func() bool { return probe(health, path) == 200 })
	}
	if code := probe(port(t, rendered, "metrics"), rendered.deployment.Spec.Template.Annotations["prometheus.io/path"]); code != 200 {
		t.Errorf("metrics: %d", code)
	}
	first.confined(t)
	eventually(t, "all to be well in the pod", func() bool {
		said, err := first.exec("/connector", "status").CombinedOutput()
		return err == nil && strings.Contains(string(said), "connection sandbox")
	})

	// Logins go on, four at a time, while one of the two is told to end.
	var accepted, lost atomic.Int64
	var wait sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		wait.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if why := s.login(); why == "" {
					accepted.Add(1)
				} else {
					lost.Add(1)
					t.Log(why)
				}
			}
		})
	}
	some := func() { n := accepted.Load(); eventually(t, "logins", func() bool { return accepted.Load() > n+20 }) }
	some()
	first.terminate()
	eventually(t, "it not to be ready", func() bool { return probe(health, "/readyz") != 200 })
	if status := first.wait(); status != 0 {
		t.Errorf("it ended with %d", status)
	}
	some()
	close(stop)
	wait.Wait()
	if lost.Load() > 0 || len(s.agents(t)) != 1 {
		t.Errorf("%d logins accepted, %d lost, %d agents left", accepted.Load(), lost.Load(), len(s.agents(t)))
	}
	for _, secret := range []string{s.Ticket, s.password(t), "PRIVATE KEY"} {
		if strings.Contains(first.stderr.String(), secret) {
			t.Error("a secret is in the log")
		}
	}
}

// confined looks at what the system says of the process: who it is, what it has
// of its file system, and that its environment is the chart's and no more.
func (p *pod) confined(t *testing.T) {
	t.Helper()
	about := func(name string) string {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.cmd.Process.Pid, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for want, in := range map[string]string{
		`(?m)^Name:\s+connector$`: "status", `(?m)^Uid:\s+65532\s+65532\s+65532\s+65532$`: "status",
		`(?m)^CapEff:\s+0+$`: "status", `(?m)^NoNewPrivs:\s+1$`: "status",
		`(?m)^\S+ \S+ \S+ \S+ / ro[, ]`: "mountinfo", `(?m)^\S+ \S+ \S+ \S+ /etc/connector/mapper ro[, ]`: "mountinfo",
	} {
		if text := about(in); !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("%s is not so in\n%s", want, text)
		}
	}
	has := strings.Split(strings.TrimSuffix(about("environ"), "\x00"), "\x00")
	slices.Sort(has)
	slices.Sort(p.environ)
	if !slices.Equal(has, p.environ) {
		t.Errorf("%d variables, want %d", len(has), len(p.environ)) // some are secrets
	}
}

// guideObjects makes a home, and runs the guide's commands on it. In place of a
// cluster there is a folder.
func guideObjects(t *testing.T, s *sandbox) objects {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"ticket.txt": s.Ticket, "passphrase": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	home := filepath.Join(dir, "home")
	install := exec.Command(program(t), "install", "--no-service", "--non-interactive", "--home", home, "--ticket-file", filepath.Join(dir, "ticket.txt"), "--ca-file", s.CA,
		"--ldap-url", s.LDAPURL, "--ldap-bind-user", s.BindUser, "--ldap-bind-password-file", s.BindPasswordFile)
	install.Dir, install.Env = dir, []string{"PATH=/usr/bin:/bin", "HOME=" + dir, "CONSOLE_ADDR=127.0.0.1:0"}
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	guide, err := exec.Command(program(t), "help", "kubernetes").Output()
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(guide), "  umask 077\n")
	block, _, ok := strings.Cut(block, "\n\n")
	if !ok || !strings.Contains(block, "kubectl create secret generic connector-secrets") {
		t.Fatalf("the commands are not in the guide: %s", block)
	}
	script := exec.Command("bash", "-euc", `
		connector() { "$PROGRAM" "$@" --home "$CONNECTOR_HOME"; }
		kubectl() {
			local name=$4 file
			[ "$1 $2 $3" = "create secret generic" ]
			shift 4
			mkdir -p "made/$name"
			for file; do
				file=${file#--from-file=}
				cp "${file#*=}" "made/$name/${file%%=*}"
			done
		}
		`+block)
	script.Dir = dir
	script.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + dir, "PROGRAM=" + program(t), "CONNECTOR_HOME=" + home}
	if out, err := script.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "node*")); err != nil || len(left) > 0 {
		t.Errorf("the commands leave %q, %v", left, err)
	}
	made := objects{}
	files, err := filepath.Glob(filepath.Join(dir, "made", "*", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		object := filepath.Base(filepath.Dir(file))
		if made[object] == nil {
			made[object] = map[string]string{}
		}
		made[object][filepath.Base(file)] = string(text)
	}
	return made
}

// A sandbox is a pretend tenant and directory, in a process of its own.
type sandbox struct {
	URL, Ticket, CA, LDAPURL, LDAPBase, BindUser, BindPasswordFile string
	client                                                         *http.Client
}

func startSandbox(t *testing.T) *sandbox {
	t.Helper()
	cmd := exec.Command(program(t), "sandbox", "--state", t.TempDir(), "--until-stdin-closes")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close() // which ends it
		_ = cmd.Wait()    // how does not matter
	})
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	s := new(sandbox)
	if err := json.Unmarshal(line, s); err != nil {
		t.Fatalf("%v in %s", err, line)
	}
	text, err := os.ReadFile(s.CA)
	pool := x509.NewCertPool()
	if err != nil || !pool.AppendCertsFromPEM(text) {
		t.Fatalf("the authority: %v", err)
	}
	s.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}, Timeout: patience}
	t.Cleanup(s.client.CloseIdleConnections)
	return s
}

func (s *sandbox) password(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(s.BindPasswordFile)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

type agent struct{ ID, Thumbprint string }

func (s *sandbox) agents(t *testing.T) []agent {
	t.Helper()
	res, err := s.client.Get(s.URL + "/api/agents")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }() // it is read whole
	var all struct{ Agents []agent }
	if err := json.NewDecoder(res.Body).Decode(&all); err != nil {
		t.Fatal(err)
	}
	return all.Agents
}

// login logs alice in through the tenant, and says what went wrong.
func (s *sandbox) login() string {
	body, err := json.Marshal(map[string]string{"username": "alice", "password": "Passw0rd!1"})
	if err != nil {
		return err.Error()
	}
	res, err := s.client.Post(s.URL+"/api/requests/authenticate_user", "application/json", bytes.NewReader(body))
	if err != nil {
		return err.Error()
	}
	defer func() { _ = res.Body.Close() }() // it is read whole
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(text), "of the ConfigMap") {
		return fmt.Sprintf("%s %s %v", res.Status, text, err)
	}
	return ""
}

func port(t *testing.T, r *rendered, name string) int32 {
	t.Helper()
	for _, p := range r.container().Ports {
		if p.Name == name {
			return p.ContainerPort
		}
	}
	t.Fatalf("no port %s", name)
	return 0
}

func probe(port int32, path string) int {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	res, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d%s", port, path))
	if err != nil {
		return 0
	}
	_ = res.Body.Close() // the status is all
	return res.StatusCode
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // it was only to be found
	return l.Addr().(*net.TCPAddr).Port
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for late := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("waited %s for %s", patience, what)
		}
	}
}
