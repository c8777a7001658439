//go:build unix

package home

import (
	"os"
	"path/filepath"
)

// systemDir is the home of a connector that is not told another: that of the
// packages, or, where only a connector installed by the vendor's instructions
// is to be found, that one's. The root is "" but in tests.
func systemDir(root string) string {
	ours := filepath.Join("/", root, "opt/auth0/ad-ldap")
	adopted := filepath.Join("/", root, "opt/auth0-adldap")
	if info, err := os.Stat(adopted); err == nil && info.IsDir() && !holdsConnector(ours) {
		return adopted
	}
	return ours
}

// instanceDir is the home of another connector on this machine.
func instanceDir(name string) string { return "/opt/auth0/ad-ldap-" + name }
