package home

import (
	"path/filepath"

	"golang.org/x/sys/windows"
)

// systemDir is the home of a connector that is not told another: where the
// vendor's installer has always put it, whichever program is 32-bit. The root
// stands in for the folder of programs, and is "" but in tests.
func systemDir(root string) string {
	if root == "" {
		// On 32-bit Windows the folder has no (x86) and is found as well.
		programs, err := windows.KnownFolderPath(windows.FOLDERID_ProgramFilesX86, windows.KF_FLAG_DEFAULT)
		if err != nil {
			programs = `C:\Program Files (x86)`
		}
		root = programs
	}
	return filepath.Join(root, "Auth0", "AD LDAP Connector")
}

// instanceDir is the home of another connector on this machine.
func instanceDir(name string) string { return systemDir("") + " " + name }

// installLock is in a folder that only administrators may write to.
func installLock() string {
	dir, err := windows.KnownFolderPath(windows.FOLDERID_Windows, windows.KF_FLAG_DEFAULT)
	if err != nil {
		dir = `C:\Windows`
	}
	return filepath.Join(dir, "Temp", "auth0-adldap-install.lock")
}
