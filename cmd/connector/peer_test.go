package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/agent"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/keys"
	"ad-ldap-connector/testdata/lab"
)

// servePeer serves a home to its peers for the test, and returns the address.
func servePeer(t *testing.T, h *home.Home) string {
	t.Helper()
	c, err := h.Config()
	if err != nil {
		t.Fatal(err)
	}
	c.Agent.PeerAddr = "127.0.0.1:0"
	log := slog.New(slog.DiscardHandler)
	n := &node{home: h, config: c, log: log, listeners: newListeners(), agent: agent.New(log)}
	ctx, cancel := context.WithCancel(t.Context())
	ended, up := make(chan error, 1), make(chan string, 1)
	go func() {
		ended <- n.servePeers(ctx, func(_ agent.State, detail string) { up <- detail })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		n.listeners.close()
	})
	select {
	case addr := <-up:
		return addr
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
	}
	return ""
}

// anotherNode is a copy of a home with one setting that differs.
func anotherNode(t *testing.T, h *home.Home, dir string, settings ...string) *home.Home {
	t.Helper()
	archive := filepath.Join(t.TempDir(), "node.zip")
	if status, _, stderr := call(t, "export", "--plain", "--file", archive, "--home", h.Dir()); status != exitOK {
		t.Fatal(stderr)
	}
	if status, _, stderr := call(t, "import", archive, "--offline", "--home", dir); status != exitOK {
		t.Fatal(stderr)
	}
	for _, kv := range settings {
		key, value, _ := strings.Cut(kv, "=")
		if status, _, stderr := call(t, "config", "set", key, value, "--home", dir); status != exitOK {
			t.Fatal(stderr)
		}
	}
	other, err := home.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := loadInstance(other); err != nil {
		t.Fatal(err)
	}
	return other
}

// TestStatusOfCluster: what differs is named key by key, secrets by fingerprint.
func TestStatusOfCluster(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	here := transferHome(t, filepath.Join(dir, "here"), "corp-ad", "SESSION_SECRET=of-all-nodes-0123456789abcdefghi", "INSTANCE_NAME=first")
	if _, err := loadInstance(here); err != nil {
		t.Fatal(err)
	}
	same := anotherNode(t, here, filepath.Join(dir, "same"), "INSTANCE_NAME=second", "PORT=4711")
	other := anotherNode(t, here, filepath.Join(dir, "other"), "SESSION_SECRET=of-the-third-0123456789abcdefghi", "GROUPS=false")
	gone := lab.FreePort(t)
	peers := fmt.Sprintf("%s,%s,%s,127.0.0.1:%d", servePeer(t, here), servePeer(t, same), servePeer(t, other), gone)
	if status, _, stderr := call(t, "config", "set", "PEERS", peers, "--home", here.Dir()); status != exitOK {
		t.Fatal(stderr)
	}
	status, stdout, stderr := call(t, "status", "--cluster", "-o", "json", "--home", here.Dir())
	var c cluster
	if err := json.Unmarshal([]byte(stdout), &c); err != nil || status != exitFault || len(c.Nodes) != 4 {
		t.Fatalf("it ended with %d, %v: %s%s", status, err, stdout, stderr)
	}
	if c.Nodes[0].Name != "first" || c.Nodes[1].Name != "second" || c.Nodes[1].ConfigHash == c.Nodes[2].ConfigHash {
		t.Errorf("%+v", c.Nodes)
	}
	drift := func(n clusterNode) (keys []string) {
		for _, d := range n.Drift {
			keys = append(keys, d.Key)
		}
		return keys
	}
	if got := drift(c.Nodes[1]); strings.Join(got, " ") != "PEERS" { // which is what this test has just set
		t.Errorf("of a node that is the same: %q", got)
	}
	if got := drift(c.Nodes[2]); strings.Join(got, " ") != "GROUPS SESSION_SECRET PEERS" && strings.Join(got, " ") != "SESSION_SECRET GROUPS PEERS" {
		t.Errorf("of another one: %q", got)
	}
	for _, d := range c.Nodes[2].Drift {
		if d.Key == "SESSION_SECRET" && (!strings.HasPrefix(d.Here, "secret ") || !strings.HasPrefix(d.There, "secret ") || d.Here == d.There) {
			t.Errorf("%+v", d)
		}
	}
	if n := c.Nodes[3]; n.Reachable || n.Error == "" || n.Health != agent.Down {
		t.Errorf("%+v", n)
	}
	all := strings.Join(c.Warnings, "\n")
	for _, want := range []string{"are on one host", "differs from first: ", "cannot be asked"} {
		if !strings.Contains(all, want) {
			t.Errorf("want %q in\n%s", want, all)
		}
	}
	if strings.Contains(stdout+stderr, "of-all-nodes") || strings.Contains(stdout+stderr, "of-the-third") {
		t.Error("a secret is shown")
	}
	if _, text, _ := call(t, "status", "--cluster", "--home", here.Dir()); !strings.Contains(text, "GROUPS") || !strings.Contains(text, "lost ") {
		t.Errorf("as text:\n%s", text)
	}
}

