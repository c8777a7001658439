package main

import (
	"context"
	"os/exec"
)

// browsing is whose browser is to be opened: always our own account's, -1.
func (a *app) browsing() int { return -1 }

// displayed reports whether there is somewhere for a browser to open: a session
// of Server Core, or of a service, has no name of a desktop.
func (a *app) displayed() bool { return a.env("SESSIONNAME") != "" }

// browse opens a file in the browser.
func (a *app) browse(ctx context.Context, file string) error {
	return exec.CommandContext(ctx, "rundll32.exe", "url.dll,FileProtocolHandler", file).Run()
}
