//go:build unix

package service

import (
	"errors"
	"os"
	"path/filepath"
)

// replaceFile makes a file hold data, for all to read: the old one is whole
// until the new one is, and afterwards nothing else is left.
func replaceFile(name string, data []byte) (err error) {
	// The manager takes no notice of files with other endings.
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // the first error is the one to tell
		}
	}()
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
