//go:build unix

package home

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// A mark says whose a file is, and who may use it.
type mark struct {
	Name string      `json:"name"` // below the home, with slashes; "." is the home
	UID  int         `json:"uid"`
	GID  int         `json:"gid"`
	Mode fs.FileMode `json:"mode"`
}

// modes are the bits of a mode that Chmod sets.
const modes = fs.ModePerm | fs.ModeSticky | fs.ModeSetgid | fs.ModeSetuid

func (h *Home) markOf(root *os.Root, name string) (mark, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return mark{}, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return mark{}, errors.New("the system does not say whose it is")
	}
	return mark{name, int(stat.Uid), int(stat.Gid), info.Mode()}, nil
}

// putMark follows no link: the folder belongs to an account.
func (h *Home) putMark(root *os.Root, m mark) error {
	info, err := root.Lstat(m.Name)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if ok && !info.IsDir() && stat.Nlink > 1 { // its other name may be a file of the system's
		return errors.New("it has more than one name")
	}
	if err := root.Lchown(m.Name, m.UID, m.GID); err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 || m.Mode&fs.ModeSymlink != 0 {
		return nil
	}
	return root.Chmod(m.Name, m.Mode&modes)
}

// trusted is an error when others than root and the current user may write a
// file.
func trusted(root *os.Root, name string) error {
	info, err := root.Lstat(name)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Uid != 0 && int(stat.Uid) != os.Geteuid() || info.Mode().Perm()&0o022 != 0 || info.Mode()&fs.ModeSymlink != 0 {
		return fmt.Errorf("%s is not root's alone, and is not believed", name)
	}
	return nil
}
