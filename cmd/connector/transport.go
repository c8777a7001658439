package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpproxy"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/home"
	"ad-ldap-connector/pkg/install"
	"ad-ldap-connector/pkg/tenant"
)

// How long the steps of a request may take. The whole request is bounded by
// whoever makes it.
const (
	dialTimeout      = 10 * time.Second
	handshakeTimeout = 10 * time.Second
	headerTimeout    = 30 * time.Second
	idleTimeout      = 90 * time.Second
)

// A transport is how this program reaches others, and whom it trusts there.
// It is made once for each configuration, and in one place, so that proxies and
// CAs hold for everybody.
type transport struct {
	HTTP  *http.Client // https and wss, through the proxy where one is set
	TLS   *tls.Config  // to be cloned by whoever changes it
	Dial  func(ctx context.Context, network, addr string) (net.Conn, error)
	Notes []string // what was decided, for the log; without credentials

	dir     string   // the home's, where relative paths begin
	environ []string // says where Kerberos's files are
}

// homeTransport is the transport of a home: it trusts the authorities that an
// install was given, too.
func homeTransport(h *home.Home, n config.Network, environ []string) (*transport, error) {
	kept, err := h.CA(install.CAName)
	if err != nil {
		return nil, fmt.Errorf("read the CA certificates that were given to install: %w", err)
	}
	t, err := newTransport(n, environ, kept)
	if err != nil {
		return nil, err
	}
	t.dir = h.Dir()
	return t, nil
}

// newTransport trusts the system's CAs and those of SSL_CA_PATH and of more, as
// PEM, besides, and goes through the proxies that n or, where n names none, the
// environment names. Dial goes to directories, which no proxy stands before.
// The error names the setting, and the file where it is one's fault.
func newTransport(n config.Network, environ []string, more ...[]byte) (*transport, error) {
	t := &transport{
		environ: environ,
		TLS:     &tls.Config{MinVersion: tls.VersionTLS12},
		// Keep-alives are on by default: a dead peer is noticed within minutes.
		Dial: (&net.Dialer{Timeout: dialTimeout}).DialContext,
	}
	if n.CAPath != "" {
		pool, count, err := trustCAs(n.CAPath, n.CAFile)
		if err != nil {
			return nil, err
		}
		t.TLS.RootCAs = pool
		t.Notes = append(t.Notes, fmt.Sprintf("trusting %d more CA certificates from %s", count, n.CAPath))
	}
	if err := t.trust(bytes.Join(more, []byte("\n"))); err != nil {
		return nil, err
	}
	proxy, notes, err := proxies(n, environ)
	if err != nil {
		return nil, err
	}
	t.Notes = append(t.Notes, notes...)
	// HTTP/1.1 alone: the few requests gain nothing from HTTP/2, whose one
	// connection a firewall may silently drop under all of them.
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	t.HTTP = &http.Client{Transport: &http.Transport{
		Proxy:                  proxy,
		OnProxyConnectResponse: proxyAnswered,
		DialContext:            t.Dial,
		TLSClientConfig:        t.TLS.Clone(), // net/http changes it
		TLSHandshakeTimeout:    handshakeTimeout,
		ResponseHeaderTimeout:  headerTimeout,
		IdleConnTimeout:        idleTimeout,
		MaxIdleConns:           10,
		MaxResponseHeaderBytes: 256 << 10,
		Protocols:              protocols,
	}}
	return t, nil
}

// trust adds the authorities of a PEM text, if it has any.
func (t *transport) trust(pem []byte) error {
	if len(bytes.TrimSpace(pem)) == 0 {
		return nil
	}
	certificates, err := parseCAs(pem)
	if err != nil {
		return fmt.Errorf("read the CA certificates that were given to install: %w", err)
	}
	if t.TLS.RootCAs == nil {
		if t.TLS.RootCAs, err = x509.SystemCertPool(); err != nil {
			return fmt.Errorf("read the system's CA certificates: %w", err)
		}
	}
	for _, c := range certificates {
		t.TLS.RootCAs.AddCert(c)
	}
	t.Notes = append(t.Notes, fmt.Sprintf("trusting the %d CA certificates that were given to install", len(certificates)))
	return nil
}

