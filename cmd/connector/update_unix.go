//go:build unix

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// onlyOurs returns a file's own path, or an error when others than root, or than
// whoever asks, could have written it: the configuration that names it may be a
// service's account's, and what it says is believed about the program that root
// runs.
func onlyOurs(file string) (string, error) {
	file, err := filepath.EvalSymlinks(file)
	if err != nil {
		return "", err
	}
	for name := file; ; name = filepath.Dir(name) {
		info, err := os.Lstat(name)
		if err != nil {
			return "", err
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		shared := info.Mode().Perm()&0o022 != 0 && (name == file || info.Mode()&fs.ModeSticky == 0)
		if !ok || stat.Uid != 0 && int(stat.Uid) != os.Geteuid() || shared || info.Mode()&fs.ModeSymlink != 0 {
			return "", fmt.Errorf("others than the administrator may write to %s", name)
		}
		if name == filepath.Dir(name) {
			return file, nil
		}
	}
}

// lives reports whether there is such a process.
func lives(process int) bool {
	err := syscall.Kill(process, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
