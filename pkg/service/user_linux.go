package service

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// mark is in the comment of the accounts that the connector made, and no colon
// is.
const mark = "AD LDAP Connector service"

// HasUser reports whether there is an account of that name.
func HasUser(ctx context.Context, name string) (bool, error) {
	if err := checkUser(name); err != nil {
		return false, fmt.Errorf("look for the account: %w", err)
	}
	_, known, err := passwd(ctx, name)
	return known, err
}

// CheckAccount is an error when an account that is there cannot be a service's:
// root, and one whose first group is not its own. Whoever is in that group may
// make files in the home. One that is not there is no error.
func CheckAccount(ctx context.Context, name string) error {
	if err := checkUser(name); err != nil {
		return fmt.Errorf("look for the account: %w", err)
	}
	fields, known, err := passwd(ctx, name)
	if err != nil || !known {
		return err
	}
	if fields[2] == "0" {
		return fmt.Errorf("the account %s has all rights, of which the connector needs none", name)
	}
	out, err := tool(ctx, "getent", "group", name)
	if e := (*exec.ExitError)(nil); err != nil && (!errors.As(err, &e) || e.ExitCode() != 2) { // getent(1): not found
		return fmt.Errorf("look for the group %s: %w", name, err)
	}
	if group := strings.Split(strings.TrimSpace(string(out)), ":"); len(group) < 3 || group[2] != fields[3] {
		return &accountError{name}
	}
	return nil
}

// An accountError is an account that shares its first group.
type accountError struct{ name string }

func (e *accountError) Error() string {
	return "the account " + e.name + " has no group of its own: its first group is not the group " + e.name
}

// Hint says what to do.
func (e *accountError) Hint() string {
	return fmt.Sprintf("groupadd --system %[1]s; usermod --gid %[1]s %[1]s; or let the connector make an account, without --user", e.name)
}

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
	_, known, err := passwd(ctx, name)
	if known || err != nil {
		return false, err
	}
	if err := ctx.Err(); err != nil {
		return false, fmt.Errorf("make the account %s: %w", name, err)
	}
	// Breaking it off would leave the files of accounts locked.
	_, err = tool(context.WithoutCancel(ctx), "useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent",
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
	fields, known, err := passwd(ctx, name)
	if err != nil || !known || fields[4] != mark {
		return err
	}
	if _, err := tool(context.WithoutCancel(ctx), "userdel", name); err != nil {
		return fmt.Errorf("remove the account %s: %w", name, err)
	}
	return nil
}

// passwd returns an account's fields, as passwd(5) has them. It asks all
// sources of accounts that the system has, not only the file.
func passwd(ctx context.Context, name string) (fields []string, known bool, err error) {
	out, err := tool(ctx, "getent", "passwd", name)
	if e := (*exec.ExitError)(nil); errors.As(err, &e) && e.ExitCode() == 2 { // getent(1): not found
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("look for the account %s: %w", name, err)
	}
	fields = strings.Split(strings.TrimSpace(string(out)), ":")
	if len(fields) != 7 || fields[0] != name {
		return nil, false, fmt.Errorf("look for the account %s: getent answered %q", name, lastOf(string(out)))
	}
	return fields, true, nil
}

// ids returns the numbers of an account and of its group.
func ids(ctx context.Context, name string) (uid, gid int, err error) {
	fields, known, err := passwd(ctx, name)
	if err == nil && !known {
		err = fmt.Errorf("look for the account %s: there is none", name)
	}
	if err != nil {
		return 0, 0, err
	}
	uid, err = strconv.Atoi(fields[2])
	if err == nil {
		gid, err = strconv.Atoi(fields[3])
	}
	if err != nil {
		return 0, 0, fmt.Errorf("look for the account %s: %w", name, err)
	}
	return uid, gid, nil
}
