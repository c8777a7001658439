package install

import "syscall"

// apart keeps a console's Ctrl-C from a program: it is for this one, which lets
// its programs end in order.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}
