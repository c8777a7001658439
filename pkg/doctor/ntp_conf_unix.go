//go:build unix

package doctor

import (
	"context"
	"os"
	"syscall"
)

// errRefused is what a host says that has nobody on a port.
const errRefused = syscall.ECONNREFUSED

// configuredServers returns the time servers that this machine asks.
func configuredServers(context.Context) ([]TimeServer, error) {
	return serversIn(os.DirFS("/")), nil
}
