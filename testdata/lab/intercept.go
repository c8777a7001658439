package lab

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"
)

// Intercept starts a proxy that opens TLS to look inside, as firewalls do, with
// certificates that the CA issues as they are asked for. Whatever host it is
// asked for, the server at upstream answers. Without websockets it takes the
// headers out that ask for one. It returns its address.
func (ca *CA) Intercept(t testing.TB, upstream string, websockets bool) (address string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	behind := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "https", Host: upstream})
			if !websockets {
				r.Out.Header.Del("Connection")
				r.Out.Header.Del("Upgrade")
			}
		},
		Transport:      &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}, //nolint:gosec // it looks inside, whoever answers
		ModifyResponse: func(r *http.Response) error { r.Header.Set("Via", "1.1 inspector"); return nil },
		ErrorLog:       log.New(io.Discard, "", 0),
	}
	opened := &connections{come: make(chan net.Conn), done: make(chan struct{})}
	inside := &http.Server{Handler: behind, ErrorLog: behind.ErrorLog, ReadHeaderTimeout: time.Minute}
	outside := &http.Server{ErrorLog: behind.ErrorLog, ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if r.Method != http.MethodConnect || err != nil {
			http.Error(w, "CONNECT only", http.StatusMethodNotAllowed)
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		certificate, err := ca.forge(host, key)
		if err != nil {
			t.Error(err)
		}
		if _, err := io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
			return // it has gone again
		}
		select {
		case opened.come <- tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{certificate}}):
		case <-opened.done:
		}
	})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = inside.Serve(opened) }() // until it is closed
	go func() { _ = outside.Serve(l) }()
	t.Cleanup(func() {
		_ = outside.Close() // what was under way does not matter
		_ = inside.Close()
	})
	return l.Addr().String()
}

// forge issues a certificate for a host, with the CA's below it.
func (ca *CA) forge(host string, key *ecdsa.PrivateKey) (tls.Certificate, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, key.Public(), ca.key)
	chain := [][]byte{der}
	if ca.Open {
		chain = append(chain, ca.cert.Raw)
	}
	return tls.Certificate{Certificate: chain, PrivateKey: key}, err
}

// connections is a listener whose connections come from elsewhere.
type connections struct {
	come chan net.Conn
	done chan struct{}
	once sync.Once
}

func (c *connections) Accept() (net.Conn, error) {
	select {
	case conn := <-c.come:
		return conn, nil
	case <-c.done:
		return nil, net.ErrClosed
	}
}

func (c *connections) Close() error {
	c.once.Do(func() { close(c.done) })
	return nil
}

func (c *connections) Addr() net.Addr { return &net.TCPAddr{} }
