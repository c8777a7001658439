package lab

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// sambaPorts are those that Samba's parts listen on: DNS, Kerberos, LDAP, the
// global catalog.
var sambaPorts = []int{53, 88, 389, 464, 636, 3268, 3269}

// reserveAddress returns a loopback address on which all these TCP ports are
// free, and keeps it from other tests until this one ends.
func reserveAddress(t testing.TB, ports []int) string {
	t.Helper()
	dir := filepath.Join(os.TempDir(), "connector-lab-addresses")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for last := 2; last < 250; last++ {
		address := fmt.Sprintf("127.0.77.%d", last)
		unlock, err := lockFile(filepath.Join(dir, address), false)
		if err != nil {
			continue // another test's
		}
		if free(address, ports) {
			t.Cleanup(unlock)
			return address
		}
		unlock()
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
