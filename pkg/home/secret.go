package home

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"ad-ldap-connector/pkg/config"
)

const (
	// secretsFolder holds what the stores of SECRETS keep in the home, for the
	// administrator alone. It is none of the belongings: the service's account
	// gets what it needs by the store.
	secretsFolder = "secrets"

	// BindSecret is the name of the service account's password in a store.
	BindSecret = "ldap-bind-password" //nolint:gosec // its name

	// maxSecret bounds a secret, in octets, as keys.Pair.Seal does: an archive
	// has to hold it.
	maxSecret = 4096
)

// A StoreError says why a store of SECRETS cannot serve.
type StoreError struct {
	Store   string
	Problem string
	Advice  string
}

func (e *StoreError) Error() string { return "SECRETS " + e.Store + ": " + e.Problem }

// Hint says what to do.
func (e *StoreError) Hint() string { return e.Advice }

// CheckStore says why this machine has no such store, with a *StoreError, or
// nil. It needs no rights.
func CheckStore(store string) error { return (&Home{}).checkStore(store) }

func (h *Home) checkStore(store string) error {
	switch store {
	case config.InFile:
		return nil
	case config.InKeyring:
		return h.checkKeyring()
	}
	return checkStore(store)
}

// BindPassword returns the service account's password from where c says that it
// is: as it was given, opened with the home's private key, or from the store of
// SECRETS; "" where none is configured. A store that has none is an
// fs.ErrNotExist.
func (h *Home) BindPassword(c config.Config) (string, error) {
	d := c.Directory
	if d.BindPassword != "" || d.BindCredentials == "" && !c.Stored() {
		return string(d.BindPassword), nil
	}
	if c.Stored() {
		password, ok, err := h.handed(c.Agent.Secrets, BindSecret)
		if err == nil && !ok {
			password, err = h.StoredSecret(c.Agent.Secrets, BindSecret)
		}
		if err != nil {
			return "", fmt.Errorf("open the service account's password: %w", err)
		}
		return password, nil
	}
	pair, err := h.Keys(c)
	if err != nil {
		return "", fmt.Errorf("open LDAP_BIND_CREDENTIALS: %w", err)
	}
	password, err := pair.Open(string(d.BindCredentials))
	if err != nil {
		return "", fmt.Errorf("open LDAP_BIND_CREDENTIALS: %w", err)
	}
	return password, nil
}

// KeepBindPassword puts the service account's password into a store, which may
// be another one than before, and writes c to say so. What can be opened at any
// moment, whatever stops the process, is the former password or this one. The
// service must be able to read another store before the configuration names it:
// ready makes it so, or no longer so; nil: nobody need. What other stores had is
// taken away last.
func (h *Home) KeepBindPassword(c config.Config, store, password string, ready func() error) error {
	if ready == nil {
		ready = func() error { return nil }
	}
	former := c.Agent.Secrets
	c.Agent.Secrets, c.Directory.BindPassword, c.Directory.BindCredentials = store, "", ""
	if store == config.InFile {
		pair, err := h.Keys(c)
		if err != nil {
			return err
		}
		sealed, err := pair.Seal(password)
		if err != nil {
			return err
		}
		c.Directory.BindCredentials = config.Secret(sealed)
		if err := h.SaveConfigWith(c, pair); err != nil {
			return err
		}
		if err := ready(); err != nil {
			return err
		}
		return h.RemoveSecrets()
	}
	if err := h.StoreSecret(store, BindSecret, password); err != nil {
		return err
	}
	if err := ready(); err != nil {
		if former != store { // nothing reads it there
			err = errors.Join(err, h.RemoveSecret(store, BindSecret))
		}
		return err
	}
	err := h.SaveConfig(c)
	if err == nil && former != store && former != config.InFile {
		return h.RemoveSecret(former, BindSecret)
	}
	return err
}

// StoreSecret keeps a secret in a store, in the place of the one that it had,
// and returns once what it keeps has been read again. No configuration is
// changed. A crash leaves the former secret, or this one.
func (h *Home) StoreSecret(store, name, value string) error {
	err := h.storeSecret(store, name, value)
	if err == nil {
		var back string
		if back, err = h.StoredSecret(store, name); err == nil && back != value {
			err = errors.New("what is read again is something else")
		}
	}
	if err != nil {
		return fmt.Errorf("keep the secret %s in the store %s: %w", name, store, err)
	}
	return nil
}

