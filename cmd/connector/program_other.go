//go:build !linux

package main

import "os"

// ownProgram is the program of this process, by the name that it was started by.
func ownProgram() (string, error) { return os.Executable() }
