package main

import (
	"crypto/tls"
	"encoding/pem"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/sandbox"
	"ad-ldap-connector/testdata/lab"
)

const balancedHost = "login.corp.example"

// A balanced is two nodes behind HAProxy, which ends TLS.
type balanced struct {
	*browserLoad
	root   *lab.PKI
	url    string // SERVER_URL
	nodes  [2]*cli
	health [2]string
}

// newBalanced installs a node, makes another one of it, and puts the guide's
// HAProxy in front of both.
func newBalanced(t *testing.T) *balanced {
	t.Helper()
	program := requireProgram(t, "haproxy")
	b := &balanced{root: lab.NewPKI(t, "/CN=Corp Root", nil)}
	cert, key := b.root.Issue("/CN="+balancedHost, "subjectAltName=DNS:"+balancedHost+"\nextendedKeyUsage=serverAuth")
	cloud, err := sandbox.StartCloud(sandbox.CloudOptions{State: filepath.Join(t.TempDir(), "tenant"), Timeout: patience, Kerberos: true, CertAuth: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cloud.Close() }) // the test has ended
	d, err := sandbox.StartDirectory(sandbox.DirectoryOptions{Users: drillUsers, Traits: sandbox.Traits{ActiveDirectory: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() }) // the same

	var ports [2]string
	servers := make([]balancee, len(b.nodes))
	for i := range b.nodes {
		b.nodes[i], ports[i] = newCLI(t), strconv.Itoa(lab.FreePort(t))
		b.health[i] = "127.0.0.1:" + strconv.Itoa(lab.FreePort(t))
		servers[i] = balancee{"127.0.0.1:" + ports[i], b.health[i]}
	}
	addr := startTLSBalancer(t, program, balancedHost, cert, key, b.root.CAFile, servers)
	b.url = "https://" + balancedHost + addr[strings.LastIndex(addr, ":"):]

	first := b.nodes[0]
	first.must("install", "--no-service", "--non-interactive", "--skip", "host", "--ticket-file", first.file("ticket", cloud.Ticket()+"\n"), "--ca-file", cloud.CAFile(),
		"--ldap-url", d.URL(), "--ldap-bind-user", d.BindUser(), "--ldap-bind-password-file", first.file("password", d.BindPassword()+"\n"))
	for name, value := range map[string]string{
		"SERVER_URL": b.url, "TLS_CERT": cert, "TLS_KEY": key, "LEAVE_SECONDS": "2", "TRUSTED_PROXIES": "127.0.0.1",
		"CLIENT_CERT_HEADER": "x-ssl-client-cert", "KERBEROS_CHANNEL_BINDING": "none", "WITH_KERBEROS_PROXY_FRONTEND": "true",
	} {
		first.must("config", "set", name, value)
	}
	for name, value := range map[string]string{"TRUSTED_PROXY_SECRET": proxySecret, "CA_CERT": readFile(t, b.root.CAFile)} {
		first.stdin = value
		first.must("config", "set", name, "-")
	}
	first.stdin = ""
	first.must("export", "--plain", "--file", first.dir+"/node.zip")
	b.nodes[1].must("import", "--offline", first.dir+"/node.zip")
	for i, c := range b.nodes {
		c.must("config", "set", "PORT", ports[i])
		c.must("config", "set", "HEALTH_ADDR", b.health[i])
		c.start("run", "--home", c.home)
	}
	awaitAgents(t, cloud, "both nodes", func(a []sandbox.Agent) bool { return len(a) == len(b.nodes) })

	roots := cloud.CAPool().Clone()
	roots.AppendCertsFromPEM([]byte(readFile(t, b.root.CAFile)))
	b.browserLoad = &browserLoad{
		cloud: cloud, roots: roots, start: time.Now(), hosts: map[string]string{balancedHost: addr},
		node: func(r *http.Response) string { return r.Header.Get("X-Node") },
	}
	lab.Eventually(t, "HAProxy to send sign-ins to both nodes", func() bool {
		seen := map[string]bool{}
		for range 4 {
			status, node, _ := b.get(t, nil, nil)
			seen[node] = status == http.StatusOK
		}
		return seen["node1"] && seen["node2"]
	})
	return b
}

// A balancee is a node as a balancer has it: PORT and HEALTH_ADDR.
type balancee struct{ port, health string }

// startBalancer starts HAProxy in front of two nodes, with a file of the guide's
// as an administrator adapts it. It asks how the nodes are four times as often.
func startBalancer(t *testing.T, program, example string, nodes []balancee, changes map[string]string) (addr string) {
	t.Helper()
	text := balancerExample(t, example)
	change := func(from, to string) {
		if strings.Count(text, from) != 1 {
			t.Fatalf("%s has %q %d times", example, from, strings.Count(text, from))
		}
		text = strings.Replace(text, from, to, 1)
	}
	for i, n := range nodes {
		_, port, _ := strings.Cut(n.health, ":")
		change("server node"+strconv.Itoa(i+1)+" 192.0.2.1"+strconv.Itoa(i+1)+":443", "server node"+strconv.Itoa(i+1)+" "+n.port+" port "+port)
	}
	change("inter 2s", "inter 500ms")
	for from, to := range changes {
		change(from, to)
	}
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	addr, _ = startListener(t, func(port int) *exec.Cmd {
		if err := os.WriteFile(file, []byte(strings.Replace(text, "bind :443", "bind 127.0.0.1:"+strconv.Itoa(port), 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		return exec.Command(program, "-db", "-f", file)
	})
	return addr
}

// startTLSBalancer starts the one that ends TLS, and has it tell which node an
// answer came from.
func startTLSBalancer(t *testing.T, program, host, cert, key, authority string, nodes []balancee) (addr string) {
	t.Helper()
	both := filepath.Join(t.TempDir(), "login.pem")
	if err := os.WriteFile(both, []byte(readFile(t, cert)+readFile(t, key)), 0o600); err != nil {
		t.Fatal(err)
	}
	return startBalancer(t, program, "haproxy-tls.cfg", nodes, map[string]string{
		"/etc/haproxy/login.pem": both, "/etc/haproxy/users.pem": authority, "/etc/haproxy/nodes.pem": authority,
		"put-32-characters-or-more-in-here": proxySecret, "str(login.corp.example)": "str(" + host + ")",
		"    option redispatch\n": "    option redispatch\n    http-response set-header X-Node %s\n",
	})
}

// get opens the sign-in page, with a certificate and headers of the browser's own.
func (b *balanced) get(t *testing.T, certificate *tls.Certificate, header http.Header) (status int, node, text string) {
	t.Helper()
	client, err := b.client()
	if err != nil {
		t.Fatal(err)
	}
	if certificate != nil {
		client.Transport.(*http.Transport).TLSClientConfig.Certificates = []tls.Certificate{*certificate}
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+"/wsfed?"+url.Values{"wa": {"wsignin1.0"}, "wtrealm": {"urn:auth0:sandbox"}, "wctx": {"x"}}.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	res, err := client.Do(r)
	if err != nil {
		return 0, "", err.Error()
	}
	defer func() { _ = res.Body.Close() }() // it was only read
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, "", err.Error()
	}
	return res.StatusCode, res.Header.Get("X-Node"), string(body)
}

// TestSignInBehindATLSBalancer: users sign in through the guide's HAProxy, by the
// form and by a certificate, each request at the next node; nobody notices that
// one node stops, comes back, and the other is succeeded by a new process.
func TestSignInBehindATLSBalancer(t *testing.T) {
	t.Parallel()
	b := newBalanced(t)

	issue := func(by *lab.PKI, subject string) *tls.Certificate {
		cert, err := tls.LoadX509KeyPair(by.Issue(subject, lab.UserExtensions))
		if err != nil {
			t.Fatal(err)
		}
		return &cert
	}
	user := sandbox.GeneratedUser(7)
	own, strange := issue(b.root, "/CN="+user), issue(lab.NewPKI(t, "/CN=Corp Root", nil), "/CN="+user)
	pasted := url.QueryEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Certificate[0]})))
	nodes := map[string]bool{}
	for _, tt := range []struct {
		name        string
		certificate *tls.Certificate
		header      http.Header
		in          bool
	}{
		{"a certificate", own, nil, true},
		{"a certificate, at the other node", own, nil, true},
		{"another authority's", strange, nil, false},
		{"nothing", nil, nil, false},
		{"a certificate that is but pasted", nil, http.Header{"X-Ssl-Client-Cert": {pasted}}, false},
		{"a name", nil, http.Header{"X-Forwarded-User": {user}, "X-Connector-Proxy-Secret": {"guessed"}}, false},
	} {
		status, node, text := b.get(t, tt.certificate, tt.header)
		if got := strings.Contains(text, "wresult") && strings.Contains(text, user); got != tt.in || !tt.in && !strings.Contains(text, `name="password"`) {
			t.Errorf("%s: %d of %s: %s", tt.name, status, node, text)
		}
		nodes[node] = true
	}
	if len(nodes) != 2 {
		t.Errorf("the nodes were %v", nodes)
	}

	b.run(t.Context(), 100*time.Millisecond)
	defer b.end()
	several := func(what string) { // sign-ins from now on
		t.Helper()
		b.mu.Lock()
		had := len(b.visits)
		b.mu.Unlock()
		lab.Eventually(t, what, func() bool {
			b.mu.Lock()
			defer b.mu.Unlock()
			return len(b.visits) >= had+10
		})
	}
	several("sign-ins")
	second := b.nodes[1]
	stopped := second.said[len(second.said)-1]
	at := func(what string) { t.Logf("%s after %.1f s", what, time.Since(b.start).Seconds()) }
	at("stop of a node")
	stopped.interrupt()
	stopped.wait(patience)
	at("end of it")
	several("sign-ins at the other node")
	second.start("run", "--home", second.home)
	lab.Eventually(t, "the node to be back", func() bool {
		_, node, _ := b.get(t, nil, nil)
		return node == "node2"
	})
	first := b.nodes[0]
	former := first.said[len(first.said)-1]
	at("takeover of the other")
	first.start("run", "--home", first.home, takeoverFlag)
	former.wait(patience)
	at("end of the former")
	several("sign-ins after a takeover")
	b.end()

	moved, opened := 0, 0
	for _, v := range b.visits {
		if v.err != nil {
			t.Error(v.err)
			continue
		}
		for _, try := range v.tries {
			if try.why != "" {
				t.Errorf("a request was not answered after %.1f s: %s", try.begun.Seconds(), try.why)
			}
		}
		if v.nodes[0] != v.nodes[1] {
			moved++
		}
		if v.nodes[1] != v.nodes[2] {
			opened++
		}
	}
	t.Logf("%d sign-ins, %d taken by another node than showed the form, %d sessions opened by another one", len(b.visits), moved, opened)
	if moved == 0 || opened == 0 {
		t.Error("nobody went from node to node")
	}
	if said := stopped.stderr.String() + former.stderr.String(); stopped.status() != exitOK || former.status() != exitOK || strings.Contains(said, "parts do not end") {
		t.Errorf("%d, %d: %s", stopped.status(), former.status(), said)
	}
}
