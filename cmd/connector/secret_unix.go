//go:build unix

package main

import "os"

// worldReadable reports whether the mode lets everybody read.
func worldReadable(info os.FileInfo) bool { return info.Mode().Perm()&0o004 != 0 }
