package home

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// What it takes to give the home back lies in a folder that is for whoever
// installs alone: root believes what is in it, so the service's account must not
// be able to write there.
const (
	formerFolder = "former"
	formerFile   = formerFolder + "/record.json"

	// A record holds four files, and units.
	maxRecord = 32 << 20
)

// SaveFormer keeps v, as JSON, as what it takes to give the home back.
func (h *Home) SaveFormer(v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", h.Path(formerFile), err)
	}
	root, err := os.OpenRoot(h.dir)
	if err != nil {
		return fmt.Errorf("open the home %s: %w", h.dir, cause(err))
	}
	defer func() { _ = root.Close() }() // a folder's handle has nothing to flush
	if err := h.writeRecord(root, append(data, '\n')); err != nil {
		return fmt.Errorf("write %s: %w", h.Path(formerFile), cause(err))
	}
	return nil
}

func (h *Home) writeRecord(root *os.Root, data []byte) error {
	err := root.Mkdir(formerFolder, 0o700)
	if err == nil {
		err = errors.Join(syncFolder(root, "."), tighten(h.Path(formerFolder)))
	} else if errors.Is(err, fs.ErrExist) {
		err = trusted(root, formerFolder)
	}
	if err != nil {
		return err
	}
	const temp = formerFile + ".new"
	if err := root.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = rename(root, temp, formerFile)
	}
	if err != nil {
		_ = root.Remove(temp) // the first error is the one to tell
		return err
	}
	return syncFolder(root, formerFolder)
}

// LoadFormer reads into v what SaveFormer kept. The error is an fs.ErrNotExist
// when there is nothing. What others may have written is not believed.
func (h *Home) LoadFormer(v any) error {
	root, err := os.OpenRoot(h.dir)
	if err != nil {
		return fmt.Errorf("read %s: %w", h.Path(formerFile), cause(err))
	}
	defer func() { _ = root.Close() }() // the same
	data, err := readRecord(root)
	if err != nil {
		return fmt.Errorf("read %s: %w", h.Path(formerFile), cause(err))
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("read %s: %w", h.Path(formerFile), err)
	}
	return nil
}

func readRecord(root *os.Root) ([]byte, error) {
	info, err := root.Lstat(formerFile)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	for _, name := range []string{formerFolder, formerFile} {
		if err := trusted(root, name); err != nil {
			return nil, err
		}
	}
	f, err := root.Open(formerFile)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // read only
	data, err := io.ReadAll(io.LimitReader(f, maxRecord+1))
	if err == nil && len(data) > maxRecord {
		err = fmt.Errorf("it is larger than %d MiB", maxRecord>>20)
	}
	return data, err
}

// RemoveFormer forgets what SaveFormer kept. That there is nothing is no fault.
func (h *Home) RemoveFormer() error {
	for _, name := range []string{formerFile + ".new", formerFile, formerFolder} {
		if err := os.Remove(h.Path(filepath.FromSlash(name))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove %s: %w", h.Path(name), cause(err))
		}
	}
	return nil
}

// A Before value is a home as it was before another connector had it. It can be
// kept as JSON, and holds secrets.
type Before struct {
	Data  bool              `json:"data"`            // what counted lay below data/
	Keyed bool              `json:"keyed"`           // it had a key pair, wherever that lay
	Aside string            `json:"aside,omitempty"` // the backup that AdoptData made
	Files map[string][]byte `json:"files"`           // what was in the four places of an archive; without those that were not there
	Taken map[string][]byte `json:"taken,omitempty"` // what an install has made of them
	Marks []mark            `json:"marks"`           // whose its files were, and for whom
}

// Before returns what it takes to make the home again what it is now.
func (h *Home) Before() (b Before, err error) {
	if n, ok := h.Node(); ok {
		b.Data = n.Data
	}
	if b.Files, err = h.four(); err != nil {
		return b, err
	}
	_, below := os.Lstat(h.Path(filepath.FromSlash(layouts[keyFile][0])))
	b.Keyed = b.Files[keyFile] != nil || b.Data && below == nil
	names, err := h.Belongings()
	if err != nil {
		return b, err
	}
	root, err := os.OpenRoot(h.dir)
	if err != nil {
		return b, fmt.Errorf("open the home %s: %w", h.dir, cause(err))
	}
	defer func() { _ = root.Close() }() // the same
	for _, name := range append([]string{"."}, names...) {
		m, err := h.markOf(root, name)
		if err != nil {
			return b, fmt.Errorf("look at %s: %w", h.Path(name), cause(err))
		}
		b.Marks = append(b.Marks, m)
	}
	return b, nil
}

