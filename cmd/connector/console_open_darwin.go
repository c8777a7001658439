package main

import (
	"context"
	"os"
	"os/exec"
	"strconv"
)

// browsing is whose browser is to be opened, when that is not our own account:
// whoever has called sudo; -1 is our own.
func (a *app) browsing() int {
	uid, err := strconv.Atoi(a.env("SUDO_UID"))
	if err != nil || uid <= 0 || os.Geteuid() != 0 {
		return -1
	}
	return uid
}

// displayed reports whether there is somewhere for a browser to open.
func (a *app) displayed() bool { return a.env("SSH_CONNECTION") == "" }

// browse opens a file in the browser.
func (a *app) browse(ctx context.Context, file string) error {
	args := []string{"open", file}
	if uid := a.browsing(); uid >= 0 {
		args = append([]string{"launchctl", "asuser", strconv.Itoa(uid), "sudo", "-u", "#" + strconv.Itoa(uid)}, args...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = a.environ
	return cmd.Run()
}
