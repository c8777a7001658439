//go:build unix

package install

import "syscall"

// apart keeps a terminal's signals from a program: they are for this one, which
// lets its programs end in order.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
