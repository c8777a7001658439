package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ad-ldap-connector/testdata/lab"
)

// balancerExample is a file of the guide.
func balancerExample(t *testing.T, name string) string {
	t.Helper()
	text, err := guides.ReadFile("guide/load-balancer/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestBalancerExamplesAreTaken by the programs that they are for.
func TestBalancerExamplesAreTaken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for program, name := range map[string]string{"haproxy": "haproxy.cfg", "nginx": "nginx.conf"} {
		t.Run(program, func(t *testing.T) {
			path := requireProgram(t, program)
			file := filepath.Join(dir, name)
			text := balancerExample(t, name)
			if program == "nginx" { // its own file of the process is not to be touched
				text = "pid " + filepath.Join(dir, "pid") + ";\nerror_log stderr;\n" + text
			}
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			args := map[string][]string{"haproxy": {"-c", "-f", file}, "nginx": {"-t", "-q", "-c", file}}[program]
			if out, err := exec.Command(path, args...).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

// TestKeepalivedExampleIsTaken by keepalived, in a network namespace with the
// interface that the file names; and is not without.
func TestKeepalivedExampleIsTaken(t *testing.T) {
	t.Parallel()
	program := requireProgram(t, "keepalived")
	requireProgram(t, "ip")
	if os.Geteuid() != 0 {
		t.Skip("keepalived looks at its file as root alone")
	}
	file := filepath.Join(t.TempDir(), "keepalived.conf")
	if err := os.WriteFile(file, []byte(balancerExample(t, "keepalived.conf")), 0o600); err != nil {
		t.Fatal(err)
	}
	for before, want := range map[string]bool{"ip link add eth0 type veth peer name eth1": true, "true": false} {
		cmd := exec.Command(requireProgram(t, "unshare"), "--net", "sh", "-c", before+` && exec "$@"`, "sh", program, "--config-test", "--use-file", file)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // it may signal its group
		if out, err := cmd.CombinedOutput(); (err == nil) != want || want && len(out) > 0 {
			t.Errorf("after %s: %v: %s", before, err, out)
		}
	}
}

// TestHAProxyDrains: with the guide's file, a node that is not ready gets nothing
// new, and gets its share again once it is.
func TestHAProxyDrains(t *testing.T) {
	t.Parallel()
	program := requireProgram(t, "haproxy")
	type backend struct {
		server, health *httptest.Server
		draining       atomic.Bool
	}
	var nodes [2]backend
	text := balancerExample(t, "haproxy.cfg")
	for i := range nodes {
		n := &nodes[i]
		n.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintf(w, "node%d", i+1) }))
		n.health = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/readyz" || n.draining.Load() {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}))
		t.Cleanup(n.server.Close)
		t.Cleanup(n.health.Close)
		_, port, _ := strings.Cut(strings.TrimPrefix(n.health.URL, "http://"), ":")
		text = strings.Replace(text, fmt.Sprintf("192.0.2.1%d:443", i+1), strings.TrimPrefix(n.server.URL, "http://")+" port "+port, 1)
	}
	addr, said := startListener(t, func(port int) *exec.Cmd {
		file := filepath.Join(t.TempDir(), "haproxy.cfg")
		if err := os.WriteFile(file, []byte(strings.Replace(text, "bind :443", fmt.Sprintf("bind 127.0.0.1:%d", port), 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		return exec.Command(program, "-db", "-f", file)
	})
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	answers := func() map[string]int {
		seen := map[string]int{}
		for range 6 {
			res, err := client.Get("http://" + addr + "/")
			if err != nil {
				seen[err.Error()]++
				continue
			}
			body, _ := io.ReadAll(res.Body) // what is cut short counts as another answer
			_ = res.Body.Close()            // its status is all
			seen[string(body)]++
		}
		return seen
	}
	both := func() bool { a := answers(); return a["node1"] > 0 && a["node2"] > 0 && len(a) == 2 }
	lab.Eventually(t, "answers of both nodes", both)
	nodes[0].draining.Store(true)
	lab.Eventually(t, "answers of the one that is ready alone", func() bool { a := answers(); return a["node2"] == 6 })
	nodes[0].draining.Store(false)
	lab.Eventually(t, "answers of both again", both)
	if t.Failed() {
		t.Log(said)
	}
}
