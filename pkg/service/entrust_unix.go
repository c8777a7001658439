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
	"strings"
	"syscall"
)

// shared is the mode of a home that belongs to root, and in which the account's
// group may make files: the sticky bit keeps it from replacing those of others.
// Others may pass through, for the program is in it, and see nothing.
const shared = 0o771 | fs.ModeSticky

// A held is a file as it was before it was given away, or is to be.
type held struct {
	name     string // below the home; "." is the home itself
	uid, gid int
	mode     fs.FileMode // only of the home; 0: as it is
}

func entrust(ctx context.Context, u Unit) (Change, error) {
	uid, gid, err := ids(ctx, u.User)
	if err != nil {
		return Change{}, err
	}
	c, err := hand(ctx, u, u.User, held{uid: 0, gid: gid, mode: shared}, held{uid: uid, gid: gid})
	if err == nil { // only now has whoever had the home before no more to say there
		err = guarded(u)
	}
	return c, err
}

// guarded is an error when others than root could put another program in the
// place of the service's in its home: an administrator runs it too.
func guarded(u Unit) error {
	below, err := filepath.Rel(u.Home, u.Program)
	if err != nil || !filepath.IsLocal(below) {
		return nil // it is elsewhere
	}
	root, err := os.OpenRoot(u.Home)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // a folder's handle has nothing to flush
	names := []string{below}
	for dir := filepath.Dir(below); dir != "."; dir = filepath.Dir(dir) {
		names = append(names, dir)
	}
	for _, name := range slices.Backward(names) {
		info, err := root.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok || stat.Uid != 0 || info.Mode()&fs.ModeSymlink != 0 || info.Mode().Perm()&0o022 != 0 {
			return fmt.Errorf("%s is not root's alone, so that another program could be put there; remove it", filepath.Join(u.Home, name))
		}
	}
	return nil
}

func reclaim(ctx context.Context, u Unit) (Change, error) {
	return hand(ctx, u, "root", held{mode: 0o700}, held{})
}

// hand gives the home, and what is owned in it, to others.
func hand(ctx context.Context, u Unit, whom string, home, owned held) (Change, error) {
	root, err := os.OpenRoot(u.Home)
	if err != nil {
		return Change{}, err
	}
	defer func() { _ = root.Close() }() // a folder's handle has nothing to flush
	todo, before, err := outstanding(root, u, home, owned)
	if err != nil || len(todo) == 0 {
		return Change{}, err
	}
	c := Change{undo: func(context.Context) error { return giveBack(u.Home, before) }}
	for _, h := range todo {
		if err := errors.Join(ctx.Err(), h.put(root)); err != nil {
			return c, fmt.Errorf("give %s to %s: %w", filepath.Join(u.Home, h.name), whom, err)
		}
	}
	return c, nil
}

func entrusted(ctx context.Context, u Unit) (bool, error) {
	root, err := os.OpenRoot(u.Home)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = root.Close() }() // the same
	uid, gid, err := ids(ctx, u.User)
	if err != nil {
		return false, err
	}
	todo, _, err := outstanding(root, u, held{uid: 0, gid: gid, mode: shared}, held{uid: uid, gid: gid})
	return err == nil && len(todo) == 0 && guarded(u) == nil, err
}

// outstanding lists what is not yet as it is to be, and how it is now. It
// follows no link: the folder may have been the account's before, and an
// administrator's command must not be led to a file elsewhere.
func outstanding(root *os.Root, u Unit, home, owned held) (todo, before []held, err error) {
	home.name = "."
	want := []held{home}
	for _, name := range u.Owned {
		owned.name = name
		want = append(want, owned)
	}
	for _, h := range want {
		var info fs.FileInfo
		err := inside(root, h.name, func(dir *os.Root, name string) (err error) {
			info, err = dir.Lstat(name)
			return err
		})
		if errors.Is(err, fs.ErrNotExist) && h.name != "." {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return nil, nil, fmt.Errorf("%s: the system does not say whose it is", filepath.Join(u.Home, h.name))
		}
		now := held{name: h.name, uid: int(stat.Uid), gid: int(stat.Gid)}
		if h.mode != 0 {
			now.mode = info.Mode() & (fs.ModePerm | fs.ModeSticky | fs.ModeSetgid | fs.ModeSetuid)
		}
		if now == h {
			continue
		}
		if !info.IsDir() && stat.Nlink > 1 { // its other name may be a file of the system's
			return nil, nil, fmt.Errorf("%s has more than one name", filepath.Join(u.Home, h.name))
		}
		todo, before = append(todo, h), append(before, now)
	}
	return todo, before, nil
}

func (h held) put(root *os.Root) error {
	return inside(root, h.name, func(dir *os.Root, name string) error {
		if err := dir.Lchown(name, h.uid, h.gid); err != nil || h.mode == 0 {
			return err
		}
		return dir.Chmod(name, h.mode)
	})
}

// inside calls do with the folder that name is in, which it reaches through no
// link: one that stays in the home may still lead to the program.
func inside(root *os.Root, name string, do func(dir *os.Root, name string) error) error {
	first, rest, deeper := strings.Cut(filepath.ToSlash(name), "/")
	if !deeper {
		return do(root, first)
	}
	dir, err := root.OpenRoot(first)
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }() // the same
	opened, err := dir.Stat(".")
	if err != nil {
		return err
	}
	if there, err := root.Lstat(first); err != nil || !os.SameFile(there, opened) {
		return fmt.Errorf("%s is a link, and not followed", first)
	}
	return inside(dir, rest, do)
}

// giveBack gives files back to whom they belonged. Those that are gone need
// none.
func giveBack(home string, before []held) error {
	root, err := os.OpenRoot(home)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // the same
	var left []error
	for _, h := range slices.Backward(before) {
		if err := h.put(root); err != nil && !errors.Is(err, fs.ErrNotExist) {
			left = append(left, err)
		}
	}
	return errors.Join(left...)
}
