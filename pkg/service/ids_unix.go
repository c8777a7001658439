//go:build unix && !linux

package service

import (
	"context"
	"fmt"
	"os/user"
	"strconv"
)

// ids returns the numbers of an account and of its group.
func ids(_ context.Context, name string) (uid, gid int, err error) {
	u, err := user.Lookup(name)
	if err == nil {
		uid, err = strconv.Atoi(u.Uid)
	}
	if err == nil {
		gid, err = strconv.Atoi(u.Gid)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("look for the account %s: %w", name, err)
	}
	return uid, gid, nil
}
