package main

import (
	"errors"
	"net"
	"syscall"
)

// peerOf says who is at the other end of a unix socket, as the kernel knows it.
func peerOf(conn net.Conn) (uid, pid int, err error) {
	unix, ok := conn.(*net.UnixConn)
	if !ok {
		return 0, 0, errors.New("not a unix socket")
	}
	raw, err := unix.SyscallConn()
	if err != nil {
		return 0, 0, err
	}
	var bad error
	err = raw.Control(func(fd uintptr) {
		var who *syscall.Ucred
		if who, bad = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED); bad == nil {
			uid, pid = int(who.Uid), int(who.Pid)
		}
	})
	return uid, pid, errors.Join(err, bad)
}
