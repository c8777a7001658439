//go:build unix

package home

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"
)

// exposed looks at the modes: what the folder above keeps others from, they
// cannot reach.
func (h *Home) exposed() ([]string, error) {
	info, err := os.Stat(h.dir)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 == 0 {
		return nil, nil
	}
	var exposed []string
	if info.Mode().Perm()&0o022 != 0 && !sharedWith(info) {
		exposed = append(exposed, fmt.Sprintf("%s: others can write there (mode %04o)", h.dir, info.Mode().Perm()))
	}
	look := func(forbidden fs.FileMode, what string) func(string, fs.FileInfo) {
		return func(name string, info fs.FileInfo) {
			if mode := info.Mode().Perm(); mode&forbidden != 0 {
				exposed = append(exposed, fmt.Sprintf("%s: others can %s it (mode %04o)", h.Path(name), what, mode))
			}
		}
	}
	err = errors.Join(h.statAll(slices.Concat(secretFiles, privateFiles), look(0o066, "read or write")), h.statAll(trustedFiles, look(0o022, "write")))
	return exposed, err
}

// sharedWith reports whether a home is root's, shared with the one account
// whose group it has: the sticky bit keeps it to its own files.
func sharedWith(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Uid == 0 && info.Mode()&os.ModeSticky != 0 && info.Mode().Perm()&0o002 == 0
}
