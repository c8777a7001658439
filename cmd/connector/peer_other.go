//go:build unix && !linux && !darwin

package main

import "net"

// peerOf does not know here who asks, and so nobody is answered.
func peerOf(net.Conn) (uid, pid int, err error) { return 0, 0, errNoPorter }
