//go:build unix

package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// An owned is a file as it was before it was given away.
type owned struct {
	dir, name string
	uid, gid  int
}

func entrust(ctx context.Context, u Unit) (Change, error) {
	uid, gid, err := ids(ctx, u.User)
	if err != nil {
		return Change{}, err
	}
	var before []owned
	for _, dir := range append([]string{u.Home}, u.Writable...) {
		given, failed := give(ctx, dir, u.Program, uid, gid)
		before = append(before, given...)
		if failed != nil {
			err = fmt.Errorf("give %s to %s: %w", dir, u.User, failed)
			break
		}
	}
	if len(before) == 0 {
		return Change{}, err
	}
	return Change{undo: func(context.Context) error {
		var left []error
		for _, f := range slices.Backward(before) {
			left = append(left, f.restore())
		}
		return errors.Join(left...)
	}}, err
}

// give changes the owner of what is in dir, but for the program. It follows no
// link: the folder may have been the account's before, and an administrator's
// command must not be led to a file elsewhere.
func give(ctx context.Context, dir, program string, uid, gid int) (given []owned, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }() // a folder's handle has nothing to flush
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || ctx.Err() != nil || filepath.Join(dir, name) == program {
			return errors.Join(err, ctx.Err())
		}
		info, err := root.Lstat(name)
		if err != nil {
			return err
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok || int(stat.Uid) == uid && int(stat.Gid) == gid {
			return nil
		}
		if !d.IsDir() && stat.Nlink > 1 { // its other name may be a file of the system's
			return fmt.Errorf("%s has more than one name", filepath.Join(dir, name))
		}
		given = append(given, owned{dir, name, int(stat.Uid), int(stat.Gid)})
		return root.Lchown(name, uid, gid)
	})
	return given, err
}

// restore gives a file back to whom it belonged. One that is gone needs none.
func (f owned) restore() error {
	root, err := os.OpenRoot(f.dir)
	if err == nil {
		err = errors.Join(root.Lchown(f.name, f.uid, f.gid), root.Close())
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
