//go:build !linux

package main

import (
	"os"
	"testing"
)

// withoutRights runs do, which root could do anything in.
func withoutRights(t *testing.T, do func(), _ ...string) {
	t.Helper()
	if os.Geteuid() <= 0 {
		t.Skip("it takes a Unix, and another account than root")
	}
	do()
}