func TestOneNodeOnly(t *testing.T) {
	t.Parallel()
	h := transferHome(t, filepath.Join(t.TempDir(), "home"), "corp-ad")
	if _, _, stderr := call(t, "status", "--cluster", "--home", h.Dir()); !strings.Contains(stderr, "one node only: 2 nodes minimum, 3 recommended") {
		t.Errorf("%s", stderr)
	}
}

// TestStrangersLearnNothing: neither a client nor a server without the private
// key is told anything, and none of them keeps the nodes from speaking.
func TestStrangersLearnNothing(t *testing.T) {
	t.Parallel()
	h := transferHome(t, filepath.Join(t.TempDir(), "home"), "corp-ad")
	if _, err := loadInstance(h); err != nil {
		t.Fatal(err)
	}
	addr := servePeer(t, h)
	c, err := h.Config()
	if err != nil {
		t.Fatal(err)
	}
	own, err := h.Keys(c)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := keys.Generate("corp-ad", "", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	settings := func(p *keys.Pair) *tls.Config {
		s, err := peerTLS(p)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	another, mine := settings(stranger), settings(own)
	curious := another.Clone()
	curious.VerifyConnection = func(s tls.ConnectionState) error {
		for _, text := range []string{"corp-ad", "auth0"} {
			if strings.Contains(string(s.PeerCertificates[0].Raw), text) {
				t.Errorf("the certificate says %s", text)
			}
		}
		return nil
	}
	none := curious.Clone()
	none.Certificates = nil
	copied := mine.Clone() // the certificate that all can see, without its key
	copied.Certificates[0].PrivateKey, copied.Certificates = stranger.Signer, []tls.Certificate{{Certificate: mine.Certificates[0].Certificate, PrivateKey: stranger.Signer}}
	older := mine.Clone()
	older.MinVersion, older.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	mine = settings(own)
	if _, _, err := askPeer(t.Context(), addr, mine); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*tls.Config{"another key": another, "another key, that trusts anybody": curious, "no certificate": none, "a copied certificate": copied, "TLS 1.2": older} {
		if r, _, err := askPeer(t.Context(), addr, s); err == nil {
			t.Errorf("%s: it is told %+v", name, r)
		}
	}
	for range 3 * maxAtOnce { // who says nothing does not stay
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }() // at the end of the test
	}
	lab.Eventually(t, "an answer in spite of them", func() bool {
		r, _, err := askPeer(t.Context(), addr, mine)
		return err == nil && r.Certificate == own.Thumbprint()
	})
	// A server that is a stranger gets no request.
	asked := make(chan struct{}, 1)
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{MinVersion: tls.VersionTLS13, Certificates: another.Certificates})
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{ReadHeaderTimeout: time.Minute, ErrorLog: quiet, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked <- struct{}{}
		_, _ = io.WriteString(w, `{"instance":"x","settings":{}}`) // whoever asked sees it
	})}
	go func() { _ = s.Serve(ln) }()
	t.Cleanup(func() { _ = s.Close() })
	if _, _, err := askPeer(t.Context(), ln.Addr().String(), mine); !errors.Is(err, errStranger) {
		t.Errorf("a strange server: %v", err)
	}
	select {
	case <-asked:
		t.Error("it was asked")
	default:
	}
}

func FuzzReadPeer(f *testing.F) {
	f.Add([]byte(`{"instance":"a","name":"b","version":"1","health":"ok","now":"2026-01-02T03:04:05Z","settings":{"GROUPS":"true"}}`))
	f.Add([]byte(`{"instance":"a","settings":null}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := readPeer(data)
		if err != nil {
			return
		}
		n := r.node("x", peerReport{Settings: nodeSettings{"GROUPS": "false"}}, 0)
		c := cluster{Nodes: []clusterNode{n, n}}
		if len(c.warn()) == 0 {
			t.Error("two nodes on one host are not warned of")
		}
	})
}
