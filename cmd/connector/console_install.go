package main

import (
	"context"
	"time"

	"ad-ldap-connector/pkg/install"
)

// consoleBegins is how long an install waits for the console of the connector
// that it has just started.
const consoleBegins = 5 * time.Second

// offerConsole tells whoever has installed the connector how to log in to its
// console, and offers to open it where there is a browser. The link is a secret:
// it is for a terminal, and not for the log of a program that installs. That
// there is none is no fault of an install.
func (a *app) offerConsole(ctx context.Context, answers *installAnswers, o install.Options) {
	if o.Service == nil || !o.Service.Start || a.quiet {
		return
	}
	command := "connector" + instanceFlag(a.name) + " console"
	if !a.interactive() {
		a.say("a link to its console: %s", command)
		return
	}
	link, err := a.linkOf(ctx, o.Home)
	for end := time.Now().Add(consoleBegins); err != nil && ctx.Err() == nil && time.Now().Before(end); {
		time.Sleep(200 * time.Millisecond)
		link, err = a.linkOf(ctx, o.Home)
	}
	if err != nil {
		a.say("a link to its console: %s", command)
		return
	}
	if a.asks(answers) && !a.yes && a.displayed() {
		if yes, err := a.ask().confirm("Open the console in the browser?", true); err == nil && yes {
			if err = a.openLink(ctx, o.Home, link); err == nil {
				return
			}
			a.say("note: %s", oneLine(err.Error()))
		}
	}
	a.say("its console, for 10 minutes and once: %s", link.URL)
	a.say("another link: %s", command)
}
