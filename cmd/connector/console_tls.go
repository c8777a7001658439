package main

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"ad-ldap-connector/pkg/config"
)

// A consoleTLS is the certificate that the console shows. Its files are read
// anew when they have changed: certificates live a few weeks.
type consoleTLS struct {
	cert, key string

	mu     sync.Mutex
	loaded *tls.Certificate
	at     time.Time
}

// consoleTLSEvery is how often the files are looked at.
const consoleTLSEvery = time.Minute

// newConsoleTLS reads the files; nil when the configuration names none.
func newConsoleTLS(c config.Config) (*consoleTLS, error) {
	if c.Agent.ConsoleCert == "" || c.Agent.ConsoleKey == "" {
		return nil, nil //nolint:nilnil // see above
	}
	t := &consoleTLS{cert: c.Agent.ConsoleCert, key: c.Agent.ConsoleKey}
	_, err := t.get()
	return t, err
}

// get returns the certificate. Files that cannot be read any more leave the one
// of before.
func (t *consoleTLS) get() (*tls.Certificate, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.loaded != nil && time.Since(t.at) < consoleTLSEvery {
		return t.loaded, nil
	}
	pair, err := tls.LoadX509KeyPair(t.cert, t.key)
	if err == nil {
		pair.Leaf, err = x509.ParseCertificate(pair.Certificate[0])
	}
	if err != nil && t.loaded == nil {
		return nil, fmt.Errorf("CONSOLE_TLS_CERT and CONSOLE_TLS_KEY: %w", err)
	}
	if t.at = time.Now(); err == nil {
		t.loaded = &pair
	}
	return t.loaded, nil
}

// leaf is the certificate itself.
func (t *consoleTLS) leaf() *x509.Certificate {
	pair, err := t.get()
	if err != nil {
		return nil
	}
	return pair.Leaf
}

func (t *consoleTLS) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return t.get() },
	}
}

// consoleAt is how the console of an address is found by the programs of this
// machine: HOST:PORT or, by TLS, https://HOST:PORT#PIN, the certificate's
// SHA-256, for it need not be one that this machine trusts.
func consoleAt(addr net.Addr, t *consoleTLS) string {
	at := addr.String()
	if ap, err := netip.ParseAddrPort(at); err == nil && ap.Addr().IsUnspecified() {
		// Who listens on [::] listens on 0.0.0.0 too, as Go has it everywhere.
		at = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), ap.Port()).String()
	}
	if t == nil {
		return at
	}
	sum := sha256.Sum256(t.leaf().Raw)
	return "https://" + at + "#" + hex.EncodeToString(sum[:])
}

// consoleHost is the HOST:PORT of what consoleAt has made.
func consoleHost(at string) string {
	at = strings.TrimPrefix(at, "https://")
	at, _, _ = strings.Cut(at, "#")
	return at
}

// consoleClient asks what consoleAt has made, and returns where.
func consoleClient(at string) (client *http.Client, base string) {
	transport := &http.Transport{Proxy: nil, DisableKeepAlives: true}
	client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	host, pin, secure := strings.Cut(strings.TrimPrefix(at, "https://"), "#")
	if !secure {
		return client, "http://" + host
	}
	transport.TLSClientConfig = &tls.Config{
		MinVersion: tls.VersionTLS12, InsecureSkipVerify: true, //nolint:gosec // the certificate itself is compared
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) > 0 {
				if sum := sha256.Sum256(s.PeerCertificates[0].Raw); hex.EncodeToString(sum[:]) == pin {
					return nil
				}
			}
			return errors.New("it shows another certificate than the connector of this home has left")
		},
	}
	return client, "https://" + host
}

// page is where a browser finds the console: by the address itself, which no
// other program can be listening at under the same name.
func (r running) page() string {
	if r.ConsoleName != "" {
		_, port, _ := net.SplitHostPort(consoleHost(r.Console)) // it was made from an address
		return "https://" + net.JoinHostPort(r.ConsoleName, port)
	}
	if strings.HasPrefix(r.Console, "https://") {
		return "https://" + consoleHost(r.Console)
	}
	return "http://" + r.Console
}

// consoleName is the name by which browsers are to come: the configured host
// if the certificate is for it, else the first name that it is for.
func consoleName(addr string, t *consoleTLS) string {
	if t == nil {
		return ""
	}
	leaf := t.leaf()
	host, _, _ := net.SplitHostPort(addr)
	if host != "" && leaf.VerifyHostname(host) == nil {
		return host
	}
	for _, name := range leaf.DNSNames {
		if !strings.Contains(name, "*") {
			return name
		}
	}
	if len(leaf.IPAddresses) > 0 {
		return leaf.IPAddresses[0].String()
	}
	return host
}
