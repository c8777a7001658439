package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ad-ldap-connector/pkg/config"
)

// An InstallAnswers value is what an install needs to know, from flags first
// and from the terminal where a flag is missing.
type installAnswers struct {
	ticket                  secretFlags
	ticketArg               string
	url, base, user, preset string
	password                secretFlags
	anonymous               bool
	caFile, proxy, server   string
	noService, dryRun       bool
	nonInteractive, replace bool
	gate                    gateFlags
}

// add declares the flags.
func (o *installAnswers) add(f *pflag.FlagSet) {
	o.ticket.add(f, "ticket", "the ticket URL")
	f.StringVar(&o.ticketArg, "ticket", "", "the ticket `URL` itself (every user of this machine can read arguments)")
	f.StringVar(&o.url, "ldap-url", "", "the directory, `URL` ldaps://host, ldap://host:port or srv://domain")
	f.StringVar(&o.base, "ldap-base", "", "`DN` below which users are (default: what the directory says)")
	f.StringVar(&o.user, "ldap-bind-user", "", "service account: DN, user@domain or DOMAIN\\user `name`")
	o.password.add(f, "ldap-bind-password", "the service account's password")
	f.BoolVar(&o.anonymous, "anonymous", false, "search the directory without a service account")
	f.StringVar(&o.preset, "preset", "", "kind of directory: `"+strings.Join(config.Presets(), "|")+"` (default: recognised)")
	f.StringVar(&o.caFile, "ca-file", "", "`file` of certificate authorities to trust besides the system's")
	f.StringVar(&o.proxy, "proxy", "", "`URL` of the HTTP proxy to the tenant")
	f.StringVar(&o.server, "server-url", "", "public `URL` of this connector, for sign-in in the browser")
	f.BoolVar(&o.noService, "no-service", false, "provision the home only; another program starts \"connector run\"")
	f.BoolVar(&o.dryRun, "dry-run", false, "print the plan and change nothing")
	f.BoolVar(&o.nonInteractive, "non-interactive", false, "never ask, also on a terminal")
	o.gate.add(f)
	f.BoolVar(&o.replace, "replace", false, "point an installed connector at another connection")
}

// check refuses flags that contradict each other.
func (o *installAnswers) check(cmd *cobra.Command) error {
	return errors.Join(oneOf(cmd, "ticket", "ticket-file", "ticket-stdin"),
		oneOf(cmd, "ticket-stdin", "ldap-bind-password-stdin"), oneOf(cmd, "anonymous", "ldap-bind-user"))
}
