//go:build unix

package home

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// syncFolder flushes a folder, without which a rename may be undone by a
// crash of the machine.
func syncFolder(root *os.Root, name string) error {
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	err = f.Sync()
	if errors.Is(err, syscall.EINVAL) { // some network file systems know no such thing
		err = nil
	}
	return errors.Join(err, f.Close())
}

// adopt gives a new file or folder to the owner of the home when root made it:
// the service that runs under that account must be able to read what an
// administrator's command wrote. A home with the sticky bit is root's, and
// shared with an account, which owns the state in it, or what else there is.
func adopt(root *os.Root, f *os.File) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := root.Stat(".")
	if err != nil {
		return err
	}
	owners := []string{"."}
	if info.Mode()&os.ModeSticky != 0 {
		owners = ours
	}
	for _, name := range owners {
		info, err := root.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if owner, ok := info.Sys().(*syscall.Stat_t); ok && (owner.Uid != 0 || owner.Gid != 0) {
			return f.Chown(int(owner.Uid), int(owner.Gid))
		}
	}
	return nil
}

// isShared reports whether root is to distrust what lies in a folder: somebody
// else can put links there.
func isShared(dir string) bool {
	info, err := os.Stat(dir)
	if err != nil || os.Geteuid() != 0 {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return !ok || stat.Uid != 0 || info.Mode()&os.ModeSticky != 0
}

// isTransient is never so: a rename does not mind who has the file open.
func isTransient(error) bool { return false }

// tighten keeps others out of a folder. One with the sticky bit is meant for
// everybody, and was made a home by mistake.
func tighten(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o077 == 0 || info.Mode()&os.ModeSticky != 0 {
		return nil
	}
	return os.Chmod(dir, 0o700) //nolint:gosec // a folder needs the x
}

// isPrivate reports whether only the owner may read and write a file.
func isPrivate(info os.FileInfo) bool { return info.Mode().Perm() == 0o600 }

// putAside gives a program that is to be replaced a second name, so that there
// is one under the first at every moment.
func putAside(name, aside string) error { return os.Link(name, aside) }
