package clientcert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

// Bounds of what certificates make this machine ask for.
const (
	fetchTime = 5 * time.Second
	maxCRL    = 16 << 20 // octets
	maxOCSP   = 64 << 10
	fetches   = 4 // at the same time
)

// A fetcher asks whom certificates name for questions of revocation: directly,
// without redirections, and nobody at a link-local address, where clouds keep
// their secrets.
type fetcher struct {
	client *http.Client
	door   chan struct{}
}

func newFetcher(dial func(context.Context, string, string) (net.Conn, error)) *fetcher {
	if dial == nil {
		dial = (&net.Dialer{Control: outward}).DialContext
	}
	return &fetcher{
		client: &http.Client{
			Transport: &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := dial(ctx, network, addr)
				if err != nil {
					return nil, err
				}
				if err := outward(network, conn.RemoteAddr().String(), nil); err != nil {
					return nil, errors.Join(err, conn.Close())
				}
				return conn, nil
			}, DisableKeepAlives: true, ResponseHeaderTimeout: fetchTime, MaxResponseHeaderBytes: 64 << 10},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		door: make(chan struct{}, fetches),
	}
}

// outward refuses addresses that no authority has business with.
func outward(_, addr string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil //nolint:nilerr // not an address of the network's: a test's pipe
	}
	if a := to.Addr().Unmap(); a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() {
		return fmt.Errorf("%s is not asked: no authority is there", a)
	}
	return nil
}

// get fetches a URL, or posts a body to it.
func (f *fetcher) get(ctx context.Context, raw string, body []byte, kind string, most int64) ([]byte, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return nil, fmt.Errorf("%.200q is not a URL of http", raw)
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	select {
	case f.door <- struct{}{}:
		defer func() { <-f.door }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	method, reader := http.MethodGet, io.Reader(nil)
	if body != nil {
		method, reader = http.MethodPost, bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, raw, reader)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", kind)
	}
	res, err := f.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }() // it was only read
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", u.Host, res.Status)
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("%s sends more than %d octets", u.Host, most)
	}
	return data, err
}
