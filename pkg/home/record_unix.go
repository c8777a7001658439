//go:build unix

package home

import (
	"io/fs"
	"syscall"
)

// manyNames reports whether a file is known by other names too.
func manyNames(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Nlink > 1
}
