package home

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"
)

// Names of files being written: ".NAME.HEX.tmp" beside the file itself.
const (
	tempPrefix = "."
	tempSuffix = ".tmp"
)

// write replaces one file of the home in one rename, making the home and the
// folder if need be.
func (h *Home) write(name string, data []byte) error {
	if len(data) > maxFile { // else it could not be read again
		return fmt.Errorf("write %s: it is larger than %d MiB", h.Path(name), maxFile>>20)
	}
	err := h.exclusively(func(root *os.Root) error { return cause(writeFile(root, name, data)) })
	if err != nil {
		return fmt.Errorf("write %s: %w", h.Path(name), err)
	}
	return nil
}

// exclusively runs do while no other process writes to the home, whose folder
// it makes if need be. All writing goes through the os.Root: the home may
// belong to a service's account, and an administrator's command must not follow
// a link that leads out of it.
func (h *Home) exclusively(do func(*os.Root) error) error {
	if !h.Exists() {
		if err := h.Create(); err != nil {
			return err
		}
	}
	root, err := os.OpenRoot(h.dir)
	if err != nil {
		return fmt.Errorf("open the home %s: %w", h.dir, cause(err))
	}
	defer func() { _ = root.Close() }() // a folder's handle has nothing to flush
	unlock, err := h.lockWrites(root)
	if err != nil {
		return err
	}
	defer unlock()
	if err := recoverReplace(root, h.dir); err != nil {
		return err
	}
	return do(root)
}

// writeFile makes name hold data: a temporary file beside it, flushed to disk,
// is renamed over it. Until then the old file is untouched, and afterwards
// nothing of it is left. The file is for its owner alone, who is the owner of
// the home.
func writeFile(root *os.Root, name string, data []byte) (err error) {
	if err := makeFolder(root, path.Dir(name)); err != nil {
		return err
	}
	random := make([]byte, 8)
	_, _ = rand.Read(random) // documented never to fail
	temp := path.Join(path.Dir(name), tempPrefix+path.Base(name)+"."+hex.EncodeToString(random)+tempSuffix)
	f, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = root.Remove(temp) // the first error is the one to tell; Open removes leftovers
		}
	}()
	if err := fill(root, f, data); err != nil {
		return err
	}
	if err := rename(root, temp, name); err != nil {
		return err
	}
	return syncFolder(root, path.Dir(name))
}

func fill(root *os.Root, f *os.File, data []byte) error {
	_, err := f.Write(data)
	return errors.Join(err, f.Chmod(0o600), adopt(root, f), f.Sync(), f.Close())
}

// makeFolder makes a folder of the home, for its owner alone, and those above
// it. One that is there and lets others in is tightened, but for lib, which
// holds the program itself where the existing connector was installed.
func makeFolder(root *os.Root, name string) error {
	if name == "." {
		return nil
	}
	if err := makeFolder(root, path.Dir(name)); err != nil {
		return err
	}
	err := root.Mkdir(name, 0o700)
	if errors.Is(err, fs.ErrExist) {
		if info, err := root.Lstat(name); err == nil && name != libFolder && info.IsDir() && info.Mode().Perm()&0o077 != 0 {
			// Somebody else's folder cannot be tightened; the files in it are.
			if f, err := openItself(root, name); err == nil {
				_ = errors.Join(f.Chmod(0o700), f.Close())
			}
		}
		return nil // a file of that name shows when the folder is used
	}
	if err != nil {
		return err
	}
	f, err := openItself(root, name)
	if err != nil {
		return err
	}
	return errors.Join(adopt(root, f), f.Close(), syncFolder(root, path.Dir(name)))
}

// openItself opens a folder, or a file for writing too, and nothing that a link
// leads to: within the home that may be the program.
func openItself(root *os.Root, name string) (*os.File, error) {
	there, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !there.IsDir() && !there.Mode().IsRegular() {
		return nil, errors.New("it is neither a file nor a folder")
	}
	how := os.O_RDWR
	if there.IsDir() {
		how = os.O_RDONLY
	}
	f, err := root.OpenFile(name, how, 0)
	if err != nil {
		return nil, err
	}
	opened, err := f.Stat()
	if there, again := root.Lstat(name); err == nil && (again != nil || !os.SameFile(there, opened)) {
		err = errors.New("it has been replaced meanwhile")
	}
	if err != nil {
		_ = f.Close() // nothing was written
		return nil, err
	}
	return f, nil
}

// rename renames within the home, replacing what is there. On Windows a
// virus scanner or an indexer that has just opened the file lets go of it after
// a moment, for which there is no signal to wait on.
func rename(root *os.Root, from, to string) error {
	err := root.Rename(from, to)
	for pause := 5 * time.Millisecond; isTransient(err) && pause < time.Second; pause *= 2 {
		<-time.After(pause)
		err = root.Rename(from, to)
	}
	return err
}

// sweep removes what interrupted writes left behind. It leaves everything to a
// process that is writing now, and to somebody who may, and so has no error to
// report: the leftovers do no harm.
func (h *Home) sweep() {
	var found []string
	for _, folder := range []string{".", "certs", libFolder, stateFolder, secretsFolder} {
		entries, err := os.ReadDir(h.Path(folder))
		if err != nil {
			continue
		}
		for _, e := range entries {
			if isTemp(e.Name()) && e.Type().IsRegular() {
				found = append(found, path.Join(folder, e.Name()))
			}
		}
	}
	if _, err := os.Lstat(h.Path(stageFolder)); err == nil {
		found = append(found, stageFolder)
	}
	if len(found) == 0 {
		return
	}
	_ = h.exclusively(func(root *os.Root) error {
		for _, name := range found {
			_ = root.RemoveAll(name)
		}
		return nil
	})
}

// isTemp recognises the names that writeFile makes, and no others: the folder
// may hold files of its owner.
func isTemp(name string) bool {
	name, ok := strings.CutSuffix(name, tempSuffix)
	if !ok || !strings.HasPrefix(name, tempPrefix) {
		return false
	}
	digits := name[strings.LastIndexByte(name, '.')+1:]
	_, err := hex.DecodeString(digits)
	return err == nil && len(digits) == 16
}
