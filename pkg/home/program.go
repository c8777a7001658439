package home

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// binFolder holds the program that the service runs. It belongs to whoever
// installs, not to the service's account: an administrator runs it too.
const binFolder = "bin"

// Program returns the path of the program in this home, there or not.
func (h *Home) Program() string {
	name := "connector"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return h.Path(binFolder, name)
}

// former is where the program that was replaced lies, until ForgetProgram.
func (h *Home) former() string { return h.Program() + ".former" }

// HasProgram reports whether the home's program is the one in the file from,
// octet for octet.
func (h *Home) HasProgram(from string) (bool, error) {
	want, err := os.Stat(from)
	if err != nil {
		return false, err
	}
	have, err := os.Stat(h.Program())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil || os.SameFile(want, have) {
		return err == nil, err
	}
	if want.Size() != have.Size() {
		return false, nil
	}
	a, err := hashOf(from)
	if err != nil {
		return false, err
	}
	b, err := hashOf(h.Program())
	return err == nil && bytes.Equal(a, b), err
}

func hashOf(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // read only
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return sum.Sum(nil), nil
}

// SaveProgram lays the program in the file from down in this home, whole or not
// at all. The one that was there is kept beside it for RestoreProgram, until
// ForgetProgram; a program that runs goes on running.
func (h *Home) SaveProgram(from string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("copy the program to %s: %w", h.Program(), cause(err))
		}
	}()
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }() // read only
	dir := h.Path(binFolder)
	if err := h.makeBin(); err != nil {
		return err
	}
	temp, err := os.CreateTemp(dir, tempPrefix+"*"+tempSuffix)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temp.Name()) }() // there is none any more, if all went well
	_, err = io.Copy(temp, source)
	if err = errors.Join(err, temp.Chmod(0o755), temp.Sync(), temp.Close()); err != nil {
		return err
	}
	if _, err := os.Lstat(h.former()); errors.Is(err, fs.ErrNotExist) { // else a copy was interrupted, and that is the one to keep
		if err := putAside(h.Program(), h.former()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.Rename(temp.Name(), h.Program()); err != nil {
		return err
	}
	return h.syncBin()
}

// makeBin makes the program's folder, for all to run what is in it. One that is
// there must be of whoever installs.
func (h *Home) makeBin() error {
	dir := h.Path(binFolder)
	err := os.Mkdir(dir, 0o755) //nolint:gosec // it is to be run by the service's account
	if err == nil {
		return os.Chmod(dir, 0o755) //nolint:gosec // the same, whatever the umask
	}
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	root, err := os.OpenRoot(h.dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // a folder's handle has nothing to flush
	if trusted(root, binFolder) != nil {
		return fmt.Errorf("%s is not root's alone, so that another program could be put there; remove it", dir)
	}
	return nil
}

// RestoreProgram takes SaveProgram back, however far it came. The caller knows
// whether there was a program before it.
func (h *Home) RestoreProgram(was bool) error {
	if !was {
		return h.RemoveProgram()
	}
	err := os.Rename(h.former(), h.Program())
	if err == nil {
		err = h.syncBin()
	}
	h.ForgetProgram()
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // it was not replaced yet
		return fmt.Errorf("put the former program back: %w", err)
	}
	return nil
}

// PutProgramAside takes the program away so that RestoreProgram can bring it
// back, until RemoveProgram. One that runs goes on running.
func (h *Home) PutProgramAside() error {
	if err := os.Rename(h.Program(), h.former()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the program: %w", err)
	}
	return nil
}

// ForgetProgram removes the program that SaveProgram replaced. On Windows one
// that still runs stays until the next time.
func (h *Home) ForgetProgram() {
	_ = os.Remove(h.former())
	temps, _ := filepath.Glob(h.Path(binFolder, tempPrefix+"*"+tempSuffix)) // of copies that were interrupted
	for _, name := range temps {
		_ = os.Remove(name)
	}
}

// RemoveProgram takes the program away, and its folder with it. That it is not
// there is no fault.
func (h *Home) RemoveProgram() error {
	h.ForgetProgram()
	previous, _ := filepath.Glob(h.PreviousProgram() + "*") // the pattern is well-formed, or finds nothing
	next, _ := filepath.Glob(h.NextProgram() + "*")         // the same
	previous = append(previous, next...)
	for _, file := range []string{updateFile, releasesFile} {
		previous = append(previous, h.Path(file), h.Path(file)+".new")
	}
	previous = append(previous, h.Path(updateLock))
	for _, name := range append(previous, h.Program(), h.Path(binFolder)) {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove the program: %w", err)
		}
	}
	return nil
}

func (h *Home) syncBin() error {
	root, err := os.OpenRoot(h.dir)
	if err != nil {
		return err
	}
	return errors.Join(syncFolder(root, binFolder), root.Close())
}
