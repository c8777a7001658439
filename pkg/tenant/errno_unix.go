//go:build unix

package tenant

import "syscall"

// What the system says when a connection does not come about.
const (
	refused         = syscall.ECONNREFUSED
	reset           = syscall.ECONNRESET
	aborted         = syscall.ECONNABORTED
	hostUnreachable = syscall.EHOSTUNREACH
	netUnreachable  = syscall.ENETUNREACH
)
