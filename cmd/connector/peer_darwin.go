package main

import (
	"errors"
	"net"

	"golang.org/x/sys/unix"
)

// peerOf says who is at the other end of a unix socket, as the kernel knows it.
func peerOf(conn net.Conn) (uid, pid int, err error) {
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		return 0, 0, errors.New("not a unix socket")
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0, 0, err
	}
	var bad error
	err = raw.Control(func(fd uintptr) {
		var who *unix.Xucred
		if who, bad = unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED); bad == nil {
			uid = int(who.Uid)
			pid, bad = unix.GetsockoptInt(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERPID)
		}
	})
	return uid, pid, errors.Join(err, bad)
}
