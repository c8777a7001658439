package service

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// mark is in the comment of the accounts that the connector made, and no colon
// is.
const mark = "AD LDAP Connector service"

// EnsureUser makes the system account that a service runs under, without a
// shell, a password or a home, and a group of the same name. One that is there
// is left as it is. It reports whether it made the account.
func EnsureUser(ctx context.Context, name string) (created bool, err error) {
	if err := checkUser(name); err != nil {
		return false, fmt.Errorf("make the account: %w", err)
	}
	if name == "root" {
		return false, errors.New("make the account root: the connector needs none of its rights")
	}
	_, known, err := comment(ctx, name)
	if known || err != nil {
		return false, err
	}
	_, err = tool(ctx, "useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent",
		"--shell", "/usr/sbin/nologin", "--comment", mark, name)
	if err != nil {
		return false, fmt.Errorf("make the account %s: %w", name, err)
	}
	return true, nil
}

// RemoveUser removes an account that EnsureUser made, and leaves any other, and
// one that is not there.
func RemoveUser(ctx context.Context, name string) error {
	if err := checkUser(name); err != nil {
		return fmt.Errorf("remove the account: %w", err)
	}
	text, known, err := comment(ctx, name)
	if err != nil || !known || text != mark {
		return err
	}
	if _, err := tool(ctx, "userdel", name); err != nil {
		return fmt.Errorf("remove the account %s: %w", name, err)
	}
	return nil
}

// comment returns an account's comment. It asks all sources of accounts that
// the system has, not only the file.
func comment(ctx context.Context, name string) (text string, known bool, err error) {
	out, err := tool(ctx, "getent", "passwd", name)
	if e := (*exec.ExitError)(nil); errors.As(err, &e) && e.ExitCode() == 2 { // getent(1): not found
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("look for the account %s: %w", name, err)
	}
	fields := strings.Split(strings.TrimSpace(string(out)), ":")
	if len(fields) != 7 || fields[0] != name {
		return "", false, fmt.Errorf("look for the account %s: getent answered %q", name, lastOf(string(out)))
	}
	return fields[4], true, nil
}
