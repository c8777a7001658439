//go:build unix

package main

import "syscall"

// canSignal reports whether a process can be stopped, and told to reload.
const canSignal = true

func stopProcess(pid int) error     { return syscall.Kill(pid, syscall.SIGSTOP) }
func continueProcess(pid int) error { return syscall.Kill(pid, syscall.SIGCONT) }
func endProcess(pid int) error      { return syscall.Kill(pid, syscall.SIGTERM) }
