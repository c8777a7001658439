package tenant

import "golang.org/x/sys/windows"

// What the system says when a connection does not come about. The syscall
// package's own names are invented numbers on Windows, which no call returns.
const (
	refused         = windows.WSAECONNREFUSED
	reset           = windows.WSAECONNRESET
	aborted         = windows.WSAECONNABORTED
	broken          = windows.ERROR_BROKEN_PIPE
	hostUnreachable = windows.WSAEHOSTUNREACH
	netUnreachable  = windows.WSAENETUNREACH
)
