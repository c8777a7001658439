package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"ad-ldap-connector/pkg/console"
	"ad-ldap-connector/pkg/home"
)

func newConsoleCommand(a *app) *cobra.Command {
	open, revoke := false, false
	cmd := &cobra.Command{
		Use:   "console",
		Short: "Print a one-time link to the admin console",
		Long: `The console is where CONSOLE_ADDR says, http://127.0.0.1:8357 by default, and takes
a login. The link logs in once, within 10 minutes. Whoever can write to the home,
that is root, an administrator, or the connector's account, can make one. It is a
secret until it was used. On --open the browser is handed a file with the link,
so that nobody sees it among the arguments of a process.

--revoke ends all sessions, and makes all links that were not used invalid. More
on it: connector help admin-console.

Where the former console had it

The addresses #configuration, #profile-mapper, #export, #troubleshooting,
#troubleshoot, #search-users and #update lead to the pages above.

  before                          now
  GET /                           GET /
  POST /ticket                    POST /configuration/ticket
  POST /ldap, POST /server        POST /configuration
  GET /export                     POST /export, on the page Import / Export
  POST /import                    POST /export/upload and /export/import, on that page
  GET /logs                       GET /troubleshooting
  POST /logs/clear                none: the log puts itself aside
  GET, POST /profile-mapper       GET, POST /profile-mapper
  GET /troubleshooter/run         POST /troubleshooting/doctor
  GET /troubleshooter/export      POST /troubleshooting/support
  POST /updater/run               POST /update/apply, or the command on that page
  GET /updater/logs               GET /update
  GET /version                    GET /update, GET /status
  GET /users/search?query=        GET /search-users
  GET /users/by-login?query=      GET /search-users`,
		Example: `  sudo connector console
  connector console --open
  sudo connector console --revoke
  sudo connector console password`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf(cmd, "open", "revoke"); err != nil {
				return err
			}
			if revoke {
				return a.revokeConsole(time.Now())
			}
			return a.consoleLink(cmd.Context(), open)
		},
	}
	cmd.Flags().BoolVar(&open, "open", false, "open it in the browser of whoever asks, in place of printing it")
	cmd.Flags().BoolVar(&revoke, "revoke", false, "end all sessions of the console")
	cmd.AddCommand(newConsolePasswordCommand(a))
	return cmd
}

// A linkDocument is what "connector console" prints as JSON.
type linkDocument struct {
	URL   string    `json:"url"`
	Until time.Time `json:"until"`

	hash string
}

func (a *app) consoleLink(ctx context.Context, open bool) error {
	h, err := a.openHome()
	if err != nil {
		return err
	}
	link, err := a.linkOf(ctx, h)
	if err != nil {
		return err
	}
	if open {
		return a.openLink(ctx, h, link)
	}
	if a.json() {
		return a.print(link)
	}
	err = a.text("%s\n", link.URL)
	a.say("valid once, until %s", link.Until.Local().Format(time.DateTime))
	return err
}

// linkOf makes a link to the console of the connector that runs on h. The
// address is asked who it is first: another program there must not get it.
func (a *app) linkOf(ctx context.Context, h *home.Home) (linkDocument, error) {
	if _, err := a.askRunning(ctx, h); err != nil {
		if !h.Exists() || !h.Locked() {
			err = &hinted{fmt.Errorf("no connector runs in %s", h.Dir()), `"connector status" says more; "connector restart" starts its service; "connector run --setup" begins a first set-up`}
		}
		return linkDocument{}, fmt.Errorf("make a link to the console: %w", err)
	}
	var r running
	if err := h.LoadState("run", &r); err != nil {
		return linkDocument{}, err
	}
	secret, until, err := newLink(h, time.Now())
	if err != nil {
		return linkDocument{}, permitted(fmt.Errorf("make a link to the console: %w", err))
	}
	return linkDocument{r.page() + "/login?once=" + secret, until, hashOf(secret)}, nil
}

func (a *app) revokeConsole(now time.Time) error {
	h, err := a.openHome()
	if err != nil {
		return err
	}
	if !h.Exists() {
		return fmt.Errorf("end the console's sessions: there is no home in %s", h.Dir())
	}
	if err := revokeConsole(h, now); err != nil {
		return permitted(fmt.Errorf("end the console's sessions: %w", err))
	}
	a.say("all sessions of the console are over, and no link is valid")
	return nil
}

func revokeConsole(h *home.Home, now time.Time) error {
	return errors.Join(h.SaveState(revokedState, consoleRevoked{At: now.UTC()}), h.RemoveState(linkState))
}

func newConsolePasswordCommand(a *app) *cobra.Command {
	var o secretFlags
	remove := false
	cmd := &cobra.Command{
		Use:   "password",
		Short: "Set the administrator's password of the console",
		Long: `Without one, a link of "connector console" is the only way in. Of the password an
argon2id hash is kept, in the home, and it is no part of an export. It has at
least 12 characters. Setting or removing it ends all sessions.`,
		Example: `  sudo connector console password
  sudo connector console password --password-file pw.txt
  sudo connector console password --remove`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if remove && o.given() {
				return usagef("--remove takes no password")
			}
			return a.setConsolePassword(o, remove)
		},
	}
	o.add(cmd.Flags(), "password", "the password")
	cmd.Flags().BoolVar(&remove, "remove", false, "have no password")
	return cmd
}

func (a *app) setConsolePassword(o secretFlags, remove bool) error {
	h, err := a.openHome()
	if err != nil {
		return err
	}
	if !h.Exists() {
		return &hinted{fmt.Errorf("set the console's password: there is no home in %s", h.Dir()), "connector install makes one"}
	}
	if remove {
		if err := errors.Join(h.RemoveState(passwordState), revokeConsole(h, time.Now())); err != nil {
			return permitted(fmt.Errorf("remove the console's password: %w", err))
		}
		a.say("the console has no password any more; its sessions are over")
		return nil
	}
	password, err := a.secret(o, "new password of the console")
	if err != nil {
		return err
	}
	if !o.given() {
		again, err := a.ask().password("Again")
		if err != nil {
			return err
		}
		if again != password {
			return usagef("the two are not the same; nothing was changed")
		}
	}
	hash, err := console.HashPassword(password)
	if err != nil {
		return &usageError{err}
	}
	if err := errors.Join(h.SaveState(passwordState, consolePassword{hash}), revokeConsole(h, time.Now())); err != nil {
		return permitted(fmt.Errorf("set the console's password: %w", err))
	}
	a.say("the console's password is set; its sessions are over")
	return nil
}
