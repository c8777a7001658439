package release

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A staging is a file that is not whole yet, beside the place where it belongs.
// Its name and mode keep it from being run.
type staging struct {
	root *os.Root // the folder
	name string   // of the final file
	f    File
	file *os.File // the part; nil when there is none yet
	size int64    // of the part
	tag  string   // what stood for the file when the part came
}

const (
	partSuffix = ".part"
	tagSuffix  = ".part.tag" // the release's hash, and what the server called it
)

// openStaging finds out what is there already.
func openStaging(dst string, f File) (*staging, error) {
	root, err := os.OpenRoot(filepath.Dir(dst))
	if err != nil {
		return nil, err
	}
	s := &staging{root: root, name: filepath.Base(dst), f: f}
	s.reopen()
	return s, nil
}

// reopen takes up the part of an earlier time, if it is of the same file.
func (s *staging) reopen() {
	text, err := s.root.ReadFile(s.name + tagSuffix)
	sum, tag, _ := strings.Cut(strings.TrimSuffix(string(text), "\n"), "\n")
	if err != nil || sum != s.f.SHA256 || len(tag) > maxTag {
		return
	}
	info, err := s.root.Lstat(s.name + partSuffix)
	if err != nil || !info.Mode().IsRegular() || info.Size() > s.f.Size {
		return
	}
	file, err := s.root.OpenFile(s.name+partSuffix, os.O_RDWR, 0)
	if err != nil {
		return
	}
	if opened, err := file.Stat(); err != nil || !os.SameFile(info, opened) {
		_ = file.Close() // nothing was written
		return
	}
	s.file, s.size, s.tag = file, info.Size(), tag
}

// restart begins anew with an empty part.
func (s *staging) restart(tag string) (err error) {
	s.discard()
	if err := s.root.WriteFile(s.name+tagSuffix, []byte(s.f.SHA256+"\n"+tag+"\n"), 0o600); err != nil {
		return err
	}
	s.tag = tag
	s.file, err = s.root.OpenFile(s.name+partSuffix, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	return err
}

func (s *staging) append(data []byte) error {
	n, err := s.file.WriteAt(data, s.size)
	s.size += int64(n)
	return err
}

// hash is of what is on the disk now, whoever wrote it.
func (s *staging) hash() (string, error) { return hashOf(io.NewSectionReader(s.file, 0, s.size)) }

func hashOf(r io.Reader) (string, error) {
	sum := sha256.New()
	if _, err := io.Copy(sum, r); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// settled reports whether the final file is the release's already, and clears
// what may lie beside it.
func (s *staging) settled() bool {
	info, err := s.root.Lstat(s.name)
	if err != nil || !info.Mode().IsRegular() || info.Size() != s.f.Size {
		return false
	}
	file, err := s.root.Open(s.name)
	if err != nil {
		return false
	}
	defer func() { _ = file.Close() }() // read only
	sum, err := hashOf(file)
	if err != nil || sum != s.f.SHA256 || runnable(file) != nil {
		return false
	}
	s.discard()
	return true
}

// commit gives a part that has been verified its final name.
func (s *staging) commit() error {
	if err := errors.Join(runnable(s.file), s.file.Sync()); err != nil {
		return err
	}
	file := s.file
	s.file = nil
	if err := file.Close(); err != nil {
		return err
	}
	if err := s.rename(); err != nil {
		return err
	}
	s.discard()
	return s.sync()
}

// rename replaces the final file. On Windows somebody who has just opened the
// part lets go of it after a moment, for which there is no signal to wait on.
func (s *staging) rename() error {
	err := s.root.Rename(s.name+partSuffix, s.name)
	for pause := 5 * time.Millisecond; isTransient(err) && pause < time.Second; pause *= 2 {
		<-time.After(pause)
		err = s.root.Rename(s.name+partSuffix, s.name)
	}
	return err
}

// discard removes the part. What cannot be removed is replaced the next time,
// or that fails and says why.
func (s *staging) discard() {
	if s.file != nil {
		_ = s.file.Close() // it is removed
	}
	s.file, s.size, s.tag = nil, 0, ""
	for _, name := range []string{s.name + partSuffix, s.name + tagSuffix} {
		if err := s.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			_ = s.root.RemoveAll(name) // somebody made a folder there
		}
	}
}

func (s *staging) close() {
	if s.file != nil {
		_ = s.file.Close() // the rest comes another time, and is hashed then
	}
	_ = s.root.Close() // a folder's handle has nothing to flush
}
