package tenant

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// quiet is for servers whose clients are meant to fail.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// hides fails when an error shows the planted secret to anybody.
func hides(t *testing.T, err error) {
	t.Helper()
	for e := err; e != nil; e = errors.Unwrap(e) {
		for _, verb := range []string{"%v", "%+v", "%#v", "%q"} {
			if s := fmt.Sprintf(verb, e); strings.Contains(s, planted) {
				t.Errorf("%T shows the secret by %s: %s", e, verb, s)
			}
		}
	}
}

// listen serves each connection by handle until the test ends.
func listen(t *testing.T, handle func(net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // ends the loop below
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() }) // for those that handle leaves open
			handle(c)
		}
	}()
	return l.Addr().String()
}

// closedPort returns an address where nothing listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// ask reads the settings behind a ticket at host and returns the error.
func ask(t *testing.T, host string, tr *http.Transport) error {
	t.Helper()
	t.Cleanup(tr.CloseIdleConnections)
	_, err := (&Client{HTTP: &http.Client{Transport: tr}}).Connection(t.Context(), ticket(t, "https://"+host+"/p/ad/"+planted))
	return err
}

func TestTheNetworkIsNamed(t *testing.T) {
	const doing = "read the connection's settings at "
	closed := closedPort(t)
	check(t, ask(t, closed, &http.Transport{}), CauseRefused, "connection refused by "+closed, doing+closed)

	silent := listen(t, func(net.Conn) {})
	check(t, ask(t, silent, &http.Transport{TLSHandshakeTimeout: 10 * time.Millisecond}), CauseTimeout, "no answer in time", doing+silent)

	hasty := listen(t, func(c net.Conn) { _ = c.Close() })
	check(t, ask(t, hasty, &http.Transport{}), CauseClosed, "the connection was cut", doing+hasty)

	for errno, cause := range map[error]Cause{hostUnreachable: CauseUnreachable, netUnreachable: CauseUnreachable, reset: CauseClosed, aborted: CauseClosed, broken: CauseClosed} {
		tr := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443}, Err: os.NewSyscallError("connect", errno)}
		}}
		text := "no route to 192.0.2.1:443"
		if cause == CauseClosed {
			text = "cut"
		}
		check(t, ask(t, "acme.example", tr), cause, text, doing+"acme.example")
	}
}

// A name server of ours answers every question alike.
func TestDNSIsNamed(t *testing.T) {
	for name, c := range map[string]struct {
		rcode byte
		text  string
	}{
		"no such name":  {3, `DNS knows no host "acme.example."`},
		"server fails":  {2, `DNS lookup of "acme.example.": server misbehaving`},
		"never answers": {0xff, `DNS did not answer when asked for "acme.example."`},
	} {
		t.Run(name, func(t *testing.T) {
			server, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = server.Close() }()
			go func() {
				packet := make([]byte, 1500)
				for {
					n, from, err := server.ReadFrom(packet)
					if err != nil {
						return
					}
					if c.rcode == 0xff {
						continue
					}
					packet[2] |= 0x80 // a response (RFC 1035, section 4.1.1)
					packet[3] = packet[3]&0xf0 | c.rcode
					_, _ = server.WriteTo(packet[:n], from) // a lost one is asked for again
				}
			}()
			dialer := net.Dialer{Resolver: &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "udp", server.LocalAddr().String())
			}}}
			if c.rcode == 0xff {
				dialer.Timeout = 50 * time.Millisecond
			}
			// The dot keeps the machine's search list out of it.
			err = ask(t, "acme.example.", &http.Transport{DialContext: dialer.DialContext})
			check(t, err, CauseDNS, c.text, "read the connection's settings at acme.example.")
		})
	}
}

// issue makes a certificate signed by the parent; by itself when that is nil.
func issue(t *testing.T, parent *tls.Certificate, c x509.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber = big.NewInt(1)
	if c.NotAfter.IsZero() {
		c.NotAfter = time.Now().Add(time.Hour)
	}
	c.BasicConstraintsValid = true
	above, signer := &c, any(key)
	var chain [][]byte
	if parent != nil {
		above, signer, chain = parent.Leaf, parent.PrivateKey, parent.Certificate
	}
	der, err := x509.CreateCertificate(rand.Reader, &c, above, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: append([][]byte{der}, chain...), PrivateKey: key, Leaf: leaf}
}

