package main

import (
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

const (
	// ownAccount: the system makes an account for each service.
	ownAccount = false
	// shortName: there is no folder for programs that is in everybody's PATH.
	shortName = ""
)

func privileged() bool {
	admins, err := windows.CreateWellKnownSid(windows.WinBuiltinAdministratorsSid)
	if err != nil {
		return true // the manager itself will say so
	}
	member, err := windows.Token(0).IsMember(admins)
	return err != nil || member
}

// serviceArgs are the arguments of the service's program.
func serviceArgs(name, home string) []string {
	return []string{"run", "--home", home, "--service", name}
}

// hangups are what a console that is closed sends: the runtime makes SIGTERM of
// it.
var hangups = []os.Signal{syscall.SIGTERM}
