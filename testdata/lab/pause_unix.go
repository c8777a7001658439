//go:build unix

package lab

import (
	"os"
	"syscall"
)

// stopProcess makes a process hang, as if its machine did.
func stopProcess(p *os.Process) error { return p.Signal(syscall.SIGSTOP) }

// continueProcess ends that.
func continueProcess(p *os.Process) error { return p.Signal(syscall.SIGCONT) }