// proxies returns http.Transport's Proxy function, and what to say of it.
// Requests for https and wss go through HTTP_PROXY too, as they always have,
// unless HTTPS_PROXY names another. Neither is ever used for this machine
// itself (localhost, 127.0.0.0/8, ::1), nor for what NO_PROXY lists.
func proxies(n config.Network, environ []string) (func(*http.Request) (*url.URL, error), []string, error) {
	plain, err := proxyURL("HTTP_PROXY", string(n.Proxy), environ)
	if err != nil {
		return nil, nil, err
	}
	secure, err := proxyURL("HTTPS_PROXY", string(n.HTTPSProxy), environ)
	if err != nil {
		return nil, nil, err
	}
	if secure == nil {
		secure = plain
	}
	if secure == nil {
		return nil, nil, nil
	}
	// People separate by spaces and semicolons too.
	except := strings.FieldsFunc(effective("NO_PROXY", n.NoProxy, environ), func(r rune) bool { return strings.ContainsRune(" \t,;", r) })
	rules := httpproxy.Config{HTTPSProxy: secure.String(), NoProxy: strings.Join(except, ",")}
	if plain != nil {
		rules.HTTPProxy = plain.String()
	}
	choose := rules.ProxyFunc()
	notes := []string{fmt.Sprintf("using the proxy %s for https", bare(secure))}
	if len(except) > 0 {
		notes[0] += ", except for " + strings.Join(except, ", ")
	}
	return func(r *http.Request) (*url.URL, error) {
		u := *r.URL
		switch u.Scheme { // the rules know no others
		case "wss":
			u.Scheme = "https"
		case "ws":
			u.Scheme = "http"
		}
		return choose(&u)
	}, notes, nil
}

// effective is a value of the configuration or, when it has none, of the
// environment, by curl's spelling last.
func effective(name, value string, environ []string) string {
	for _, key := range []string{name, strings.ToLower(name)} {
		for _, entry := range slices.Backward(environ) { // the last one counts
			if k, v, _ := strings.Cut(entry, "="); value == "" && k == key {
				value = v
			}
		}
	}
	return strings.TrimSpace(value)
}

var proxySchemes = []string{"http", "https", "socks5", "socks5h"}

// proxyURL reads a proxy's address; nil when there is none. The address may
// hold a password: no error quotes it, nor one of url.Parse, which would.
func proxyURL(name, value string, environ []string) (*url.URL, error) {
	value = effective(name, value, environ)
	if value == "" {
		return nil, nil
	}
	if !strings.Contains(value, "://") {
		value = "http://" + value
	}
	u, err := url.Parse(value)
	if err == nil && u.Hostname() != "" && slices.Contains(proxySchemes, u.Scheme) &&
		(u.Path == "" || u.Path == "/") && u.RawQuery == "" && u.Fragment == "" {
		return u, nil
	}
	return nil, &hinted{
		fmt.Errorf("read %s: it is not a proxy's address", name),
		"Write http://HOST:PORT or http://USER:PASSWORD@HOST:PORT, with special characters of the password percent-encoded (%40 for @, %23 for #, %2F for /).",
	}
}

// bare is a proxy's address without credentials.
func bare(u *url.URL) string { return (&url.URL{Scheme: u.Scheme, Host: u.Host}).String() }

// proxyAnswered turns a proxy's no to a CONNECT into an error with a name:
// net/http would say no more than "Forbidden", as if the tenant had.
func proxyAnswered(_ context.Context, proxy *url.URL, _ *http.Request, res *http.Response) error {
	if res.StatusCode == http.StatusOK {
		return nil
	}
	e := &tenant.ProxyError{Proxy: proxy.Host, Status: res.StatusCode, Credentials: proxy.User != nil}
	// tinyproxy asks by WWW-Authenticate when it has been given wrong ones.
	for _, offer := range append(res.Header.Values("Proxy-Authenticate"), res.Header.Values("WWW-Authenticate")...) {
		if scheme, _, _ := strings.Cut(strings.TrimSpace(offer), " "); len(e.Schemes) < maxSchemes && schemeName.MatchString(scheme) {
			e.Schemes = append(e.Schemes, scheme)
		}
	}
	return e
}

const maxSchemes = 8

// schemeName is what an authentication scheme may be called (RFC 9110, section
// 11.1), and no longer than the known ones: it ends in the log.
var schemeName = regexp.MustCompile(`^[A-Za-z0-9-]{1,20}$`)
