package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"ad-ldap-connector/pkg/doctor"
	"ad-ldap-connector/pkg/tenant"
)

// errPassed ends an exchange that has shown what it was to show.
var errPassed = errors.New("that was all")

// pass asks the proxy to let us through, and goes no further.
func (w *way) pass(ctx context.Context, r doctor.Route) error {
	if !slices.ContainsFunc(w.places(), func(p place) bool { return strings.HasPrefix(p.url, "https:") && address(p.url) == r.To }) {
		return nil // without TLS a proxy is not asked by CONNECT; the check of the host itself shows it
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	k, tr, err := w.track(ctx, "https://"+r.To)
	if err != nil {
		return err
	}
	defer tr.CloseIdleConnections()
	answered := tr.OnProxyConnectResponse
	tr.OnProxyConnectResponse = func(ctx context.Context, proxy *url.URL, req *http.Request, res *http.Response) error {
		if err := answered(ctx, proxy, req, res); err != nil {
			return err
		}
		return errPassed
	}
	k.through = func() { cancel(errPassed) } // of SOCKS, which tells nothing else
	req, err := http.NewRequestWithContext(k.traced(ctx), http.MethodGet, "https://"+r.To, nil)
	if err != nil {
		return err
	}
	res, err := tr.RoundTrip(req)
	switch {
	case err == nil: // an answer in the instant before it was given up
		_ = res.Body.Close()
		return nil
	case errors.Is(err, errPassed), errors.Is(context.Cause(ctx), errPassed):
		return nil
	}
	return k.stop(ctx, r.To, err)
}

// originOf is where a ticket leads, without the ticket.
func originOf(t tenant.Ticket) string {
	u, err := url.Parse(t.Reveal())
	if err != nil {
		return ""
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()
}

// hostname is a URL's host without its port.
func hostname(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// address is a URL's HOST:PORT, with the scheme's port when it has none.
func address(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// withPort is HOST or HOST:PORT with a port, of HTTPS where there is none.
func withPort(host string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), "443")
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
