package home

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"ad-ldap-connector/pkg/config"
	"ad-ldap-connector/pkg/keys"
)

// Config returns the configuration: the defaults, the file config.json (when
// there is one) and the environment, each above the one before. With
// OVERRIDE_CONFIG=false in the environment the file is not even read.
func (h *Home) Config() (config.Config, error) {
	bare, err := config.Default().WithEnv(h.environ)
	if err == nil && bare.EnvOnly() {
		return bare, nil
	}
	c, err := h.fileConfig()
	if err != nil {
		return config.Config{}, err
	}
	if c, err = c.WithEnv(h.environ); err != nil {
		return config.Config{}, fmt.Errorf("read the environment: %w", err)
	}
	return c, nil
}

// fileConfig is config.json without the environment.
func (h *Home) fileConfig() (config.Config, error) {
	data, err := h.read(configFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return config.Config{}, err
	}
	c, err := config.Parse(data)
	if err != nil {
		return config.Config{}, fmt.Errorf("read %s: %w", h.Path(configFile), err)
	}
	return c, nil
}

// ConfigText returns the bytes of config.json; nil when there is none.
func (h *Home) ConfigText() ([]byte, error) {
	data, err := h.read(configFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return append([]byte{}, data...), err // an empty file is not no file
}

// SaveConfig writes config.json: what was in the file that c was read from,
// with the changes made to c since. In env-only mode nothing is written.
func (h *Home) SaveConfig(c config.Config) error {
	if c.EnvOnly() {
		return nil
	}
	data, err := c.Encode()
	if err != nil {
		return fmt.Errorf("write %s: %w", h.Path(configFile), err)
	}
	if h.holds(configFile, data) {
		return nil // every start saves, and few have news
	}
	return h.write(configFile, data)
}

// ErrOtherKeys says that the home has another key pair by now.
var ErrOtherKeys = errors.New("the key pair was exchanged meanwhile")

// ErrOtherConfig says that config.json is not what a change was made from.
var ErrOtherConfig = errors.New("config.json was changed meanwhile")

// SaveConfigWith does what SaveConfig does, unless the home's key pair is not p
// any more: what c holds was sealed with p then, and could not be opened beside
// another one. That is an ErrOtherKeys, and nothing is written.
func (h *Home) SaveConfigWith(c config.Config, p *keys.Pair) error { return h.saveConfig(c, p, nil) }

// SaveConfigOver does what SaveConfigWith does, unless config.json is not over
// any more, the text that c was read from (nil: there was no file): what
// somebody else has written since would be lost. That is an ErrOtherConfig. Any
// pair will do when p is nil.
func (h *Home) SaveConfigOver(c config.Config, p *keys.Pair, over []byte) error {
	return h.saveConfig(c, p, &over)
}

func (h *Home) saveConfig(c config.Config, p *keys.Pair, over *[]byte) error {
	if c.EnvOnly() {
		return nil
	}
	if c.Keys.Certificate != "" {
		p = nil // the pair is not among the files
	}
	data, err := c.Encode()
	if err != nil {
		return fmt.Errorf("write %s: %w", h.Path(configFile), err)
	}
	same := func(have []byte, err error) error {
		if p == nil {
			return nil
		}
		if cert, _ := p.PEM(); err == nil && !bytes.Equal(have, cert) {
			err = ErrOtherKeys
		}
		if err != nil {
			return fmt.Errorf("write %s beside its key pair: %w", h.Path(configFile), cause(err))
		}
		return nil
	}
	if p != nil {
		if err := same(h.read(certFile)); err != nil {
			return err
		}
	}
	if h.holds(configFile, data) {
		return nil // every start saves, and few have news
	}
	if len(data) > maxFile {
		return h.write(configFile, data) // which says so
	}
	return h.exclusively(func(root *os.Root) error {
		if p != nil {
			if err := same(contents(root, certFile)); err != nil {
				return err
			}
		}
		err := unchanged(root, over)
		if err == nil {
			err = writeFile(root, configFile, data)
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", h.Path(configFile), cause(err))
		}
		return nil
	})
}

// unchanged is an ErrOtherConfig when config.json is not what it was; nil: it
// may be anything.
func unchanged(root *os.Root, over *[]byte) error {
	if over == nil {
		return nil
	}
	have, err := contents(root, configFile)
	if errors.Is(err, fs.ErrNotExist) {
		have, err = nil, nil
	}
	if err == nil && !bytes.Equal(have, *over) {
		return ErrOtherConfig
	}
	return err
}

// holds reports whether a file says just that, to its owner alone.
func (h *Home) holds(name string, data []byte) bool {
	info, err := os.Lstat(h.Path(name))
	if err != nil || !info.Mode().IsRegular() || !isPrivate(info) {
		return false
	}
	have, err := h.read(name)
	return err == nil && bytes.Equal(have, data)
}

// fault returns what is wrong with the values of the named keys. A value that
// does not fit its key is not in its field, and would be taken for absent.
func fault(c config.Config, names ...string) error {
	var all interface{ Unwrap() []error }
	if !errors.As(c.Validate(), &all) {
		return nil
	}
	for _, err := range all.Unwrap() {
		var f *config.FieldError
		if errors.As(err, &f) && slices.Contains(names, f.Key) {
			return f
		}
	}
	return nil
}
