package directory_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ad-ldap-connector/pkg/directory"
	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/testdata/lab"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// hinted fails the test unless err says all of texts and gives a hint that
// says all of hints.
func hinted(t *testing.T, err error, texts, hints []string) {
	t.Helper()
	var r *identity.Refusal
	if err == nil || errors.As(err, &r) {
		t.Errorf("got %v, want a fault", err)
		return
	}
	advice := ""
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		advice = h.Hint()
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q does not say %q", err, text)
		}
	}
	for _, text := range hints {
		if !strings.Contains(advice, text) {
			t.Errorf("%q: the hint %q does not say %q", err, advice, text)
		}
	}
	if strings.Contains(err.Error()+advice, "planted-Secret") || strings.ContainsAny(err.Error()+advice, "\n\x00") {
		t.Errorf("a secret, or more than a line, is in %q, hint %q", err, advice)
	}
}

// listenTLS is a server of the test's own behind TLS.
func listenTLS(t *testing.T, config *tls.Config, serve func(net.Conn)) string {
	t.Helper()
	url := listen(t, func(c net.Conn) {
		s := tls.Server(c, config)
		if s.Handshake() == nil {
			serve(s)
			return
		}
		// To close with something unread is to reset, which can take from the client
		// the alert that says why: in TLS 1.3 its first request may be under way.
		_, _ = io.Copy(io.Discard, c)
	})
	return strings.Replace(url, "ldap://", "ldaps://", 1)
}

func serves(t *testing.T, certFile, keyFile string) *tls.Config {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}}
}

// What is wrong with a server's certificate is said with its names, and what to
// do about it.
func TestServerCertificates(t *testing.T) {
	dir := t.TempDir()
	ca := lab.NewCA(t, dir)
	here := func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)} }
	yes := fake(func(op ber.Tag, _ *ber.Packet) []answer { return done(op, 0, "") })
	for name, test := range map[string]struct {
		ca          *lab.CA
		untrusted   bool
		change      func(*x509.Certificate)
		config      func(*tls.Config)
		texts, hint []string
	}{
		"right": {ca: ca},
		"unknown authority": {ca: ca, untrusted: true, texts: []string{`"CN=dc1"`, `issued by "CN=lab test CA"`, "unknown authority"},
			hint: []string{`"CN=lab test CA"`, "SSL_CA_PATH", "intermediate"}},
		"self-signed": {untrusted: true, texts: []string{`"CN=dc1", issued by "CN=dc1"`}, hint: []string{"self-signed", "SHA-256", "SSL_CA_PATH"}},
		"another name": {ca: ca, change: func(c *x509.Certificate) {
			c.IPAddresses, c.DNSNames = nil, []string{"dc1.corp.test", "corp.test"}
		}, texts: []string{"127.0.0.1", `"CN=dc1"`}, hint: []string{"LDAP_URL", "dc1.corp.test, corp.test"}},
		"no name at all": {ca: ca, change: func(c *x509.Certificate) { c.IPAddresses = nil }, hint: []string{"alternative name", "127.0.0.1"}},
		"many names": {ca: ca, change: func(c *x509.Certificate) {
			c.IPAddresses, c.DNSNames = nil, strings.Fields(strings.Repeat("host.test ", 500))
		}, hint: []string{"and 490 more"}},
		"expired": {ca: ca, change: func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2021, 2, 3, 0, 0, 0, 0, time.UTC)
		}, texts: []string{"expired", "2021-02-03"}, hint: []string{"2020-01-01", "2021-02-03", "renew", "clock"}},
		"not yet valid": {ca: ca, change: func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2999, 2, 3, 0, 0, 0, 0, time.UTC)
		}, hint: []string{"2999-01-01", "clock"}},
		"for clients": {ca: ca, change: func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} },
			hint: []string{"serverAuth"}},
		"TLS 1.1": {ca: ca, config: func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 },
			texts: []string{"protocol version"}, hint: []string{"TLS 1.2"}},
		"wants a certificate": {ca: ca, config: func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert },
			texts: []string{"certificate required"}, hint: []string{"LDAP_CLIENT_CERT"}},
		"hostile subject": {ca: ca, untrusted: true, change: func(c *x509.Certificate) { c.Subject.CommonName = "a\nb\x1b[31m" }, texts: []string{"unknown authority"}},
	} {
		t.Run(name, func(t *testing.T) {
			change := func(c *x509.Certificate) {
				here(c)
				if test.change != nil {
					test.change(c)
				}
			}
			certFile, keyFile := test.ca.Certify(t, t.TempDir(), "dc1", change)
			config := serves(t, certFile, keyFile)
			if test.config != nil {
				test.config(config)
			}
			url := listenTLS(t, config, yes)
			c := ask(t, func(o *directory.Options) {
				if o.TLS = (&tls.Config{RootCAs: ca.Pool}); test.untrusted {
					o.TLS = nil
				}
			}, url)
			err := c.Bind(t.Context(), "uid=x", "planted-Secret")
			if name == "right" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			hinted(t, err, append(test.texts, url), test.hint)
		})
	}
}

