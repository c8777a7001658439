package home

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/zalando/go-keyring"

	"ad-ldap-connector/pkg/config"
)

const (
	// keyringTime bounds what a keyring is asked: one that is locked asks a
	// person, who may not be there.
	keyringTime = 20 * time.Second

	// keyringMost is what every system's keyring takes for a secret, in octets:
	// Windows 2560, macOS 4096 in base64 and with the names.
	keyringMost = 2048

	// longestName bounds what an item is named by, in octets: Windows takes 511.
	longestName = 256

	// itemPrefix begins the names of the connector's items.
	itemPrefix = "ad-ldap-connector "
)

// item is what a keyring names the secrets of this home by: its path, whichever
// link led here, so that two homes share none. A path that is too long, or that
// a keyring's program might not take for one word, stands there as its SHA-256.
func (h *Home) item() string {
	dir := h.dir
	if resolved, err := filepath.EvalSymlinks(dir); err == nil {
		dir = resolved
	}
	if len(dir) > longestName || !utf8.ValidString(dir) || strings.ContainsFunc(dir, unicode.IsControl) {
		sum := sha256.Sum256([]byte(dir))
		dir = hex.EncodeToString(sum[:])
	}
	return itemPrefix + dir
}

// marker is what the file of a secret in the keyring holds: whose it is. It lets
// a keyring be asked only where there is something of this home's, and a copy of
// the home is told that it has none.
func (h *Home) marker(name string) []byte { return []byte(h.item() + "\n" + name + "\n") }

// storeInKeyring puts the marker there first: what is in the keyring is then
// known of, whatever stops the process.
func (h *Home) storeInKeyring(name, value string) error {
	if len(value) > keyringMost {
		return fmt.Errorf("it is longer than the %d octets that every keyring takes", keyringMost)
	}
	file := storeFiles(config.InKeyring, name)[0]
	_, err := os.Lstat(h.Path(secretsFolder, file))
	first := errors.Is(err, fs.ErrNotExist)
	err = h.exclusively(func(root *os.Root) error {
		folder, err := h.secrets(root, true)
		if err != nil {
			return err
		}
		defer func() { _ = folder.Close() }() // a folder's handle has nothing to flush
		return cause(writeFile(folder, file, h.marker(name)))
	})
	if err != nil {
		return err
	}
	item := h.item()
	_, err = h.asked("keep the item "+item, func() (string, error) { return "", keyring.Set(item, name, value) })
	var late *lateError
	if err != nil && first && !errors.As(err, &late) { // one that is late may yet come
		err = errors.Join(err, h.removeFiles(config.InKeyring, name))
	}
	return err
}

// openInKeyring returns what the keyring has for a marker. It is an
// fs.ErrNotExist when it has nothing.
func (h *Home) openInKeyring(name string, marker []byte) (string, error) {
	if string(marker) != string(h.marker(name)) {
		return "", &StoreError{config.InKeyring, "it is of another home or secret, or is damaged", setAgain}
	}
	item := h.item()
	value, err := h.asked("read the item "+item, func() (string, error) { return keyring.Get(item, name) })
	if errors.Is(err, keyring.ErrNotFound) {
		return "", fmt.Errorf("the keyring of this account has no item %q: %w", item, fs.ErrNotExist)
	}
	return value, err
}

// forgetInKeyring takes a secret out of the keyring, where it was put there. The
// library does not say whether a person forbade it, so it is looked for again.
func (h *Home) forgetInKeyring(name string) error {
	file := h.Path(secretsFolder, storeFiles(config.InKeyring, name)[0])
	marker, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) || err == nil && string(marker) != string(h.marker(name)) {
		return nil // it is not this home's to remove
	}
	if err == nil {
		err = h.checkStore(config.InKeyring)
	}
	if err == nil {
		item := h.item()
		_, err = h.asked("remove the item "+item, func() (string, error) {
			if err := keyring.Delete(item, name); err != nil && !errors.Is(err, keyring.ErrNotFound) {
				return "", err
			}
			if _, err := keyring.Get(item, name); !errors.Is(err, keyring.ErrNotFound) {
				return "", errors.Join(errors.New("it is still there"), err)
			}
			return "", nil
		})
	}
	if err != nil {
		return &StoreError{config.InKeyring, "the item " + h.item() + " is not removed: " + err.Error(),
			"run this as the account whose keyring it is; or remove the item there and then " + file}
	}
	return nil
}

// setAgain is what helps when a secret cannot be had back.
const setAgain = "set it again: connector config secret set LDAP_BIND_PASSWORD"

// keyringTurn lets one call at a time ask the keyring: the library's connection
// is one for the process, and calls that nobody answers must not pile up.
var keyringTurn = make(chan struct{}, 1)

// A lateError says that the keyring did not answer in time. What it was asked
// may still happen.
type lateError struct{ StoreError }

// Unwrap lets it be taken for what it is one of.
func (e *lateError) Unwrap() error { return &e.StoreError }

// asked asks the keyring, for as long as is bearable.
func (h *Home) asked(what string, do func() (string, error)) (string, error) {
	limit := h.keyringTime
	if limit == 0 {
		limit = keyringTime
	}
	type answer struct {
		value string
		err   error
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	late := &lateError{StoreError{config.InKeyring, fmt.Sprintf("%s: the keyring did not answer within %s", what, limit),
		"if it is locked, unlock it, as logging in to the desktop does, and answer what it asks; then again"}}
	select {
	case keyringTurn <- struct{}{}:
	case <-timer.C:
		return "", late
	}
	done := make(chan answer, 1)
	go func() {
		defer func() { <-keyringTurn }()
		var a answer
		defer func() {
			if recover() != nil { // the library does, when the bus goes away while it waits for a person
				a = answer{err: errors.New("the keyring went away")}
			}
			done <- a
		}()
		a.value, a.err = do()
	}()
	select {
	case a := <-done:
		if a.err != nil && !errors.Is(a.err, keyring.ErrNotFound) {
			return "", &StoreError{config.InKeyring, what + ": " + a.err.Error(),
				"unlock the keyring of the account that the connector runs as, and look whether it works there"}
		}
		return a.value, a.err
	case <-timer.C:
		go hangUp()
		return "", late
	}
}
