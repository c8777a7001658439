//go:build !linux

package service

import (
	"context"
	"fmt"
	"os/user"
)

// HasUser reports that EnsureUser has nothing to do: it makes no accounts here.
func HasUser(_ context.Context, name string) (bool, error) {
	if err := checkUser(name); err != nil {
		return false, fmt.Errorf("look for the account: %w", err)
	}
	if name == "" {
		return true, nil
	}
	_, err := user.Lookup(name)
	return err == nil, nil //nolint:nilerr // EnsureUser says why
}

// CheckAccount has nothing to say here: see EnsureUser.
func CheckAccount(context.Context, string) error { return nil }

// EnsureUser makes no accounts here: on Windows the system has one for each
// service, which has no name to ask for, and on macOS it must be there.
func EnsureUser(_ context.Context, name string) (created bool, err error) {
	if err := checkUser(name); err != nil {
		return false, fmt.Errorf("make the account: %w", err)
	}
	if name == "" {
		return false, nil
	}
	if _, err := user.Lookup(name); err != nil {
		return false, fmt.Errorf("look for the account %s: %w", name, err)
	}
	return false, nil
}

// RemoveUser has nothing to remove, because EnsureUser makes nothing.
func RemoveUser(context.Context, string) error { return nil }
