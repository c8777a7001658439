package home

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
)

// caFolder holds the certificate authorities that an install was given, in the
// file InstalledCA; others in it are an operator's own.
const (
	caFolder    = "ca"
	InstalledCA = "installed.pem"
	caBundle    = caFolder + "/" + InstalledCA
)

// SaveCA keeps a file of certificate authorities under ca/.
func (h *Home) SaveCA(name string, pem []byte) error {
	name = path.Join(caFolder, name)
	if h.holds(name, pem) {
		return nil
	}
	return h.write(name, pem)
}

// CA returns a file that SaveCA kept; nil when there is none.
func (h *Home) CA(name string) ([]byte, error) {
	data, err := h.read(path.Join(caFolder, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

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
	// A write that failed for want of space would fail again, with nothing to
	// bring back.
	if have, err := h.read(configFile); err == nil && bytes.Equal(have, before) {
		return nil
	}
	return h.write(configFile, before)
}

// remove takes files of the home away. Those that are not there are no fault;
// when none is, not even a lock is made, for which there may be no space.
func (h *Home) remove(names ...string) error {
	missing := func(name string) bool {
		_, err := os.Lstat(h.Path(name))
		return errors.Is(err, fs.ErrNotExist)
	}
	// A replacement that was interrupted may yet bring them.
	if missing(journalFile) && !slices.ContainsFunc(names, func(name string) bool { return !missing(name) }) {
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
	for _, name := range []string{runLock, writeLock, renewLock, runPID, stateFolder, "certs", libFolder, caFolder, backupsFolder, secretsFolder, "."} {
		err := os.Remove(h.Path(name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove %s: %w", h.Path(name), cause(err))
		}
	}
	return nil
}
