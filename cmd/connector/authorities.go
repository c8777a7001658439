package main

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
)

// trustCAs returns the system's CAs and those below path: the certificates of one
// PEM file, or of a folder's files whose names match the pattern, without
// regard to case. A file that has none is an error, for it was put there to
// count.
func trustCAs(path, pattern string) (pool *x509.CertPool, count int, err error) {
	files, err := caFiles(path, pattern)
	if err != nil {
		return nil, 0, fmt.Errorf("read the CA certificates of SSL_CA_PATH: %w", err)
	}
	if pool, err = x509.SystemCertPool(); err != nil {
		return nil, 0, fmt.Errorf("read the system's CA certificates: %w", err)
	}
	for _, file := range files {
		certificates, err := readCAs(file)
		if err != nil {
			return nil, 0, fmt.Errorf("read the CA certificates of %s: %w", file, err)
		}
		for _, c := range certificates {
			pool.AddCert(c)
		}
		count += len(certificates)
	}
	return pool, count, nil
}

func caFiles(path, pattern string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	wanted, err := regexp.Compile("(?i)" + pattern)
	if err != nil {
		return nil, fmt.Errorf("SSL_CA_FILE: %w", err)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		file := filepath.Join(path, e.Name())
		if !wanted.MatchString(e.Name()) {
			continue
		}
		if info, err := os.Stat(file); err != nil { // not e.Info: a link may lead to nothing
			return nil, err
		} else if !info.IsDir() {
			files = append(files, file)
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: no file's name matches SSL_CA_FILE, %s", path, pattern)
	}
	return files, nil
}

// maxCAFile is some twenty times the size of a system's bundle.
const maxCAFile = 4 << 20

func readCAs(file string) ([]*x509.Certificate, error) {
	if info, err := os.Stat(file); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a file") // to open a pipe would wait for ever
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	data, err := io.ReadAll(io.LimitReader(f, maxCAFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) == 0:
		return nil, errors.New("the file is empty")
	case len(data) > maxCAFile:
		return nil, fmt.Errorf("the file has more than %d bytes", maxCAFile)
	}
	return parseCAs(data)
}

// parseCAs reads the certificates of a PEM text, of which there must be one.
func parseCAs(data []byte) ([]*x509.Certificate, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // Windows editors put it there
	var all []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" && block.Type != "X509 CERTIFICATE" {
			continue // such as a private key, which has no business here but does no harm
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d of the file: %w", len(all)+1, err)
		}
		all = append(all, c)
	}
	if len(all) > 0 {
		return all, nil
	}
	if _, err := x509.ParseCertificates(data); err == nil {
		return nil, &hinted{errors.New("it is not PEM but DER"), "Convert the file with openssl x509 -inform der -in FILE -out FILE.pem."}
	}
	return nil, errors.New("no certificate in PEM form is in it")
}

// readAuthorities returns the certificates of files, after those that are kept
// already, each once, as PEM; nil when there are none.
func readAuthorities(kept []byte, files []string) ([]byte, error) {
	if len(files) == 0 {
		return nil, nil
	}
	var all []*x509.Certificate
	if len(kept) > 0 {
		known, err := parseCAs(kept)
		if err != nil {
			return nil, fmt.Errorf("read the CA certificates that were given to install: %w", err)
		}
		all = known
	}
	for _, file := range files {
		certificates, err := readCAs(file)
		if err != nil {
			return nil, fmt.Errorf("read the CA certificates of %s: %w", file, err)
		}
		all = append(all, certificates...)
	}
	var text []byte
	for i, c := range all {
		if !slices.ContainsFunc(all[:i], c.Equal) {
			text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
		}
	}
	return text, nil
}
