//go:build unix

package home

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// secrets opens the folder of the stores, which it makes if told to. In a home
// that an account may write to, that one must not have made it: systemd would
// hand it whatever a link in it leads to, with root's rights.
func (h *Home) secrets(root *os.Root, mayMake bool) (*os.Root, error) {
	if mayMake {
		if err := root.Mkdir(secretsFolder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("make %s: %w", h.Path(secretsFolder), cause(err))
		}
	}
	there, err := root.Lstat(secretsFolder)
	if err != nil {
		return nil, fmt.Errorf("look at %s: %w", h.Path(secretsFolder), cause(err))
	}
	stat, ok := there.Sys().(*syscall.Stat_t)
	if !ok || !there.IsDir() || there.Mode().Perm()&0o077 != 0 || stat.Uid != 0 && int(stat.Uid) != os.Geteuid() {
		return nil, fmt.Errorf("%s is not the administrator's alone; remove it", h.Path(secretsFolder))
	}
	folder, err := root.OpenRoot(secretsFolder)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", h.Path(secretsFolder), cause(err))
	}
	opened, err := folder.Stat(".")
	if err == nil && !os.SameFile(there, opened) {
		err = errors.New("it has been replaced meanwhile")
	}
	if err != nil {
		_ = folder.Close() // nothing was done in it
		return nil, fmt.Errorf("open %s: %w", h.Path(secretsFolder), cause(err))
	}
	return folder, nil
}
