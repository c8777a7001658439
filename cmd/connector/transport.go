package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"ad-ldap-connector/pkg/config"
)

type transport struct {
	HTTP  *http.Client
	TLS   *tls.Config
	Dial  func(ctx context.Context, network, addr string) (net.Conn, error)
	Notes []string
}

func newTransport(n config.Network, environ []string) (*transport, error) {
	pool, _ := x509.SystemCertPool()
	if n.CAPath != "" {
		filepath.Walk(n.CAPath, func(p string, i os.FileInfo, err error) error {
			b, _ := os.ReadFile(p)
			pool.AppendCertsFromPEM(b)
			return nil
		})
	}
	t := &tls.Config{RootCAs: pool}
	return &transport{HTTP: &http.Client{Transport: &http.Transport{TLSClientConfig: t}}, TLS: t, Dial: (&net.Dialer{}).DialContext}, nil
}
