package home

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"
)

// Beside the program lie the one that is to replace it, until it has proved
// itself, and the one that it replaced. The folder is root's alone, so nobody can
// exchange them between their verification and their start.
const (
	nextName     = "connector-next"
	previousName = "connector-previous"
)

// NextProgram returns the path of the program that an update has laid ready,
// there or not.
func (h *Home) NextProgram() string { return h.inBin(nextName) }

// PreviousProgram returns the path of the program that the last update has
// replaced, there or not.
func (h *Home) PreviousProgram() string { return h.inBin(previousName) }

func (h *Home) inBin(name string) string {
	if runtime.GOOS == "windows" {
		name += ".exe" // else it cannot be started
	}
	return h.Path(binFolder, name)
}

// ReadyBin makes the program's folder, if need be, for a next program to be laid
// there. A folder that others may write to is an error.
func (h *Home) ReadyBin() error {
	if err := h.makeBin(); err != nil {
		return fmt.Errorf("lay a program ready in %s: %w", h.Path(binFolder), cause(err))
	}
	return nil
}

// ReadyPrevious lays the previous program ready as the next one.
func (h *Home) ReadyPrevious() error {
	err := h.makeBin()
	if err == nil {
		h.ForgetNext()
		err = twin(h.PreviousProgram(), h.NextProgram())
	}
	if err != nil {
		return fmt.Errorf("lay the previous program ready: %w", cause(err))
	}
	return nil
}

// ForgetNext removes what was laid ready. What a download has left that broke off
// stays, for the next one to go on.
func (h *Home) ForgetNext() { _ = os.Remove(h.NextProgram()) }

// SwapProgram puts the next program in the place of the program, which becomes
// the previous one. At every moment there is a program, but on Windows, where a
// running one can only be moved out of the way; one that runs goes on running.
func (h *Home) SwapProgram() error {
	_, err := os.Stat(h.NextProgram())
	if err == nil {
		err = h.keepAs(h.Program(), h.PreviousProgram())
	}
	if err == nil {
		if err = os.Rename(h.NextProgram(), h.Program()); err != nil && runtime.GOOS == "windows" {
			err = errors.Join(err, os.Rename(h.PreviousProgram(), h.Program()))
		}
	}
	if err == nil {
		err = h.syncBin()
	}
	if err != nil {
		return fmt.Errorf("replace the program %s: %w", h.Program(), cause(err))
	}
	return nil
}

// keepAs gives the program another name too, in the place of what has that name.
func (h *Home) keepAs(program, name string) error {
	if runtime.GOOS == "windows" {
		if err := h.shove(name); err != nil {
			return err
		}
		return os.Rename(program, name)
	}
	temp := name + ".new"
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) { // of an attempt that was killed
		return err
	}
	if err := twin(program, temp); err != nil {
		return err
	}
	return os.Rename(temp, name)
}

// shove removes a program, or moves one that still runs out of the way, until
// the next time.
func (h *Home) shove(name string) error {
	old := strings.TrimSuffix(name, ".exe") + "-old.exe"
	_ = os.Remove(old)
	err := os.Remove(name)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return os.Rename(name, old)
}

// twin makes a second name for a file, or a copy where the file system has no
// second names.
func twin(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) {
		return err
	}
	return copyProgram(from, to)
}

// copyProgram copies a program to a file that is not there yet.
func copyProgram(from, to string) (err error) {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }()                               // read only
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755) //nolint:gosec // it is to be run by the service's account
	if err != nil {
		return err
	}
	_, err = io.Copy(f, source)
	if err = errors.Join(err, f.Chmod(0o755), f.Sync(), f.Close()); err != nil {
		_ = os.Remove(to) // the first error is the one to tell
	}
	return err
}

// ReadyCopy lays the program in the file from ready as the next one.
func (h *Home) ReadyCopy(from string) error {
	err := h.makeBin()
	if err == nil {
		h.ForgetNext()
		err = copyProgram(from, h.NextProgram())
	}
	if err != nil {
		return fmt.Errorf("lay the program of %s ready: %w", from, cause(err))
	}
	return nil
}

// HasNext reports whether a program lies ready that has not been put in the
// program's place.
func (h *Home) HasNext() bool {
	_, err := os.Lstat(h.NextProgram())
	return err == nil
}

// SwapBack takes SwapProgram back, however far it came: the previous program is
// the program again, and what replaced it is gone.
func (h *Home) SwapBack() error {
	_, err := os.Lstat(h.Program())
	_, gone := os.Lstat(h.PreviousProgram())
	if err == nil && (h.HasNext() || errors.Is(gone, fs.ErrNotExist)) {
		return nil // it was not replaced, or has been taken back
	}
	if err == nil && runtime.GOOS == "windows" {
		err = h.shove(h.Program())
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = os.Rename(h.PreviousProgram(), h.Program())
	}
	if err == nil {
		err = h.syncBin()
	}
	if err != nil {
		return fmt.Errorf("put the previous program back: %w", cause(err))
	}
	return nil
}
