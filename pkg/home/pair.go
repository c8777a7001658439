package home

import (
	"errors"
	"fmt"
	"io/fs"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/keys"
)

// Keys returns the key pair: AUTH_CERT and AUTH_CERT_KEY of c if set, else
// certs/cert.pem and certs/cert.key. The error is an fs.ErrNotExist when there
// is none at all, so that a pair may be generated; a half that is missing alone
// is another fault, because a new pair would then lock out what the other half
// was in use for.
func (h *Home) Keys(c config.Config) (*keys.Pair, error) {
	if pair, err := configuredKeys(c); pair != nil || err != nil {
		return pair, err
	}
	cert, certErr := h.read(certFile)
	key, keyErr := h.read(keyFile)
	noCert, noKey := errors.Is(certErr, fs.ErrNotExist), errors.Is(keyErr, fs.ErrNotExist)
	switch {
	case noCert && noKey:
		return nil, fmt.Errorf("read the key pair in %s: there is none: %w", h.Path("certs"), fs.ErrNotExist)
	case noCert && keyErr == nil:
		return nil, fmt.Errorf("read the key pair: %s is there, but its certificate %s is not", h.Path(keyFile), h.Path(certFile))
	case noKey && certErr == nil:
		return nil, fmt.Errorf("read the key pair: %s is there, but its private key %s is not", h.Path(certFile), h.Path(keyFile))
	}
	if err := errors.Join(certErr, keyErr); err != nil {
		return nil, err
	}
	pair, err := keys.Parse(cert, key)
	if err != nil {
		return nil, fmt.Errorf("in %s: %w", h.Path("certs"), err)
	}
	return pair, nil
}

// configuredKeys returns the pair of AUTH_CERT and AUTH_CERT_KEY, or nil when
// they are not set.
func configuredKeys(c config.Config) (*keys.Pair, error) {
	if err := fault(c, "AUTH_CERT", "AUTH_CERT_KEY"); err != nil {
		return nil, fmt.Errorf("read the key pair: %w", err)
	}
	if c.Keys.Certificate == "" && c.Keys.Key == "" {
		return nil, nil
	}
	pair, err := keys.Parse([]byte(c.Keys.Certificate), []byte(c.Keys.Key))
	if err != nil {
		return nil, fmt.Errorf("in AUTH_CERT and AUTH_CERT_KEY: %w", err)
	}
	return pair, nil
}

// SaveKeys writes certs/cert.pem and certs/cert.key, both or neither. A
// different pair that was there is kept under backups/: what was sealed with it
// can be opened with nothing else.
func (h *Home) SaveKeys(p *keys.Pair) error {
	f, err := pairFiles(p)
	if err != nil {
		return fmt.Errorf("write the key pair to %s: %w", h.Path("certs"), err)
	}
	_, err = h.replace(f)
	return err
}

// pairFiles are the two files of a pair. Of one that was put together by hand,
// without its PEM text, nothing could be written but two empty files.
func pairFiles(p *keys.Pair) (files, error) {
	if p == nil {
		return nil, errors.New("there is none")
	}
	cert, key := p.PEM()
	if len(cert) == 0 || len(key) == 0 {
		return nil, errors.New("it has no PEM text")
	}
	return files{certFile: cert, keyFile: key}, nil
}

// opens checks that the sealed password can be used with the key. One in the
// clear overrules it.
func opens(c config.Config, pair *keys.Pair) error {
	if c.Directory.BindPassword != "" {
		return nil
	}
	if err := fault(c, "LDAP_BIND_CREDENTIALS"); err != nil {
		return err
	}
	if c.Directory.BindCredentials == "" {
		return nil
	}
	if _, err := pair.Open(string(c.Directory.BindCredentials)); err != nil {
		return fmt.Errorf("LDAP_BIND_CREDENTIALS and the private key: %w", err)
	}
	return nil
}