func TestCertificatesAreNamed(t *testing.T) {
	self := net.IPv4(127, 0, 0, 1)
	ca := func(name string) x509.Certificate {
		return x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, KeyUsage: x509.KeyUsageCertSign}
	}
	leaf := func(name string, ips ...net.IP) x509.Certificate {
		return x509.Certificate{Subject: pkix.Name{CommonName: name}, IPAddresses: ips}
	}
	trusted := issue(t, nil, ca("Trusted Root"))
	stranger := issue(t, nil, ca("Corp Inspection Root"))
	middle := issue(t, &stranger, ca("Corp Inspection CA"))
	unnamed := issue(t, nil, x509.Certificate{Subject: pkix.Name{Organization: []string{"Corp"}}, IsCA: true, KeyUsage: x509.KeyUsageCertSign})
	pool := x509.NewCertPool()
	pool.AddCert(trusted.Leaf)
	day := time.Date(2025, 3, 4, 5, 6, 0, 0, time.UTC)

	many := leaf("many")
	for i := range 9 {
		many.DNSNames = append(many.DNSNames, fmt.Sprintf("h%d.example", i))
	}
	old := leaf("acme.example", self)
	old.NotBefore, old.NotAfter = day.AddDate(-1, 0, 0), day
	early := leaf("acme.example", self)
	early.NotBefore, early.NotAfter = day.AddDate(200, 0, 0), day.AddDate(201, 0, 0)
	shouting := leaf("acme.example\n"+strings.Repeat("x", 5000), self)

	for name, c := range map[string]struct {
		certificate tls.Certificate
		cause       Cause
		text        string
	}{
		"unknown root":         {issue(t, &stranger, leaf("acme.example", self)), CauseTLSAuthority, `signed by "Corp Inspection Root", which this machine does not trust`},
		"unknown intermediate": {issue(t, &middle, leaf("acme.example", self)), CauseTLSAuthority, `signed by "Corp Inspection Root"`},
		"root without a name":  {issue(t, &unnamed, leaf("acme.example", self)), CauseTLSAuthority, `signed by "Corp"`},
		"self-signed":          {issue(t, nil, leaf("acme.example", self)), CauseTLSSelfSigned, `signed by itself ("acme.example")`},
		"self-signed, endless": {issue(t, nil, shouting), CauseTLSSelfSigned, `xxx..."`},
		"expired":              {issue(t, &trusted, old), CauseTLSExpired, `"acme.example" expired at 2025-03-04 05:06 UTC`},
		"not yet valid":        {issue(t, &trusted, early), CauseTLSEarly, `valid only from 2225-03-04 05:06 UTC`},
		"another address":      {issue(t, &trusted, leaf("x", net.IPv4(10, 0, 0, 1))), CauseTLSName, `for 10.0.0.1, not for "127.0.0.1"`},
		"many names":           {issue(t, &trusted, many), CauseTLSName, `"h4.example", others, not for`},
		"no name":              {issue(t, &trusted, leaf("acme.example")), CauseTLSName, `for no host at all, not for`},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewUnstartedServer(say(200, "application/json", complete+"}"))
			s.Config.ErrorLog = quiet()
			s.TLS = &tls.Config{Certificates: []tls.Certificate{c.certificate}}
			s.StartTLS()
			defer s.Close()
			host := strings.TrimPrefix(s.URL, "https://")
			err := ask(t, host, &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}})
			check(t, err, c.cause, c.text, "read the connection's settings at "+host)
			if !c.cause.Of(CauseTLS) || c.cause.Of(CauseProxy) {
				t.Errorf("%s is not a sort of tls", c.cause)
			}
		})
	}
}

