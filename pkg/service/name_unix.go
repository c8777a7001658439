//go:build unix

package service

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// forbiddenInPaths are characters that mean something in lists of paths of a
// systemd unit, in which they cannot be escaped.
const forbiddenInPaths = `"'\:`

func systemName(instance string) string {
	if instance == "" {
		return "auth0-adldap"
	}
	return "auth0-adldap-" + instance
}

func checkSystemName(name string) error {
	if strings.Contains(name, " ") {
		return fmt.Errorf("%q is no name for a service here: it has a space", name)
	}
	return nil
}

// What useradd takes everywhere.
var account = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}$`)

func checkUser(user string) error {
	if user == "" {
		return errors.New("the user is missing")
	}
	if !account.MatchString(user) {
		return fmt.Errorf("%q is no name for an account: small letters, digits, dashes and underscores, at most 32, "+
			"the first a letter or an underscore", user)
	}
	return nil
}
