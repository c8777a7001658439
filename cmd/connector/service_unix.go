//go:build unix

package main

import (
	"os"
	"syscall"
)

const (
	// ownAccount: a service runs under an account that the connector makes.
	ownAccount = true
	// shortName is where administrators look for programs.
	shortName = "/usr/local/bin/connector"
)

func privileged() bool { return os.Geteuid() == 0 }

// serviceArgs are the arguments of the service's program.
func serviceArgs(_, home string) []string { return []string{"run", "--home", home} }

// hangups are what a terminal that is closed sends.
var hangups = []os.Signal{syscall.SIGHUP}
