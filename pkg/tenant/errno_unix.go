//go:build unix

package tenant

import "syscall"

// What the system says when a connection does not come about.
const (
	refused         = syscall.ECONNREFUSED
	reset           = syscall.ECONNRESET
	aborted         = syscall.ECONNABORTED
	broken          = syscall.EPIPE
	hostUnreachable = syscall.EHOSTUNREACH
	netUnreachable  = syscall.ENETUNREACH
)
