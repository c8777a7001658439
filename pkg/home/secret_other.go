//go:build !linux && !windows

package home

import (
	"runtime"

	"ad-ldap-connector/pkg/config"
)

// checkKeyring: the keychain of macOS is asked by its own program.
func (h *Home) checkKeyring() error {
	if runtime.GOOS == "darwin" {
		return nil
	}
	return checkStore(config.InKeyring)
}

// hangUp: the keychain's program ends by itself when its question is answered.
func hangUp() {}

// checkStore: no other store but the keyring is here.
func checkStore(store string) error {
	return &StoreError{store, "this system has no such store", "set SECRETS to file"}
}

// encrypts is systemd's.
func encrypts() bool { return false }

// handed is systemd's too.
func (h *Home) handed(string, string) (string, bool, error) { return "", false, nil }

// HandOver is systemd's as well.
func HandOver(string, string, string) (bool, error) { return false, nil }

func sealSecret(store, _, _ string) (string, []byte, error) { return "", nil, checkStore(store) }

func openSecret(store, _, _ string, _ []byte) (string, error) { return "", checkStore(store) }