// A server that does not offer StartTLS, or breaks off over it, gets nothing
// in clear.
func TestStartTLSDoesNotFallBack(t *testing.T) {
	const protocolError, unavailable = 2, 52
	for name, test := range map[string]struct {
		answer      []answer
		texts, hint []string
	}{
		"not offered": {[]answer{{tag: ldap.ApplicationExtendedResponse, code: protocolError, text: "unsupported extended operation"}},
			[]string{"start TLS: protocol error (2): unsupported extended operation"}, []string{"does not offer StartTLS", "ldaps://"}},
		"no certificate": {[]answer{{tag: ldap.ApplicationExtendedResponse, code: unavailable}}, []string{"start TLS: unavailable (52)"}, []string{"ldaps://"}},
		"hangs up":       {[]answer{{hangUp: true}}, []string{"start TLS: "}, nil},
		"garbage":        {[]answer{{raw: []byte("0\x00")}}, []string{"start TLS: "}, nil},
		"yes, and no TLS": {[]answer{{tag: ldap.ApplicationExtendedResponse}, {raw: []byte("0\x0c\x02\x01\x01a\x07\n\x01\x00\x04\x00\x04\x00")}},
			[]string{"TLS"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var others atomic.Int32
			url := listen(t, fake(func(op ber.Tag, _ *ber.Packet) []answer {
				if op != ldap.ApplicationExtendedRequest {
					others.Add(1)
					return done(op, 0, "")
				}
				return test.answer
			}))
			c := ask(t, func(o *directory.Options) {
				o.StartTLS, o.BindUser, o.BindPassword = true, "cn=svc", "planted-Secret"
			}, url)
			hinted(t, c.Bind(t.Context(), "uid=x", "planted-Secret"), append(test.texts, url), test.hint)
			_, err := c.Find(t.Context(), "x")
			hinted(t, err, append(test.texts, url), test.hint)
			if n := others.Load(); n > 0 {
				t.Errorf("%d requests came in clear", n)
			}
		})
	}
}

// Without TLS, where that is required, not even a connection is used: no
// password is sent, neither the service account's nor a user's nor a new one.
func TestRequireTLS(t *testing.T) {
	var said atomic.Int32
	url := listen(t, func(c net.Conn) {
		n, _ := c.Read(make([]byte, 1))
		said.Add(int32(n))
	})
	c := ask(t, func(o *directory.Options) {
		o.RequireTLS, o.BindUser, o.BindPassword = true, "cn=svc", "planted-Secret"
	}, url)
	_, find := c.Find(t.Context(), "x")
	for name, err := range map[string]error{
		"find": find, "bind": c.Bind(t.Context(), "uid=x", "planted-Secret"), "set": c.SetPassword(t.Context(), "uid=x", "planted-Secret"),
	} {
		t.Log(name)
		hinted(t, err, []string{url, "LDAP_REQUIRE_TLS"}, []string{"LDAP_STARTTLS", "ldaps://"})
	}
	_ = c.Close()
	if said.Load() > 0 {
		t.Error("something was sent in clear")
	}
}

// dialer opens every connection to the one address.
func dialer(addr string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}
}

// logged is a log that tests read.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Passwords in clear are warned of once for a client, not for each connection,
// and not where they do not leave this machine.
func TestClearIsWarnedOfOnce(t *testing.T) {
	local := listen(t, fake(func(op ber.Tag, _ *ber.Packet) []answer { return done(op, 0, "") }))
	away := "ldap://dc1.corp.test:389"
	for url, want := range map[string]int{away: 1, local: 0, "ldap://localhost:1": 0, "ldap://[::1]:1": 0} {
		var log logged
		c := ask(t, func(o *directory.Options) {
			o.Log = slog.New(slog.NewTextHandler(&log, nil))
			o.Dial = dialer(strings.TrimPrefix(local, "ldap://"))
		}, url)
		for range 3 {
			if err := c.Bind(t.Context(), "uid=x", "planted-Secret"); err != nil {
				t.Error(err)
			}
			_, _ = c.Search(t.Context(), identity.Query{})
		}
		if got := strings.Count(log.String(), "passwords cross the network in clear"); got != want {
			t.Errorf("%s: warned %d times: %s", url, got, &log)
		}
		if strings.Contains(log.String(), "planted") {
			t.Errorf("a secret is in %s", &log)
		}
	}
}
