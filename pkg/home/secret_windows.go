package home

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"unsafe"

	"golang.org/x/sys/windows"

	"ad-ldap-connector/pkg/config"
)

// secrets opens the folder of the stores, which it makes if told to. Who may
// read what is in it is the home's access list, which it inherits.
func (h *Home) secrets(root *os.Root, mayMake bool) (*os.Root, error) {
	if mayMake {
		if err := root.Mkdir(secretsFolder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("make %s: %w", h.Path(secretsFolder), cause(err))
		}
	}
	folder, err := root.OpenRoot(secretsFolder)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", h.Path(secretsFolder), cause(err))
	}
	return folder, nil
}

func checkStore(store string) error {
	if store == config.InDPAPI {
		return nil
	}
	return &StoreError{store, "Windows has no such store", "set SECRETS to dpapi, or to file"}
}

// checkKeyring: every account has its Credential Manager, a service's too.
func (h *Home) checkKeyring() error { return nil }

// hangUp: nobody is asked there.
func hangUp() {}

// encrypts is systemd's.
func encrypts() bool { return false }

// handed is systemd's too.
func (h *Home) handed(string, string) (string, bool, error) { return "", false, nil }

// entropySize is the length of the random octets at the beginning of a file.
const entropySize = 32

// sealSecret seals by DPAPI with the key of the machine, not with that of an
// account: the service runs as a virtual account of its own, whose keys nobody
// else has, and an administrator's command must be able to put another password
// there and to try it. So what keeps others on this machine away is the home's
// access list, as it does for the private key; what DPAPI adds is that a copy of
// the home, a backup or a disk without this Windows, opens nothing. The random
// octets keep a program that knows no such file from opening it by chance.
func sealSecret(store, name, value string) (file string, data []byte, err error) {
	salt := make([]byte, entropySize)
	_, _ = rand.Read(salt) // documented never to fail
	sealed, err := protect([]byte(value), entropyOf(salt, name))
	if err != nil {
		return "", nil, err
	}
	return storeFiles(store, name)[0], append(salt, sealed...), nil
}

func openSecret(_, name, _ string, data []byte) (string, error) {
	if len(data) <= entropySize {
		return "", errors.New("it is cut off")
	}
	value, err := unprotect(data[entropySize:], entropyOf(data[:entropySize], name))
	if err != nil {
		return "", &StoreError{config.InDPAPI, "Windows does not open it: " + err.Error(),
			"it was sealed on another machine, or is damaged; set it again: connector config secret set LDAP_BIND_PASSWORD"}
	}
	return string(value), nil
}

// entropyOf keeps a file from being taken for another secret's.
func entropyOf(salt []byte, name string) []byte {
	return append(append([]byte{}, salt...), "ad-ldap-connector/"+name...)
}

// withoutPeople: a service has nobody who could answer.
const withoutPeople = windows.CRYPTPROTECT_UI_FORBIDDEN

func protect(data, entropy []byte) ([]byte, error) {
	var out windows.DataBlob
	err := windows.CryptProtectData(blob(data), nil, blob(entropy), 0, nil, withoutPeople|windows.CRYPTPROTECT_LOCAL_MACHINE, &out)
	return unblob(out), err
}

func unprotect(data, entropy []byte) ([]byte, error) {
	var out windows.DataBlob
	err := windows.CryptUnprotectData(blob(data), nil, blob(entropy), 0, nil, withoutPeople, &out)
	return unblob(out), err
}

func blob(data []byte) *windows.DataBlob {
	return &windows.DataBlob{Size: uint32(len(data)), Data: unsafe.SliceData(data)} //nolint:gosec // a secret's length
}

// unblob copies what the system allocated, and gives that back overwritten.
func unblob(b windows.DataBlob) []byte {
	if b.Data == nil {
		return nil
	}
	theirs := unsafe.Slice(b.Data, b.Size)
	data := append([]byte{}, theirs...)
	clear(theirs)
	_, _ = windows.LocalFree(windows.Handle(unsafe.Pointer(b.Data))) // what is not freed ends with the process
	return data
}

// HandOver is systemd's as well: what is in the file is what a service reads.
func HandOver(string, string, string) (bool, error) { return false, nil }