func (h *Home) storeSecret(store, name, value string) error {
	if value == "" || len(value) > maxSecret {
		return errors.New("it is empty, or far too long")
	}
	if !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) { // an archive could not have it
		return errors.New("it is not UTF-8 text, or holds control characters such as a line end")
	}
	if err := h.checkStore(store); err != nil {
		return err
	}
	if store == config.InKeyring {
		return h.storeInKeyring(name, value)
	}
	file, data, err := sealSecret(store, name, value)
	if err != nil {
		return err
	}
	return h.exclusively(func(root *os.Root) error {
		folder, err := h.secrets(root, true)
		if err != nil {
			return err
		}
		defer func() { _ = folder.Close() }() // a folder's handle has nothing to flush
		if err := writeFile(folder, file, data); err != nil {
			return cause(err)
		}
		for _, other := range storeFiles(store, name) { // in another form, of an older system
			if other == file {
				continue
			}
			if err := folder.Remove(other); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return cause(err)
			}
		}
		return nil
	})
}

// StoredSecret opens what a store keeps for the next start of the service. It is
// an fs.ErrNotExist when there is none.
func (h *Home) StoredSecret(store, name string) (string, error) {
	file, data, err := h.sealed(store, name)
	if err != nil {
		return "", err
	}
	var value string
	if store == config.InKeyring {
		value, err = h.openInKeyring(name, data)
	} else {
		value, err = openSecret(store, name, file, data)
	}
	if err != nil {
		return "", fmt.Errorf("open %s: %w", h.Path(secretsFolder, file), err)
	}
	return value, nil
}

// sealed reads a store's file, by whichever of its names it has.
func (h *Home) sealed(store, name string) (file string, data []byte, err error) {
	if err := h.checkStore(store); err != nil {
		return "", nil, err
	}
	root, err := os.OpenRoot(h.dir)
	if err != nil {
		return "", nil, fmt.Errorf("open the home %s: %w", h.dir, cause(err))
	}
	defer func() { _ = root.Close() }() // the same
	folder, err := h.secrets(root, false)
	if errors.Is(err, fs.ErrPermission) && store == config.InSystemd {
		err = errNotRoot
	}
	if err != nil {
		return "", nil, err
	}
	defer func() { _ = folder.Close() }() // the same
	for _, file = range storeFiles(store, name) {
		if data, err = contents(folder, file); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		return "", nil, fmt.Errorf("read %s: %w", h.Path(secretsFolder, file), cause(err))
	}
	return file, data, nil
}

// RemoveSecret takes a secret out of a store. That it is not there is no fault.
func (h *Home) RemoveSecret(store, name string) error {
	if store == config.InKeyring {
		if err := h.forgetInKeyring(name); err != nil {
			return err
		}
	}
	return h.removeFiles(store, name)
}

// removeFiles takes away what a store has of a secret in the home.
func (h *Home) removeFiles(store, name string) error {
	names := []string{}
	for _, file := range storeFiles(store, name) {
		names = append(names, path.Join(secretsFolder, file))
	}
	if err := h.remove(names...); err != nil {
		return err
	}
	_ = os.Remove(h.Path(secretsFolder)) // unless it has something else
	return nil
}

// RemoveSecrets takes away what all stores keep here.
func (h *Home) RemoveSecrets() error {
	var errs []error
	for _, store := range []string{config.InSystemd, config.InDPAPI, config.InKeyring} {
		errs = append(errs, h.RemoveSecret(store, BindSecret))
	}
	return errors.Join(errs...)
}

// storeFiles are the names, below secrets/, that a store's file may have.
func storeFiles(store, name string) []string {
	switch store {
	case config.InSystemd:
		return []string{name + encryptedSuffix, name}
	case config.InDPAPI:
		return []string{name + ".dpapi"}
	case config.InKeyring:
		return []string{name + ".keyring"}
	}
	return nil
}

// encryptedSuffix tells a credential that systemd decrypts from one in the
// clear, which older ones take.
const encryptedSuffix = ".cred"

// errNotRoot is what anybody else gets.
var errNotRoot = &StoreError{config.InSystemd, "only root opens its credentials",
	"run this as root; the service itself is handed the password by systemd when it is started"}

// Credential says what a service is to be handed by systemd: the file of a
// secret, as it is or will be after the next StoreSecret, and whether systemd
// has to decrypt it.
func (h *Home) Credential(name string) (file string, encrypted bool) {
	encrypted = encrypts()
	for _, have := range storeFiles(config.InSystemd, name) {
		if _, err := os.Lstat(h.Path(secretsFolder, have)); err == nil {
			encrypted = have != name
			break
		}
	}
	if encrypted {
		name += encryptedSuffix
	}
	return h.Path(secretsFolder, name), encrypted
}