func TestTLSItselfIsNamed(t *testing.T) {
	plain := httptest.NewServer(say(200, "text/html", "hello"))
	defer plain.Close()
	host := strings.TrimPrefix(plain.URL, "http://")
	check(t, ask(t, host, &http.Transport{}), CauseTLSNone, "plain HTTP", "")

	ssh := listen(t, func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.2p1\r\n") })
	check(t, ask(t, ssh, &http.Transport{}), CauseTLSNone, "does not speak TLS", "")

	odd := listen(t, func(c net.Conn) { _, _ = io.WriteString(c, "\x15\x03\x03\x00\x02\x02\x28") }) // an alert: handshake failure
	check(t, ask(t, odd, &http.Transport{}), CauseTLS, "refuses the TLS handshake: handshake failure", "")

	old := httptest.NewUnstartedServer(say(200, "", ""))
	old.Config.ErrorLog = quiet()
	old.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	old.StartTLS()
	defer old.Close()
	host = strings.TrimPrefix(old.URL, "https://")
	check(t, ask(t, host, &http.Transport{}), CauseTLS, "refuses the TLS handshake: protocol version not supported", "")
}

// Servers that quote the ticket in what is not even HTTP.
func TestMalformedAnswersKeepTheSecret(t *testing.T) {
	for _, head := range []string{"HTTP/1.1 " + planted, "HTTP/1.1 200 OK\r\n" + planted + "\x01: x", "HTTP/1.1 200 OK\r\nX:\x00" + strings.Repeat(planted, 99), planted} {
		address := listen(t, func(c net.Conn) {
			go answerOnce(c, head+"\r\n\r\n")
		})
		tr := &http.Transport{DialTLSContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		}}
		check(t, ask(t, address, tr), CauseOther, "", "read the connection's settings at ")
	}
}

// answerOnce reads a request's head and answers it once: an answer that comes
// before the question may be lost with a reset.
func answerOnce(c net.Conn, head string) {
	var asked []byte
	for b := make([]byte, 1000); !strings.Contains(string(asked), "\r\n\r\n"); {
		n, err := c.Read(b)
		if err != nil {
			return
		}
		asked = append(asked, b[:n]...)
	}
	_, _ = io.WriteString(c, head) // the client may be gone
}

// proxy answers every CONNECT alike; the client's transport is set up as
// whoever makes one has to.
func proxy(t *testing.T, credentials *url.Userinfo, head string) *http.Transport {
	t.Helper()
	address := listen(t, func(c net.Conn) {
		go answerOnce(c, "HTTP/1.1 "+head+"\r\nContent-Length: 0\r\n\r\n")
	})
	return &http.Transport{
		Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: address, User: credentials}),
		OnProxyConnectResponse: func(_ context.Context, u *url.URL, _ *http.Request, res *http.Response) error {
			if res.StatusCode == http.StatusOK {
				return nil
			}
			return &ProxyError{Proxy: "proxy:3128", Status: res.StatusCode, Schemes: res.Header.Values("Proxy-Authenticate"), Credentials: u.User != nil}
		},
	}
}

