package home

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"

	"ad-ldap-connector/pkg/keys"
)

// files says what several files of the home shall hold; nil is no file.
type files map[string][]byte

// Replace puts an archive's configuration, key pair and profile mapper in the
// place of the home's, all of them or none, also when the process or the
// machine stops on the way: Open then finishes what was begun, or discards it.
// A mapper that the archive lacks is taken away here too, so that both nodes
// map alike. The files that were there are kept in the folder backup, which is
// "" when there were none or nothing changed.
func (h *Home) Replace(a *Archive) (backup string, err error) {
	f, err := pairFiles(a.Pair)
	if err != nil {
		return "", fmt.Errorf("replace the files of %s: key pair: %w", h.dir, err)
	}
	if f[configFile], err = a.Config.Encode(); err != nil {
		return "", fmt.Errorf("replace the files of %s: %w", h.dir, err)
	}
	f[mapperFile] = nil
	if a.Mapper != "" {
		f[mapperFile] = []byte(a.Mapper)
	}
	if a.CA != nil {
		f[caBundle] = a.CA
	}
	return h.replaceAs(byImport, f)
}

// ReplaceKeys puts a key pair and the text of config.json, which goes with it,
// in the place of those that are there: both or neither, as Replace does. The
// files that were there are kept in the folder backup.
func (h *Home) ReplaceKeys(p *keys.Pair, config []byte) (backup string, err error) {
	f, err := pairFiles(p)
	if err != nil {
		return "", fmt.Errorf("replace the key pair of %s: %w", h.dir, err)
	}
	f[configFile] = config
	return h.replace(f)
}

// replace makes several files hold what they shall. The new files are laid
// ready in a folder beside, with copies of the old ones; the journal that is
// then written in one rename is the point of no return; the rest are renames
// that can be repeated by whoever finds the journal.
func (h *Home) replace(f files) (backup string, err error) { return h.replaceAs("", f) }

// replaceAs does so for a reason, which UndoImport finds again; "" is none.
func (h *Home) replaceAs(reason string, f files) (backup string, err error) {
	for name, data := range f {
		if len(data) > maxFile { // else it could not be read again
			return "", fmt.Errorf("write %s: it is larger than %d MiB", h.Path(name), maxFile>>20)
		}
	}
	err = h.exclusively(func(root *os.Root) error {
		old, err := h.current(root, f)
		if err != nil {
			return err
		}
		if maps.EqualFunc(old, f, func(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }) {
			return h.tightenFiles(root, f)
		}
		j, err := h.stage(root, reason, old, f)
		if err != nil {
			discard(root)
			return fmt.Errorf("lay files ready in %s: %w", h.Path(stageFolder), cause(err))
		}
		if err := j.forward(root); err != nil {
			err = fmt.Errorf("replace files of %s: %w", h.dir, cause(err))
			if undoErr := j.undo(root); undoErr != nil {
				return errors.Join(err, fmt.Errorf("put the former files back: %w", cause(undoErr)))
			}
			return err
		}
		if j.Backup != "" {
			backup = h.Path(backupsFolder, j.Backup)
		}
		return nil
	})
	return backup, err
}

// current reads the files that are to be replaced. It does not follow a link out
// of the home: what it reads is copied to a place that the home's owner can see.
func (h *Home) current(root *os.Root, f files) (files, error) {
	old := files{}
	for name := range f {
		data, err := contents(root, name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("read %s: %w", h.Path(name), cause(err))
		}
		old[name] = nil
		if err == nil {
			old[name] = append([]byte{}, data...) // an empty file is not no file
		}
	}
	return old, nil
}

func (h *Home) tightenFiles(root *os.Root, f files) error {
	for name, data := range f {
		if data == nil {
			continue
		}
		if err := root.Chmod(name, 0o600); err != nil {
			return fmt.Errorf("keep others out of %s: %w", h.Path(name), cause(err))
		}
	}
	return nil
}

// stage lays the new files and copies of the old ones ready and writes the
// journal.
func (h *Home) stage(root *os.Root, reason string, old, f files) (*journal, error) {
	discard(root) // what an interrupted one left before its journal was written
	j := &journal{}
	for _, name := range slices.Sorted(maps.Keys(f)) {
		e := entry{Name: name, New: f[name] != nil, Old: old[name] != nil}
		if e.New {
			if err := writeFile(root, path.Join(stageNew, name), f[name]); err != nil {
				return nil, err
			}
		}
		if e.Old {
			if j.Backup == "" {
				j.Backup = h.backupName()
			}
			if err := writeFile(root, path.Join(stageOld, name), old[name]); err != nil {
				return nil, err
			}
		}
		j.Files = append(j.Files, e)
	}
	if reason != "" && j.Backup != "" {
		if err := writeAbout(root, reason, old, f); err != nil {
			return nil, err
		}
	}
	return j, j.write(root)
}

// backupName is a name for a folder of former files that is not taken yet: the
// time in UTC.
func (h *Home) backupName() string {
	stamp := h.now().UTC().Format("20060102-150405")
	name := stamp
	for n := 2; ; n++ {
		if _, err := os.Lstat(h.Path(backupsFolder, name)); err != nil {
			return name
		}
		name = stamp + "-" + strconv.Itoa(n)
	}
}

// settle finishes a replacement that was interrupted, if there is one, and
// waits for one that is under way.
func (h *Home) settle() error {
	if _, err := os.Lstat(h.Path(journalFile)); err != nil {
		return nil //nolint:nilerr // none, or the home cannot be looked into: reading it will say so
	}
	return h.exclusively(func(*os.Root) error { return nil }) // which begins by settling
}
