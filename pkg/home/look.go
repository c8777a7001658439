package home

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"
)

// A Listed file is what there is to see of a file of the home from outside.
type Listed struct {
	Name     string    `json:"name"` // below the home, with slashes
	Size     int64     `json:"size"`
	Mode     string    `json:"mode"`
	Modified time.Time `json:"modified"`
}

// List lists the files and folders of the home in order, at most so many, and
// says whether there are more. It follows no link. What cannot be entered is
// listed without what is in it.
func (h *Home) List(most int) (all []Listed, more bool, err error) {
	err = fs.WalkDir(os.DirFS(h.dir), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && name == ".":
			return err
		case err != nil || name == ".":
			return nil //nolint:nilerr // it was listed before it was entered
		case len(all) == most:
			more = true
			return fs.SkipAll
		}
		info, err := d.Info()
		if err != nil {
			return nil //nolint:nilerr // it has gone meanwhile
		}
		all = append(all, Listed{name, info.Size(), info.Mode().String(), info.ModTime().UTC()})
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("list %s: %w", h.dir, cause(err))
	}
	return all, more, nil
}

// A Tail is the end of a file.
type Tail struct {
	Data  []byte // whole lines, but for a line longer than the limit
	Size  int64  // of the whole file
	Lines int    // how many lines come before Data
}

// Tail reads the last lines of a file of the home, at most limit bytes. It does
// not follow a link out of the home, whose files may be another account's.
func (h *Home) Tail(name string, limit int) (Tail, error) {
	t, err := h.tail(name, limit)
	if err != nil {
		return Tail{}, fmt.Errorf("read %s: %w", h.Path(filepath.FromSlash(name)), cause(err))
	}
	return t, nil
}

func (h *Home) tail(name string, limit int) (t Tail, err error) {
	f, err := h.openFile(name)
	if err != nil {
		return t, err
	}
	defer func() { _ = f.Close() }() // read only
	info, err := f.Stat()
	if err != nil {
		return t, err
	}
	t.Size = info.Size()
	skip := max(0, t.Size-int64(limit))
	whole := true // Data begins with a line
	buf := make([]byte, 64<<10)
	for left := skip; left > 0; { // read and not only passed over, for the number of lines
		n, err := f.Read(buf[:min(left, int64(len(buf)))])
		t.Lines += bytes.Count(buf[:n], []byte{'\n'})
		whole = bytes.HasSuffix(buf[:n], []byte{'\n'})
		if left -= int64(n); err != nil {
			return t, err
		}
	}
	if t.Data, err = io.ReadAll(io.LimitReader(f, int64(limit))); err != nil {
		return t, err
	}
	if !whole {
		if end := bytes.IndexByte(t.Data, '\n'); end >= 0 {
			t.Data, t.Lines = t.Data[end+1:], t.Lines+1
		}
	}
	return t, nil
}

// openFile opens an ordinary file of the home to read.
func (h *Home) openFile(name string) (*os.File, error) {
	root, err := os.OpenRoot(h.dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }() // a folder's handle has nothing to flush
	info, err := root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // a pipe would block, a device never end
		return nil, errors.New("it is not a regular file")
	}
	return root.Open(name)
}

// File reads a file that a setting names: absolute, or in the home.
func (h *Home) File(name string) ([]byte, error) {
	if !filepath.IsAbs(name) {
		name = h.Path(filepath.FromSlash(name))
	}
	return readFile(name)
}

// mostBackups bounds how many former replacements are looked into.
const mostBackups = 20

// Secretive returns the files that hold secrets, by their names: the
// configuration and the private key, and the former ones under backups/, newest
// first. It is for those who make sure that what leaves the machine holds none
// of them. An error names those that are there and cannot be read.
func (h *Home) Secretive() (map[string][]byte, error) {
	var faults []error
	all := map[string][]byte{}
	folders := []string{"."}
	entries, err := os.ReadDir(h.Path(backupsFolder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		faults = append(faults, fmt.Errorf("read %s: %w", h.Path(backupsFolder), cause(err)))
	}
	for _, e := range slices.Backward(entries) {
		if len(folders) > mostBackups {
			break
		}
		folders = append(folders, path.Join(backupsFolder, e.Name()))
	}
	for _, folder := range folders {
		for _, file := range secretFiles {
			name := path.Join(folder, filepath.ToSlash(file))
			data, err := readFile(h.Path(filepath.FromSlash(name)))
			switch {
			case err == nil:
				all[name] = data
			case !errors.Is(err, fs.ErrNotExist):
				faults = append(faults, err)
			}
		}
	}
	return all, errors.Join(faults...)
}
