package home

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
)

// A Record is a file that is only added to, such as the audit file: for its
// owner alone, and never something that a link leads to, for whoever may write
// to its folder must not choose which file of the machine grows. It is not safe
// for concurrent use, but several processes may add to the same file.
type Record struct {
	root *os.Root // of the home, or of the folder that it is in
	name string   // below root
	own  bool     // it is in the home
	path string   // for people
	file *os.File
}

// OpenRecord opens a record file, which it makes if need be: a path below the
// home, or an absolute one in a folder that is there.
func (h *Home) OpenRecord(name string) (*Record, error) {
	r := &Record{path: name}
	var err error
	if filepath.IsAbs(name) {
		r.name = filepath.Base(name)
		r.root, err = os.OpenRoot(filepath.Dir(name))
	} else {
		r.own, r.name, r.path = true, path.Clean(filepath.ToSlash(name)), h.Path(name)
		if err := h.exclusively(func(root *os.Root) error { return makeFolder(root, path.Dir(r.name)) }); err != nil {
			return nil, fmt.Errorf("open %s: %w", r.path, cause(err))
		}
		r.root, err = os.OpenRoot(h.dir)
	}
	if err == nil {
		if err = r.open(); err != nil {
			_ = r.root.Close() // nothing was written
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", r.path, cause(err))
	}
	return r, nil
}

func (r *Record) open() error {
	how := os.O_RDWR | os.O_APPEND
	there, err := r.root.Lstat(r.name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		how |= os.O_CREATE | os.O_EXCL // not through a link that comes in this moment
	case err != nil:
		return err
	case !there.Mode().IsRegular(): // a pipe would block whoever opens it
		return errors.New("it is not a regular file")
	case manyNames(there):
		return errors.New("it has other names, by hard links")
	}
	f, err := r.root.OpenFile(r.name, how, 0o600)
	if err != nil {
		return err
	}
	if !r.is(f) {
		err = errors.New("it has been replaced meanwhile")
	} else if err = f.Chmod(0o600); err == nil && r.own {
		err = adopt(r.root, f)
	}
	if err != nil {
		_ = f.Close() // nothing was written
		return err
	}
	r.file = f
	return nil
}

// is reports whether f is what has the record's name now.
func (r *Record) is(f *os.File) bool {
	there, err := r.root.Lstat(r.name)
	opened, again := f.Stat()
	return err == nil && again == nil && os.SameFile(there, opened)
}

// Path is where the file is.
func (r *Record) Path() string { return r.path }

// Moved reports whether another file, or none, has the name now: somebody has
// put this one aside.
func (r *Record) Moved() bool { return r.file == nil || !r.is(r.file) }

// Size is how many octets are in the file.
func (r *Record) Size() (int64, error) {
	info, err := r.file.Stat()
	if err != nil {
		return 0, fmt.Errorf("look at %s: %w", r.path, cause(err))
	}
	return info.Size(), nil
}

// Torn reports whether the file ends in the middle of a line.
func (r *Record) Torn() bool {
	size, err := r.Size()
	last := make([]byte, 1)
	if err != nil || size == 0 {
		return false
	}
	_, err = r.file.ReadAt(last, size-1)
	return err == nil && last[0] != '\n'
}

// Write adds to the file.
func (r *Record) Write(p []byte) (int, error) {
	if r.file == nil {
		return 0, fmt.Errorf("write %s: %w", r.path, fs.ErrClosed)
	}
	n, err := r.file.Write(p)
	if err != nil {
		err = fmt.Errorf("write %s: %w", r.path, cause(err))
	}
	return n, err
}

// Sync flushes to the disk what was written.
func (r *Record) Sync() error {
	if err := r.file.Sync(); err != nil {
		return fmt.Errorf("flush %s: %w", r.path, cause(err))
	}
	return nil
}

// PutAside gives the file the name NAME.1, that one NAME.2 and so on, up to
// keep, and begins another. The oldest is removed. After an error the file may
// still be the one it was.
func (r *Record) PutAside(keep int) error {
	if err := errors.Join(r.file.Sync(), r.file.Close()); err != nil {
		r.file = nil
		return fmt.Errorf("put %s aside: %w", r.path, cause(err))
	}
	r.file = nil
	err := r.shift(keep)
	if again := r.open(); err == nil {
		err = again
	}
	if err != nil {
		return fmt.Errorf("put %s aside: %w", r.path, cause(err))
	}
	return nil
}

func (r *Record) shift(keep int) error {
	aside := func(i int) string {
		if i == 0 {
			return r.name
		}
		return r.name + "." + strconv.Itoa(i)
	}
	if err := r.root.Remove(aside(keep)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for i := keep - 1; i >= 0; i-- {
		if err := rename(r.root, aside(i), aside(i+1)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Close flushes and closes the file.
func (r *Record) Close() error {
	var err error
	if r.file != nil {
		err = errors.Join(r.file.Sync(), r.file.Close())
		r.file = nil
	}
	if err = errors.Join(err, r.root.Close()); err != nil {
		return fmt.Errorf("close %s: %w", r.path, cause(err))
	}
	return nil
}
