package lab

import "testing"

// Node is the program that the existing connector is written for.
func Node(t testing.TB) string {
	t.Helper()
	const program = "/usr/bin/node"
	need(t, "nodejs", program)
	return program
}