func TestProxiesAreNamed(t *testing.T) {
	me := url.UserPassword("u", planted)
	for name, c := range map[string]struct {
		credentials *url.Userinfo
		head        string
		cause       Cause
		text, hint  string
	}{
		"asks":             {nil, "407 No\r\nProxy-Authenticate: Basic", CauseProxyAuth, "proxy:3128 asks for credentials (407 Proxy Authentication Required, offers Basic)", "as http://USER:PASSWORD@HOST:PORT with"},
		"asks for others":  {me, "407 No\r\nProxy-Authenticate: Basic", CauseProxyAuth, "does not accept our credentials (407", "Check user name and password"},
		"tinyproxy's way":  {me, "401 No", CauseProxyAuth, "does not accept our credentials (401 Unauthorized)", "Check user name and password"},
		"wants a ticket":   {nil, "407 No\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM", CauseProxyAuth, "offers Negotiate, NTLM)", "offer Basic"},
		"forbids":          {nil, "403 No", CauseProxyRefused, "does not allow the connection (403 Forbidden)", "allow CONNECT to acme.example"},
		"does not reach":   {nil, "502 No", CauseProxyUpstream, "does not get through (502 Bad Gateway)", "NO_PROXY"},
		"cannot look up":   {nil, "503 No", CauseProxyUpstream, "does not get through (503 Service Unavailable)", "NO_PROXY"},
		"says nonsense":    {nil, "299 No", CauseProxy, "the proxy proxy:3128 answered 299", "allow CONNECT"},
		"lets us, is dead": {nil, "200 OK", CauseTimeout, "no answer in time", "firewall"},
	} {
		t.Run(name, func(t *testing.T) {
			tr := proxy(t, c.credentials, c.head)
			tr.TLSHandshakeTimeout = 50 * time.Millisecond
			err := ask(t, "acme.example", tr)
			check(t, err, c.cause, c.text, "read the connection's settings at acme.example: ")
			var e *Error
			if errors.As(err, &e) && !strings.Contains(e.Hint(), c.hint) {
				t.Errorf("hint %q", e.Hint())
			}
		})
	}
	closed := closedPort(t)
	tr := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: closed, User: me})}
	check(t, ask(t, "acme.example", tr), CauseProxyUnreachable, "no connection to the proxy: connection refused by "+closed, "")
	tr = &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "socks5", Host: listen(t, func(c net.Conn) { _ = c.Close() }), User: me})}
	check(t, ask(t, "acme.example", tr), CauseProxyUpstream, "the proxy does not get through: ", "")
}

func TestExplain(t *testing.T) {
	if Explain("x", "y", nil) != nil {
		t.Error("nil is no error")
	}
	once := Explain("connect to the hub", "hub.example", io.EOF)
	if twice := Explain("again", "", fmt.Errorf("outer: %w", once)); !errors.Is(twice, once) || twice.Error() != once.Error() {
		t.Error(twice)
	}
	quoted := func(err error) error {
		return &url.Error{Op: "Get", URL: "https://acme.example/p/ad/" + planted, Err: err}
	}
	for _, err := range []error{
		quoted(errors.New("odd")), quoted(quoted(errors.New("odd"))), quoted(nil),
		fmt.Errorf("websocket: %w", quoted(errors.New("odd"))),
		errors.Join(errors.New("a"), quoted(errors.New("odd"))),
	} {
		check(t, Explain("connect to the hub", "hub.example", err), CauseOther, "", "connect to the hub at hub.example: ")
	}
	check(t, Explain("x", "", quoted(context.DeadlineExceeded)), CauseTimeout, "no answer in time", "x: ")
	check(t, Explain("", "hub.example", io.EOF), CauseClosed, "", "the connection was cut")
	check(t, Explain("x", "", errors.New("tls: odd")), CauseTLS, "TLS handshake: odd", "x: ")
	check(t, Explain("x", "", x509.SystemRootsError{Err: errors.New("odd")}), CauseTLS, "its certificate: ", "x: ")
	check(t, Explain("x", "", x509.UnknownAuthorityError{}), CauseTLSAuthority, "an authority", "x: ")
	check(t, Explain("x", "", x509.HostnameError{Host: "h"}), CauseTLSName, "another host", "x: ")
	check(t, Explain("x", "", &tls.CertificateVerificationError{Err: errors.New("odd")}), CauseTLS, "its certificate: odd", "x: ")
}

func TestHintsNameTheAddress(t *testing.T) {
	for host, want := range map[string]string{"acme.example": " acme.example:443 ", "acme.example:8443": " acme.example:8443 ", "[::1]": " [::1]:443 ", "": " the tenant's port 443 "} {
		if hint := (&Error{Host: host, Cause: CauseRefused}).Hint(); !strings.Contains(hint, want) {
			t.Errorf("%q: %s", host, hint)
		}
	}
}

// Every cause has a hint, except where there is nothing to do.
func TestHintsAreComplete(t *testing.T) {
	for cause, hint := range hints {
		e := &Error{Cause: cause}
		if !strings.HasSuffix(hint, ".") || strings.Contains(e.Hint(), "{") || strings.Count(e.Hint(), ". ") > 0 {
			t.Errorf("%s: %s", cause, e.Hint())
		}
	}
}
