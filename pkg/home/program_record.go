package home

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/gofrs/flock"
)

// What is known of updates lies beside the program, in root's folder: a service's
// account must not be able to make an update forget what it has seen.
const (
	updateFile   = binFolder + "/update.json"
	releasesFile = binFolder + "/releases.json"
	updateLock   = binFolder + "/update.lock"

	maxBeside = 16 << 20 // bytes of each
)

// SaveUpdate keeps v, as JSON, beside the program: how far an update is.
func (h *Home) SaveUpdate(v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write %s: %w", h.Path(updateFile), err)
	}
	return h.saveBeside(updateFile, append(data, '\n'))
}

// LoadUpdate reads into v what SaveUpdate kept. The error is an fs.ErrNotExist
// when there is nothing. What others may have written is not believed.
func (h *Home) LoadUpdate(v any) error {
	data, err := h.loadBeside(updateFile)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("read %s: %w", h.Path(updateFile), err)
	}
	return nil
}

// RemoveUpdate forgets what SaveUpdate kept. That there is nothing is no fault.
func (h *Home) RemoveUpdate() error {
	for _, name := range []string{h.Path(updateFile) + ".new", h.Path(updateFile)} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove %s: %w", name, cause(err))
		}
	}
	return nil
}

// SeenReleases is what a client of a release server has seen, kept beside the
// program.
type SeenReleases struct {
	Home *Home
	// Look: what cannot be written is not kept, for who only looks.
	Look bool
}

// Load returns what was kept, nil if nothing was.
func (s SeenReleases) Load() ([]byte, error) {
	data, err := s.Home.loadBeside(releasesFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// Save keeps it.
func (s SeenReleases) Save(data []byte) error {
	if _, err := os.Lstat(s.Home.Path(binFolder)); s.Look && err != nil {
		return nil //nolint:nilerr // there is no place for it
	}
	err := s.Home.saveBeside(releasesFile, data)
	if s.Look && errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}

// LockUpdate claims the home for a command that replaces its program, until
// unlock is called or the process ends.
func (h *Home) LockUpdate() (unlock func(), err error) {
	f, err := os.OpenFile(h.Path(updateLock), os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = f.Close()
	}
	lock := flock.New(h.Path(updateLock), flock.SetFlag(os.O_RDWR))
	ok := false
	if err == nil {
		ok, err = lock.TryLock()
	}
	if err == nil && !ok {
		err = errors.New("another update of it is at work")
	}
	if err != nil {
		return nil, fmt.Errorf("lock the program of %s: %w", h.dir, cause(err))
	}
	return func() { _ = lock.Close() }, nil // closing is all there is to unlocking
}

func (h *Home) saveBeside(file string, data []byte) error {
	err := h.makeBin()
	if err == nil {
		err = replaceBeside(h.Path(file), data)
	}
	if err == nil {
		err = h.syncBin()
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", h.Path(file), cause(err))
	}
	return nil
}

// replaceBeside replaces a file that all may read in one rename.
func replaceBeside(name string, data []byte) error {
	temp := name + ".new"
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644) //nolint:gosec // there is no secret in it, and root's folder around it
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(temp, name)
}

func (h *Home) loadBeside(file string) (data []byte, err error) {
	root, err := os.OpenRoot(h.dir)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", h.Path(file), cause(err))
	}
	defer func() { _ = root.Close() }() // a folder's handle has nothing to flush
	info, err := root.Lstat(file)
	if err == nil && (!info.Mode().IsRegular() || info.Size() > maxBeside) {
		err = errors.New("it is no such file")
	}
	if err == nil {
		err = errors.Join(trusted(root, binFolder), trusted(root, file))
	}
	if err == nil {
		data, err = root.ReadFile(file)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", h.Path(file), cause(err))
	}
	return data, nil
}
