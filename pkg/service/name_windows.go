package service

import "errors"

// forbiddenInPaths are characters that no file's name may have here.
const forbiddenInPaths = `"<>|*?`

func systemName(instance string) string {
	if instance == "" {
		return "Auth0 ADLDAP"
	}
	return "Auth0 ADLDAP " + instance
}

func checkSystemName(string) error { return nil }

func checkUser(user string) error {
	if user != "" {
		return errors.New("the service has an account of its own, so it takes no user")
	}
	return nil
}
