package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ad-ldap-connector/pkg/agent"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/testdata/lab"
)

// TestLinks: each is taken once, and in its time.
func TestLinks(t *testing.T) {
	t.Parallel()
	h, err := home.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	m, now := newConsoleMemory(), time.Now()
	if err := m.redeem(h, "x", now); !errors.Is(err, errLinkSpent) {
		t.Errorf("without any: %v", err)
	}
	var all []string
	for range mostLinks + 1 {
		secret, until, err := newLink(h, now)
		if err != nil || until.Sub(now) > linkLasts || until.Sub(now) < linkLasts-2*time.Second {
			t.Fatal(until, err)
		}
		all = append(all, secret)
	}
	for i, want := range map[int]error{0: errLinkSpent, 1: nil, mostLinks: nil} { // the first has made room
		if err := m.redeem(h, all[i], now); !errors.Is(err, want) {
			t.Errorf("link %d: %v", i, err)
		}
	}
	if err := newConsoleMemory().redeem(h, all[1], now); !errors.Is(err, errLinkSpent) { // after a restart
		t.Errorf("again: %v", err)
	}
	for _, at := range []time.Time{now.Add(linkLasts + time.Second), now.Add(-2 * time.Minute)} {
		if err := m.redeem(h, all[2], at); !errors.Is(err, errLinkSpent) {
			t.Errorf("at %s: %v", at, err)
		}
	}
	if err := revokeConsole(h, now); err != nil {
		t.Fatal(err)
	}
	if err := m.redeem(h, all[3], now); !errors.Is(err, errLinkSpent) || !revokedAt(h).Equal(now) {
		t.Errorf("after all are revoked: %v", err)
	}
	if data, err := os.ReadFile(h.Path("state", linkState+".json")); err == nil && strings.Contains(string(data), all[4]) {
		t.Error("the file has a secret")
	}
}

// TestSpoiltStates: what is no state lets nobody in.
func TestSpoiltStates(t *testing.T) {
	t.Parallel()
	h, err := home.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	secret, _, err := newLink(h, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{linkState, revokedState, passwordState} {
		if err := os.WriteFile(h.Path("state", name+".json"), []byte("{\x00"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := newConsoleMemory().redeem(h, secret, time.Now()); err == nil {
		t.Error("a link is taken")
	}
	if time.Since(revokedAt(h)) > time.Minute {
		t.Error("sessions go on")
	}
	if hash, err := passwordHash(h); err == nil || hash != "" {
		t.Errorf("the password is %q", hash)
	}
}

// TestConsoleByTLS serves another address than loopback, finds it by what it
// left in the home, and refuses to without a certificate.
func TestConsoleByTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := lab.NewCA(t, dir)
	cert, key := ca.Certify(t, dir, "console", func(c *x509.Certificate) { c.DNSNames = []string{"console.corp.example"} })
	environ := []string{
		"PROVISIONING_TICKET=https://tenant.invalid/p/ad/x", "LDAP_URL=ldap://127.0.0.1:1", "LDAP_BASE=DC=corp,DC=test", "ANONYMOUS_SEARCH_ENABLED=true",
		"CONSOLE_ADDR=0.0.0.0:0", "CONSOLE_TLS_CERT=" + cert, "CONSOLE_TLS_KEY=" + key,
	}
	h, err := home.Open(filepath.Join(dir, "home"), environ)
	if err != nil {
		t.Fatal(err)
	}
	n, err := newNode(h, environ, slog.New(slog.DiscardHandler), new(stats))
	if err != nil {
		t.Fatal(err)
	}
	close(n.leads)
	ctx, stop := context.WithCancel(t.Context())
	up, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- n.serveConsole(ctx, func(_ agent.State, detail string) { up <- detail })
	}()
	said := <-up
	if !strings.HasPrefix(said, "https://console.corp.example:") {
		t.Errorf("it says %q", said)
	}
	var r running
	if err := h.LoadState("run", &r); err != nil {
		t.Fatal(err)
	}
	if _, err := fetchStatus(ctx, r.Console); err != nil {
		t.Errorf("by what it left: %v", err)
	}
	at, _, _ := strings.Cut(r.Console, "#")
	if _, err := fetchStatus(ctx, at+"#"+strings.Repeat("0", 64)); err == nil {
		t.Error("another certificate is taken for it")
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool, ServerName: "console.corp.example"}}}
	for host, want := range map[string]int{"console.corp.example": 200, "evil.example": 403} {
		req, err := http.NewRequest("GET", at+"/login", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close() // it was read
		if res.StatusCode != want || want == 200 && !strings.Contains(res.Header.Get("Set-Cookie"), "__Host-") {
			t.Errorf("%s: %d, %v", host, res.StatusCode, res.Header)
		}
	}
	client.CloseIdleConnections()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}

	n.config.Agent.ConsoleCert, n.config.Agent.ConsoleKey = "", ""
	if err := n.serveConsole(t.Context(), func(agent.State, string) { t.Error("it serves") }); !errors.Is(err, errConsoleTLS) {
		t.Errorf("without a certificate: %v", err)
	}
	n.config.Agent.ConsoleCert, n.config.Agent.ConsoleKey = key, cert
	if err := n.serveConsole(t.Context(), func(agent.State, string) { t.Error("it serves") }); err == nil {
		t.Error("with files that are none")
	}
}
