//go:build !linux

package lab

import "os/exec"

// tie has no equal here: servers of killed tests must be ended by hand.
func tie(*exec.Cmd) {}
