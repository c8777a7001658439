package lab

import (
	"os/exec"
	"syscall"
)

// tie lets the system end the server when the thread that started it ends, so
// that no server outlives a test that was killed.
func tie(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
