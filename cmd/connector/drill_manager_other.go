//go:build !linux

package main

// startManager has nothing to start: elsewhere no process takes the place of
// another one under its service manager.
func startManager() (socket string, closing func() error, err error) {
	return "", func() error { return nil }, nil
}
