package service

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// unitFolders are where units' files are, and nothing else is put back to.
var unitFolders = []string{
	unitDir, "/run/systemd/system", "/run/systemd/transient", "/usr/local/lib/systemd/system",
	"/usr/lib/systemd/system", "/lib/systemd/system",
}

// linkFolders are where an administrator's links to units are.
var linkFolders = []string{unitDir, "/run/systemd/system"}

// linksTo are the links by which systemd starts a unit with others, or knows it
// by another name.
func linksTo(unit string) []string {
	var found []string
	look := func(dir string, wanted func(name, target string) bool) {
		entries, _ := os.ReadDir(dir) // one that is not there has none
		for _, e := range entries {
			name := filepath.Join(dir, e.Name())
			if e.Type() != fs.ModeSymlink {
				continue
			}
			if target, err := os.Readlink(name); err == nil && wanted(e.Name(), target) {
				found = append(found, name)
			}
		}
	}
	for _, folder := range linkFolders {
		look(folder, func(name, target string) bool { return name != unit && filepath.Base(target) == unit })
		entries, _ := os.ReadDir(folder)
		for _, e := range entries {
			if kind := filepath.Ext(e.Name()); e.IsDir() && slices.Contains([]string{".wants", ".requires", ".upholds"}, kind) {
				look(filepath.Join(folder, e.Name()), func(name, _ string) bool { return name == unit })
			}
		}
	}
	return found
}

// keep reads a file, or a link, so that it can be put back.
func keep(name string) (Kept, error) {
	info, err := os.Lstat(name)
	if err != nil {
		return Kept{}, err
	}
	k := Kept{Path: name, Mode: uint32(info.Mode().Perm())}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		k.UID, k.GID = int(stat.Uid), int(stat.Gid)
	}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		k.Link, err = os.Readlink(name)
	case info.Mode().IsRegular() && info.Size() < 1<<20:
		k.Data, err = os.ReadFile(name)
	default:
		err = fmt.Errorf("%s is no unit's file", name)
	}
	return k, err
}

// same reports whether what lies there is what was kept.
func (k Kept) same() bool {
	now, err := keep(k.Path)
	return err == nil && now.Link == k.Link && bytes.Equal(now.Data, k.Data)
}

// takeAway removes what was kept, and the folder of drop-ins that it leaves
// empty. What has changed since stays, and is an error.
func takeAway(k Kept) error {
	if _, err := os.Lstat(k.Path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if !k.same() {
		return fmt.Errorf("%s has changed meanwhile", k.Path)
	}
	if err := os.Remove(k.Path); err != nil {
		return err
	}
	if dir := filepath.Dir(k.Path); strings.HasSuffix(dir, ".service.d") {
		_ = os.Remove(dir) // it may hold more
	}
	return nil
}

// putBack makes a file or a link what it was. One that is there is left: an
// administrator may have changed it.
func (k Kept) putBack() error {
	if !filepath.IsAbs(k.Path) || filepath.Clean(k.Path) != k.Path || !within(unitFolders, k.Path) {
		return fmt.Errorf("%q is no place for a unit", k.Path)
	}
	if _, err := os.Lstat(k.Path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(k.Path), 0o755); err != nil { //nolint:gosec // systemd's folders are for all to read
		return err
	}
	if k.Link != "" {
		return os.Symlink(k.Link, k.Path)
	}
	if err := replaceFile(k.Path, k.Data); err != nil {
		return err
	}
	return errors.Join(os.Lchown(k.Path, k.UID, k.GID), os.Chmod(k.Path, fs.FileMode(k.Mode)&fs.ModePerm))
}
