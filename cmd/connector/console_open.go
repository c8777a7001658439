package main

import (
	"context"
	"errors"
	"fmt"
	"html"
	"os"
	"slices"
	"time"

	"ad-ldap-connector/pkg/home"
)

// openWithin is how long the file with a link waits for the browser.
const openWithin = 30 * time.Second

// openLink has the browser open a link, by way of a file that only whoever asked
// can read: arguments of processes are for all to see.
func (a *app) openLink(ctx context.Context, h *home.Home, link linkDocument) error {
	name, err := writeLink(link.URL, a.browsing())
	if err != nil {
		return fmt.Errorf("open the browser: %w", err)
	}
	defer func() { _ = os.Remove(name) }() // by then the link was used, or will not be
	if err := a.browse(ctx, name); err != nil {
		return &hinted{fmt.Errorf("open the browser: %w", err), "connector console prints the link"}
	}
	a.say("opened in the browser")
	ctx, cancel := context.WithTimeout(ctx, openWithin)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		links, err := unusedLinks(h, time.Now())
		if err != nil || !slices.ContainsFunc(links, func(l consoleLink) bool { return l.Hash == link.hash }) {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// writeLink writes a page that leads to a link, for the account uid alone; -1 is
// our own.
func writeLink(url string, uid int) (name string, err error) {
	dir := os.TempDir()
	if own, err := os.UserCacheDir(); uid < 0 && err == nil && os.MkdirAll(own, 0o700) == nil {
		dir = own // some browsers see no other folder
	}
	f, err := os.CreateTemp(dir, "connector-console-*.html") // of mode 0600
	if err != nil {
		return "", err
	}
	_, err = fmt.Fprintf(f, "<!doctype html><meta charset=\"utf-8\"><meta name=\"referrer\" content=\"no-referrer\">"+
		"<title>Console</title><meta http-equiv=\"refresh\" content=\"0; url=%[1]s\"><a href=\"%[1]s\">Open the console</a>\n", html.EscapeString(url))
	if uid >= 0 {
		err = errors.Join(err, f.Chown(uid, -1))
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}
