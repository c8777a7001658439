//go:build unix

package home

import (
	"path/filepath"
)

// vendorDirs are where the vendor's instructions have put the Node connector,
// over the years.
var vendorDirs = []string{"opt/auth0-adldap", "opt/auth0-ad-ldap"}

// systemDir is the home of a connector that is not told another: that of the
// packages, or, where only a connector installed by the vendor's instructions
// is to be found, that one's. The root is "" but in tests.
func systemDir(root string) string {
	ours := filepath.Join("/", root, "opt/auth0/ad-ldap")
	if holdsConnector(ours) {
		return ours
	}
	for _, dir := range vendorDirs {
		dir = filepath.Join("/", root, dir)
		if _, isNode := FindNode(dir); isNode || holdsConnector(dir) {
			return dir
		}
	}
	return ours
}

// systemDirs are the folders that installers make.
func systemDirs() []string {
	dirs := []string{"/opt/auth0/ad-ldap"}
	for _, dir := range vendorDirs {
		dirs = append(dirs, filepath.Join("/", dir))
	}
	return dirs
}

// instanceDir is the home of another connector on this machine.
func instanceDir(name string) string { return "/opt/auth0/ad-ldap-" + name }

// installLock is in a folder that only root may write to, and that is empty
// after each start of the system.
func installLock() string { return "/var/run/auth0-adldap-install.lock" }
