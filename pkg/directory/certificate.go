package directory

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"
)

// A certificate is the client's own, in PEM files that somebody renews.
type certificate struct {
	cert, key string // paths; they may be the same

	mu     sync.Mutex
	stamp  stamp // of the files as they were last read, in order or not
	loaded *tls.Certificate
}

// A stamp tells whether files are the ones that were read.
type stamp [2]struct {
	size     int64
	modified time.Time
}

func newCertificate(o Options) *certificate {
	if o.ClientCert == "" {
		return nil
	}
	c := &certificate{cert: o.ClientCert, key: o.ClientKey}
	orDefault(&c.key, c.cert)
	return c
}

// get returns the certificate as it is now in the files. While they are being
// replaced and do not fit each other, the one before serves on.
func (c *certificate) get(now time.Time, log *slog.Logger) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen, err := stampOf(c.cert, c.key)
	changed := seen != c.stamp
	c.stamp = seen
	if err == nil && (changed || c.loaded == nil) {
		var read *tls.Certificate
		if read, err = readCertificate(c.cert, c.key); err == nil {
			c.loaded = read
		}
	}
	if c.loaded == nil {
		return nil, err
	}
	if err != nil && changed {
		log.Warn("the client certificate cannot be read again, the one before is used", "err", err)
	}
	return c.loaded, current(c.loaded, c.cert, now)
}

// stampOf returns the stamp of two files.
func stampOf(names ...string) (s stamp, err error) {
	for i, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			return stamp{}, unreadable(name, err)
		}
		s[i].size, s[i].modified = info.Size(), info.ModTime()
	}
	return s, nil
}

func unreadable(name string, err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return &advised{fmt.Errorf("read the client certificate, %s: %w", name, err),
		"LDAP_CLIENT_CERT and LDAP_CLIENT_KEY are paths of PEM files that the connector's account may read"}
}

// maxFile is far beyond any chain, keytab or krb5.conf.
const maxFile = 1 << 20

// readCertificate reads a chain and its key. No error holds what is in them.
func readCertificate(certFile, keyFile string) (*tls.Certificate, error) {
	texts := [2][]byte{}
	for i, name := range []string{certFile, keyFile} {
		text, err := readSmall(name)
		if err != nil {
			return nil, unreadable(name, err)
		}
		texts[i] = text
	}
	if !holds(texts[0], "CERTIFICATE") {
		return nil, unreadable(certFile, errors.New("no certificate in PEM form is in it"))
	}
	if encrypted(texts[1]) {
		return nil, &advised{fmt.Errorf("read the client certificate, %s: the key is encrypted", keyFile),
			"take the passphrase off (openssl pkey -in KEY -out NEW), and let only the connector's account read the file"}
	}
	if !holds(texts[1], "PRIVATE KEY") {
		return nil, unreadable(keyFile, errors.New("no private key in PEM form is in it"))
	}
	pair, err := tls.X509KeyPair(texts[0], texts[1])
	if err != nil {
		if strings.Contains(err.Error(), "does not match") {
			err = errors.New("the key does not belong to the certificate in " + certFile)
		}
		return nil, unreadable(keyFile, err)
	}
	return &pair, nil
}

// readSmall reads a regular file that is not large: to open a pipe would wait
// for ever.
func readSmall(name string) ([]byte, error) {
	if info, err := os.Stat(name); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a file")
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("the file has more than %d bytes", maxFile)
	}
	return data, err
}

// holds reports whether a PEM block of that kind is in text.
func holds(text []byte, kind string) bool {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if strings.HasSuffix(block.Type, kind) {
			return true
		}
	}
	return false
}

func encrypted(text []byte) bool {
	return holds(text, "ENCRYPTED PRIVATE KEY") || bytes.Contains(text, []byte("Proc-Type: 4,ENCRYPTED"))
}

// current checks that a certificate is valid now. A server would only hang up.
func current(pair *tls.Certificate, name string, now time.Time) error {
	leaf := pair.Leaf
	if !now.Before(leaf.NotBefore) && !now.After(leaf.NotAfter) {
		return nil
	}
	day := func(t time.Time) string { return t.UTC().Format(time.DateOnly) }
	return &advised{fmt.Errorf("the client certificate %q of %s is valid from %s to %s", leaf.Subject, name, day(leaf.NotBefore), day(leaf.NotAfter)),
		"renew LDAP_CLIENT_CERT and LDAP_CLIENT_KEY (no restart is needed), or set this machine's clock"}
}
