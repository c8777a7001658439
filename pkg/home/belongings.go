package home

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// ours are the files and folders that the connector writes, with all that is in
// them. The folder lib may be another program's; the mapper in it is ours.
var ours = []string{configFile, "certs", libFolder, stateFolder, logsFolder, backupsFolder, caFolder, waiversFile, stageFolder}

// Belongings lists the files and folders of the home that are the connector's,
// with slashes, those above before those below: what its account must be able
// to read and write. The program is not among them.
func (h *Home) Belongings() ([]string, error) {
	root, err := os.OpenRoot(h.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look into the home %s: %w", h.dir, cause(err))
	}
	defer func() { _ = root.Close() }() // a folder's handle has nothing to flush
	var found []string
	for _, top := range ours {
		// Not by WalkDir, which follows a link at its beginning: to the program,
		// if the account has made it.
		if info, err := root.Lstat(top); err == nil && !info.IsDir() {
			found = append(found, top)
			continue
		}
		err := fs.WalkDir(root.FS(), top, func(name string, d fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return nil // gone in this moment, or never there
			case err != nil:
				return err
			case top == libFolder && name != libFolder && name != mapperFile:
				if d.IsDir() {
					return fs.SkipDir
				}
				return nil
			}
			found = append(found, name)
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("look into the home %s: %w", h.dir, cause(err))
		}
	}
	return found, nil
}

// RemoveSince takes away what has become the connector's since Belongings
// returned before, but for what is to be kept. What cannot be removed because
// something else is in it stays.
func (h *Home) RemoveSince(before []string, keep ...string) error {
	now, err := h.Belongings()
	if err != nil || len(now) == 0 {
		return err
	}
	root, err := os.OpenRoot(h.dir)
	if err != nil {
		return fmt.Errorf("open the home %s: %w", h.dir, cause(err))
	}
	defer func() { _ = root.Close() }() // the same
	var left []error
	for _, name := range slices.Backward(now) { // what is in a folder before it
		if slices.Contains(before, name) || slices.Contains(keep, name) {
			continue
		}
		info, err := root.Lstat(name)
		if err == nil {
			err = root.Remove(name)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) && (info == nil || !info.IsDir() || isEmpty(h.Path(name))) {
			left = append(left, fmt.Errorf("remove %s: %w", h.Path(name), cause(err)))
		}
	}
	return errors.Join(left...)
}

// KeyPair are the names of the files that hold the key pair, for RemoveSince.
var KeyPair = []string{certFile, keyFile}

// Purge takes away all that is the connector's, the program too, and what would
// give the home back to a former connector, whose secrets it holds, and the folder
// when nothing else is in it. It returns what else there is, "" if the folder
// is gone.
func (h *Home) Purge() (left string, err error) {
	if filepath.Dir(h.dir) == h.dir {
		return "", fmt.Errorf("remove the home %s: it is the root of a file system", h.dir)
	}
	if !h.Exists() {
		return "", nil
	}
	if err := errors.Join(h.RemoveProgram(), h.RemoveFormer(), h.RemoveSecrets(), h.RemoveSince(nil)); err != nil {
		return "", err
	}
	if !isEmpty(h.dir) {
		return h.dir, nil
	}
	if err := os.Remove(h.dir); err != nil {
		return "", fmt.Errorf("remove the home %s: %w", h.dir, cause(err))
	}
	if above := filepath.Dir(h.dir); above == filepath.Dir(systemDir("")) && isEmpty(above) {
		_ = os.Remove(above) // /opt/auth0 is nobody else's, and is not missed
	}
	return "", nil
}

// Missing lists the folders that Create would make, the innermost first.
func (h *Home) Missing() []string {
	var missing []string
	for dir := h.dir; filepath.Dir(dir) != dir; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(dir); err == nil {
			break
		}
		missing = append(missing, dir)
	}
	return missing
}
