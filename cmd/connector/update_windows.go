package main

import "golang.org/x/sys/windows"

// lives reports whether there is such a process.
func lives(process int) bool {
	h, err := windows.OpenProcess(windows.SYNCHRONIZE, false, uint32(process)) //nolint:gosec // it came from the system
	if err != nil {
		return false
	}
	defer func() { _ = windows.CloseHandle(h) }() // nothing is left to do with it
	event, err := windows.WaitForSingleObject(h, 0)
	return err == nil && event == uint32(windows.WAIT_TIMEOUT)
}