// four returns the files that an archive has, as they are now. It follows no
// link out of the home, whose files may be an account's.
func (h *Home) four() (map[string][]byte, error) {
	root, err := os.OpenRoot(h.dir)
	if err != nil {
		return nil, fmt.Errorf("open the home %s: %w", h.dir, cause(err))
	}
	defer func() { _ = root.Close() }() // the same
	wanted := files{}
	for _, name := range replaceable {
		wanted[name] = nil
	}
	found, err := h.current(root, wanted)
	maps.DeleteFunc(found, func(_ string, data []byte) bool { return data == nil })
	return found, err
}

// Take completes b with the files as they are now. What differs from them when
// the home is given back was changed by somebody since.
func (h *Home) Take(b *Before) (err error) {
	b.Taken, err = h.four()
	return err
}

// Return makes the home what it was: its files, whose they are, and no more of
// them. What has been changed since the install is kept below backups/, and
// named in notes, as is what could not go back. A key pair that was made since
// stays, with the configuration that was sealed with it: the tenant knows the
// former one no more. It may be repeated after it failed.
func (h *Home) Return(b Before) (notes []string, err error) {
	now, err := h.four()
	if err != nil {
		return nil, err
	}
	want := files{}
	for _, name := range replaceable {
		want[name] = b.Files[name]
	}
	if now[keyFile] != nil && (!b.Keyed || b.Taken[keyFile] != nil && !bytes.Equal(now[keyFile], b.Taken[keyFile])) {
		for _, name := range []string{configFile, certFile, keyFile} {
			want[name] = now[name]
		}
		notes = append(notes, "The key pair is newer than the install; it stays, and config.json with it.")
		if b.Data {
			notes = append(notes, "Copy both to "+h.Path(dataFolder)+" for the former connector, which reads them there.")
		}
	}
	changed := false
	for _, name := range replaceable {
		changed = changed || !bytes.Equal(now[name], b.Taken[name]) && !bytes.Equal(now[name], want[name])
	}
	backup, err := h.replace(want)
	if err != nil {
		return notes, err
	}
	switch {
	case backup != "" && changed:
		notes = append(notes, "What has been changed since the install is kept in "+backup+".")
	case backup != "":
		if err := os.RemoveAll(backup); err != nil {
			return notes, fmt.Errorf("remove %s: %w", backup, cause(err))
		}
	}
	if name := filepath.Base(b.Aside); backupStamp.MatchString(name) { // it is back where it was
		if err := os.RemoveAll(h.Path(backupsFolder, name)); err != nil {
			return notes, fmt.Errorf("remove %s: %w", b.Aside, cause(err))
		}
	}
	return notes, h.returnMarks(b)
}

// returnMarks takes away what was not there, and gives back what was.
func (h *Home) returnMarks(b Before) error {
	was := []string{}
	for _, m := range b.Marks {
		was = append(was, m.Name)
	}
	keep, err := h.kept()
	if err != nil {
		return err
	}
	for _, name := range replaceable { // of a key pair that stays
		if _, err := os.Lstat(h.Path(name)); err == nil && b.Files[name] == nil {
			keep = append(keep, name, path.Dir(name))
		}
	}
	if err := h.RemoveSince(was, keep...); err != nil {
		return err
	}
	root, err := os.OpenRoot(h.dir)
	if err != nil {
		return fmt.Errorf("open the home %s: %w", h.dir, cause(err))
	}
	defer func() { _ = root.Close() }() // the same
	for _, m := range b.Marks {
		if err := h.putMark(root, m); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("give %s back: %w", h.Path(m.Name), cause(err))
		}
	}
	return nil
}

// kept lists what lies below backups/: former files are never thrown away.
func (h *Home) kept() ([]string, error) {
	if isEmpty(h.Path(backupsFolder)) {
		return nil, nil
	}
	names, err := h.Belongings()
	return slices.DeleteFunc(names, func(name string) bool {
		return name != backupsFolder && !strings.HasPrefix(name, backupsFolder+"/")
	}), err
}
