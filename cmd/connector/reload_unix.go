//go:build unix

package main

import "syscall"

// reload makes the connector with this process id read its home again.
func reload(pid int) error { return syscall.Kill(pid, syscall.SIGHUP) }
