package main

import (
	"errors"
	"path/filepath"
	"testing"
)

// What LDAP_URL may be, --ldap-url may be, too; a domain has no address of its
// own to look up.
func TestDoctorTakesADomain(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	for url, names := range map[string]int{
		"ldap://dc1.lab.test": 1, "ldaps://[::1]:636": 1, "srv://lab.test": 0, "srvs://lab.test.": 0, "SRVS://lab.test": 0,
		"srv://lab.test:389": -1, "srv://": -1, "srv://lab test": -1, "srv://u:planted-Secret@lab.test": -1, "http://lab.test": -1,
		"ldap://u:planted-Secret@lab.test": -1, "srv:lab.test": -1,
	} {
		a := &app{stderr: discard, home: none}
		target, err := a.openTarget(targetFlags{ldapURLs: []string{url}})
		var usage *usageError
		if (err != nil) != (names < 0) || err != nil && !errors.As(err, &usage) {
			t.Errorf("%s: %v", url, err)
		}
		if err == nil {
			if n := a.networkEnv(target).Names; len(n) != names {
				t.Errorf("%s: looks up %v", url, n)
			}
			target.Close()
		}
	}
}
