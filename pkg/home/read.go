package home

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// read returns a file of the home, after a replacement that another process
// left half done has been settled.
func (h *Home) read(name string) ([]byte, error) {
	if err := h.settle(); err != nil {
		return nil, err
	}
	return h.readOwn(name)
}

// readOwn reads a file of the home as it is now. Root follows no link out of a
// home that somebody else can put one into: what root reads may be written to
// where that one reads it.
func (h *Home) readOwn(name string) ([]byte, error) {
	path := h.Path(filepath.FromSlash(name))
	if !isShared(h.dir) {
		return readFile(path)
	}
	root, err := os.OpenRoot(h.dir)
	if err != nil {
		return nil, fmt.Errorf("open the home %s: %w", h.dir, cause(err))
	}
	defer func() { _ = root.Close() }() // a folder's handle has nothing to flush
	data, err := contents(root, name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, cause(err))
	}
	return data, nil
}

// readFile reads a regular file of at most maxFile bytes.
func readFile(path string) ([]byte, error) {
	data, err := contents(anywhere{}, path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, cause(err))
	}
	return data, nil
}

// A tree is where contents looks for a file: an os.Root, or anywhere.
type tree interface {
	Stat(name string) (fs.FileInfo, error)
	Open(name string) (*os.File, error)
}

type anywhere struct{}

func (anywhere) Stat(name string) (fs.FileInfo, error) { return os.Stat(name) }
func (anywhere) Open(name string) (*os.File, error)    { return os.Open(name) }

func contents(in tree, path string) (data []byte, err error) {
	info, err := in.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, errors.New("it is a folder")
	}
	if !info.Mode().IsRegular() { // a pipe would block, a device never end
		return nil, errors.New("it is not a regular file")
	}
	f, err := in.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // read only
	data, err = io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("it is larger than %d MiB", maxFile>>20)
	}
	return data, err
}

// cause strips what the os package says around a cause, which names files that
// the caller has named already, or temporary ones.
func cause(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}
