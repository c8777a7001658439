package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
)

// startManager takes what nodes tell their service manager, in the place of one:
// a node that nobody manages cannot be told to restart. The caller closes it.
func startManager() (socket string, closing func() error, err error) {
	dir, err := os.MkdirTemp("", "drill-") // a socket's path must be short
	if err != nil {
		return "", nil, err
	}
	socket = filepath.Join(dir, "s")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for b := make([]byte, 4096); ; {
			if _, err := conn.Read(b); err != nil { // it is enough that somebody hears
				return
			}
		}
	}()
	return socket, func() error {
		err := conn.Close()
		<-ended
		return errors.Join(err, os.RemoveAll(dir))
	}, nil
}
