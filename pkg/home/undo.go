package home

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
)

// caFolder holds the certificate authorities that an install was given.
const caFolder = "ca"

// SaveCA keeps a file of certificate authorities under ca/.
func (h *Home) SaveCA(name string, pem []byte) error { return h.write(path.Join(caFolder, name), pem) }

// RemoveCA takes back SaveCA.
func (h *Home) RemoveCA(name string) error { return h.remove(path.Join(caFolder, name)) }

// RemoveKeys takes the key pair out of the home. It is for undoing an install
// that made the pair; what was sealed with it cannot be opened afterwards.
func (h *Home) RemoveKeys() error { return h.remove(certFile, keyFile) }

// RemoveMapper takes back SaveMapper on a home that had no mapper.
func (h *Home) RemoveMapper() error { return h.remove(mapperFile) }

// RestoreConfig brings config.json back to the bytes it had; nil means that
// there was none.
func (h *Home) RestoreConfig(before []byte) error {
	if before == nil {
		return h.remove(configFile)
	}
	return h.write(configFile, before)
}

// remove takes files of the home away. Those that are not there are no fault.
func (h *Home) remove(names ...string) error {
	if !h.Exists() {
		return nil
	}
	return h.exclusively(func(root *os.Root) error {
		var errs []error
		for _, name := range names {
			if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, fmt.Errorf("remove %s: %w", h.Path(name), cause(err)))
			}
		}
		return errors.Join(errs...)
	})
}

// Remove takes away a home that holds nothing but empty folders and locks: one
// that an install has just made and undone. Anything else in it stays, and is
// an error.
func (h *Home) Remove() error {
	if !h.Exists() {
		return nil
	}
	for _, name := range []string{runLock, writeLock, runPID, stateFolder, "certs", libFolder, caFolder, backupsFolder, "."} {
		err := os.Remove(h.Path(name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove %s: %w", h.Path(name), cause(err))
		}
	}
	return nil
}
