//go:build unix

package main

import (
	"bytes"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"ad-ldap-connector/pkg/sandbox"
	"ad-ldap-connector/testdata/lab"
)

// outside puts a tenant at a name that only squid knows: whoever gets there went
// through the proxy. It returns the ticket as that name has it.
func outside(t *testing.T, cloud *sandbox.Cloud, ca *lab.CA) (ticket string) {
	t.Helper()
	certificate, err := tls.LoadX509KeyPair(ca.Issue(t, squidName))
	if err != nil {
		t.Fatal(err)
	}
	inner, err := url.Parse(cloud.URL())
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewUnstartedServer(nil)
	_, port, err := net.SplitHostPort(front.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	name := "https://" + squidName + ":" + port
	front.Config.Handler = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			if r.In.Header.Get("Proxy-Authorization") != "" {
				t.Error("the proxy's credentials reach the tenant")
			}
			r.SetURL(inner)
			r.Out.Header.Del("Accept-Encoding") // what comes is read
		},
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: cloud.CAPool()}, DisableCompression: true},
		ErrorLog:  log.New(io.Discard, "", 0),
		ModifyResponse: func(r *http.Response) error {
			if r.StatusCode == http.StatusSwitchingProtocols {
				return nil
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return err
			}
			body = bytes.ReplaceAll(body, []byte(cloud.URL()), []byte(name))
			r.Body = io.NopCloser(bytes.NewReader(body))
			r.ContentLength = int64(len(body))
			r.Header.Set("Content-Length", strconv.Itoa(len(body)))
			return nil
		},
	}
	front.Config.ErrorLog = log.New(io.Discard, "", 0)
	front.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	front.StartTLS()
	t.Cleanup(front.Close)
	return strings.Replace(cloud.Ticket(), cloud.URL(), name, 1)
}

func readText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestAcceptBehindAProxy installs and runs a connector that reaches its tenant
// through a proxy with a password, and trusts three authorities from three
// places: the operator's folder, --ca-file, and an answer.
func TestAcceptBehindAProxy(t *testing.T) {
	t.Parallel()
	const user, password = `corp\planted`, "pl@nted:pr0xy/s#cret"
	proxy, accesses := startLoggingSquid(t, user, password)
	slapd := lab.Slapd(t, lab.SlapdOptions{Users: 3})
	cloud := startCloud(t)
	dir := t.TempDir()
	inspector := lab.NewCA(t, dir)
	c := newCLI(t)
	ticket := c.file("ticket", outside(t, cloud, inspector)+"\n")
	// The operator has a folder of authorities, and a connector that is not
	// there yet.
	operators := filepath.Dir(c.file("operators/inspector.pem", readText(t, inspector.File)))
	c.file("home/config.json", `{"SSL_CA_PATH": "`+operators+`"}`)
	h := &hunter{t: t, secrets: map[string]string{"proxy's password": password}}
	said := func(i *invocation) string { return i.stdout.String() + i.stderr.String() }
	flags := func(more ...string) []string {
		return append([]string{"install", "--no-service", "--non-interactive", "-v", "--ticket-file", ticket, "--ca-file", slapd.CAFile,
			"--ldap-url", slapd.TLSURL, "--ldap-bind-user", slapd.BindUser, "--ldap-bind-password-file", c.file("password", slapd.BindPassword)}, more...)
	}

	// Without the proxy, without its password, and with a wrong one.
	for _, tt := range []struct {
		more []string
		says string
	}{
		{nil, squidName},
		{[]string{"--proxy", "http://" + proxy}, "asks for credentials (407"},
		{[]string{"--proxy", proxy, "--proxy-credentials-file", c.file("wrong", user+":planted-wrong")}, "does not accept our credentials (407"},
	} {
		i := c.run(flags(tt.more...)...)
		if i.status() != exitBlocked || !strings.Contains(said(i), tt.says) {
			t.Errorf("%q ended with %d: %s", tt.more, i.status(), said(i))
		}
		h.search(strings.Join(tt.more, " "), said(i))
	}

	i := c.must(flags("--proxy", proxy, "--proxy-credentials-file", c.file("right", user+":"+password+"\r\n"))...)
	h.search("install", said(i))
	node := c.start("run", "--home", c.home)
	awaitAgent(t, cloud)
	login(t, cloud, lab.User(1), lab.Password(1), "")
	if line, err := os.ReadFile("/proc/" + strconv.Itoa(node.cmd.Process.Pid) + "/cmdline"); err == nil {
		h.search("argv", string(line))
	}
	for _, args := range [][]string{
		{"status"}, {"status", "-o", "json"}, {"config", "show"}, {"doctor", "--only", "network,tls,agent", "-v"},
		{"doctor", "-o", "json", "--only", "network,tls,agent"}, {"login", lab.User(1), "--password-file", c.file("user", lab.Password(1)), "-v"},
	} {
		i := c.must(args...)
		h.search(strings.Join(args, " "), said(i))
	}
	if got := strings.TrimSpace(c.must("config", "get", "SSL_CA_PATH").stdout.String()); got != operators {
		t.Errorf("SSL_CA_PATH is %q, and was %q", got, operators)
	}
	node.interrupt()
	node.wait(patience)
	if node.status() != exitOK {
		t.Errorf("run ended with %d: %s", node.status(), node.stderr)
	}
	h.search("run", said(node))
	logs, err := filepath.Glob(filepath.Join(c.home, "logs", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range logs {
		h.search(name, readText(t, name))
	}
	// The tenant has no other name: what came was let through, and the hub's
	// connection is over by now.
	lab.Eventually(t, "squid to tell of its connections", func() bool {
		passed := 0
		for line := range strings.Lines(readText(t, accesses)) {
			if strings.Contains(line, "TCP_TUNNEL/200") && strings.Contains(line, "CONNECT "+squidName) && strings.Contains(line, "planted") {
				passed++
			}
		}
		return passed >= 4 // install, doctor's, run and its hub
	})
}

// TestAcceptGuidedThroughAProxy learns of the proxy, its password and the
// authority one after the other.
func TestAcceptGuidedThroughAProxy(t *testing.T) {
	t.Parallel()
	const user, password = "svc", "pl@nted:pr0xy/s#cret"
	proxy, _ := startLoggingSquid(t, user, password)
	d := newDesk(t)
	inspector := lab.NewCA(t, t.TempDir())
	p := d.sit("install", "--no-service")
	p.asked("Ticket URL", outside(t, d.cloud, inspector))
	p.asked("HTTP proxy to the tenant", "ftp://nonsense")
	p.sees("it is not a proxy's address")
	p.asked("HTTP proxy to the tenant", proxy)
	p.asked("User of the proxy", user)
	p.asked("Password of "+user, password)
	p.asked("File of the authority's certificate", inspector.File)
	p.sees("ticket: connection sandbox")
	p.asked("Directory URL", d.directory.URL())
	p.asked("Service account", d.directory.BindUser())
	p.asked("Password of", d.directory.BindPassword())
	p.asked("Base DN of the users", "")
	p.sees("http://" + proxy + ", with credentials")
	p.asked("Install with these answers?", "n")
	p.leaves(exitFault)
	if strings.Contains(plain(p.screen.String()), password) {
		t.Error("the proxy's password was shown on the screen")
	}
	d.untouched()
}
