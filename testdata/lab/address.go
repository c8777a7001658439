package lab

import (
	"fmt"
	"net"
	"testing"
)

// sambaPorts are those that Samba's parts listen on: DNS, Kerberos, LDAP, the
// global catalog.
var sambaPorts = []int{53, 88, 389, 464, 636, 3268, 3269}

// reserveAddress returns a loopback address on which all these TCP ports are
// free, and keeps it from other tests until this one ends. An abstract socket
// of that name (unix(7)) is the mark: it goes with the process, and is known
// just as far as the address is.
func reserveAddress(t testing.TB, ports []int) string {
	t.Helper()
	for last := 2; last < 250; last++ {
		address := fmt.Sprintf("127.0.77.%d", last)
		mark, err := net.Listen("unix", "@connector-lab-"+address)
		if err != nil {
			continue // another test's
		}
		if free(address, ports) {
			t.Cleanup(func() { _ = mark.Close() })
			return address
		}
		_ = mark.Close() // nobody had come
	}
	t.Fatalf("no loopback address has the ports %v free: does a server listen on all addresses?", ports)
	return ""
}

func free(address string, ports []int) bool {
	for _, port := range ports {
		l, err := net.Listen("tcp", net.JoinHostPort(address, fmt.Sprint(port)))
		if err != nil {
			return false
		}
		_ = l.Close() // nobody had come
	}
	return true
}
