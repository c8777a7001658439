//go:build unix

package main

import (
	"errors"
	"syscall"
)

// lives reports whether there is such a process.
func lives(process int) bool {
	err := syscall.Kill(process, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
