package main

import "os"

// ownProgram is the program of this process, also once another one has its name:
// a connector and its children must be of one version.
func ownProgram() (string, error) {
	const itself = "/proc/self/exe"
	program, err := os.Executable()
	if own, lost := os.Stat(itself); lost == nil {
		if there, gone := os.Stat(program); err != nil || gone != nil || !os.SameFile(own, there) {
			return itself, nil //nolint:nilerr // its name is of no use, whatever the reason
		}
	}
	return program, err
}
