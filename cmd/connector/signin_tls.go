package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	pkcs12 "software.sslmate.com/src/go-pkcs12"

	"ad-ldap-connector/pkg/config"
)

// A served certificate is the one with which PORT speaks TLS. It may lie in
// files that somebody renews.
type servedCertificate struct {
	files []string
	read  func() (*tls.Certificate, error)
	log   *slog.Logger

	mu             sync.Mutex
	stamp          string // of the files as they were last looked at
	loaded, former *tls.Certificate
	err            error // why they could not be read then
}

func (t *transport) servedCertificate(c config.SignIn, log *slog.Logger) *servedCertificate {
	s := &servedCertificate{log: log, read: func() (*tls.Certificate, error) { return t.openCertificate(c) }}
	for _, name := range []string{c.TLSCert, c.TLSKey} {
		if name != "" {
			s.files = append(s.files, t.inHome(name))
		}
	}
	return s
}

// get returns the certificate as it is now. While its files do not fit each
// other, the one before serves on.
func (s *servedCertificate) get() (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stamp := "there" // also without files: it is read once
	for _, name := range s.files {
		if info, err := os.Stat(name); err == nil {
			stamp += fmt.Sprint(info.Size(), info.ModTime())
		}
	}
	if stamp != s.stamp {
		s.stamp = stamp
		var read *tls.Certificate
		if read, s.err = s.read(); s.err == nil {
			s.loaded, s.former = read, s.loaded
		} else if s.loaded != nil {
			s.log.Warn("the certificate of PORT cannot be read again, the one before is used", "err", s.err)
		}
	}
	if s.loaded == nil {
		return nil, s.err
	}
	return s.loaded, nil
}

// shown returns the certificates that a connection under way can have been
// shown: one that began before a renewal has the former.
func (s *servedCertificate) shown(*http.Request) (all [][]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range []*tls.Certificate{s.loaded, s.former} {
		if c != nil {
			all = append(all, c.Certificate[0])
		}
	}
	return all
}

// config asks browsers for a certificate that one of the authorities has
// issued, if there are any, and lets those in that have none. It speaks HTTP/1.1
// alone: a proof is for few requests, and browsers know Negotiate best there.
func (s *servedCertificate) config(ask bool, authorities []*x509.Certificate) *tls.Config {
	c := &tls.Config{
		MinVersion: tls.VersionTLS12,
		CipherSuites: []uint16{ // of TLS 1.2; those of 1.3 are all good
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.get() },
		NextProtos:     []string{"http/1.1"},
	}
	if ask {
		c.ClientAuth, c.ClientCAs = tls.RequestClientCert, x509.NewCertPool()
		for _, a := range authorities {
			c.ClientCAs.AddCert(a)
		}
	}
	// The server adds HTTP/2 to what it is given, but not to this.
	outer := c.Clone()
	outer.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return c, nil }
	return outer
}

// openCertificate reads the certificate of TLS_CERT, else that of SSL_PFX.
func (t *transport) openCertificate(c config.SignIn) (*tls.Certificate, error) {
	if c.TLSCert == "" {
		data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(c.PFX)), ""))
		if err != nil || len(data) == 0 {
			return nil, errors.New("SSL_PFX is not base64")
		}
		return decodePFX("SSL_PFX", data, c.PFXPassword)
	}
	name := t.inHome(c.TLSCert)
	data, err := readSmallFile(name)
	if err != nil {
		return nil, fmt.Errorf("read TLS_CERT: %w", err)
	}
	if kind := strings.ToLower(filepath.Ext(name)); kind == ".pfx" || kind == ".p12" {
		return decodePFX("TLS_CERT", data, c.PFXPassword)
	}
	key := data
	if c.TLSKey != "" {
		if key, err = readSmallFile(t.inHome(c.TLSKey)); err != nil {
			return nil, fmt.Errorf("read TLS_KEY: %w", err)
		}
	}
	pair, err := tls.X509KeyPair(data, key)
	if err != nil {
		return nil, fmt.Errorf("read TLS_CERT %s: %w", name, err)
	}
	return &pair, nil
}

// decodePFX opens a PKCS#12 file, of modern or of legacy encryption.
func decodePFX(name string, data []byte, password config.Secret) (*tls.Certificate, error) {
	key, own, others, err := pkcs12.DecodeChain(data, string(password))
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword):
		return nil, &hinted{fmt.Errorf("open %s: the password is another one than SSL_KEY_PASSWORD", name), "set SSL_KEY_PASSWORD to the password that the PKCS#12 file was made with"}
	case err != nil:
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	c := &tls.Certificate{PrivateKey: key, Leaf: own, Certificate: [][]byte{own.Raw}}
	for _, o := range others {
		c.Certificate = append(c.Certificate, o.Raw)
	}
	return c, nil
}

// certificatesOf are those of a chain, the server's own first.
func certificatesOf(c *tls.Certificate) (all []*x509.Certificate, err error) {
	for _, der := range c.Certificate {
		one, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// maxSmallFile is far beyond any chain, in octets.
const maxSmallFile = 1 << 20

// readSmallFile reads a regular file that is not large: to open a pipe would
// wait for ever.
func readSmallFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: it is not a file", name)
	}
	if err != nil {
		return nil, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	data, err := io.ReadAll(io.LimitReader(f, maxSmallFile+1))
	if err == nil && len(data) > maxSmallFile {
		err = fmt.Errorf("%s: it is larger than any certificate", name)
	}
	return slices.Clip(data), err
}
