package main

import (
	"errors"
	"path/filepath"
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
	method                  string // of the service account's bind
	clientCert, clientKey   string
	keytab, krb5Conf        string
	startTLS                bool
	caFiles                 []string
	proxy, server           string
	proxyCredentials        secretFlags
	noService, noStart      bool
	secrets                 string // the store of the service account's password
	account                 string
	dryRun                  bool
	nonInteractive, replace bool
	archive                 string // of the node that the home is to become a copy of
	passphrase              secretFlags
	gate                    gateFlags
	found                   *adoption // the Node connector, once it has been looked for; nil: there is none
}

// add declares the flags.
func (o *installAnswers) add(f *pflag.FlagSet) {
	o.ticket.add(f, "ticket", "the ticket URL")
	f.StringVar(&o.ticketArg, "ticket", "", "the ticket `URL` itself (every user of this machine can read arguments)")
	f.StringVar(&o.url, "ldap-url", "", "the directory, `URL` ldaps://host, ldap://host:port, srvs://domain or srv://domain")
	f.BoolVar(&o.startTLS, "ldap-starttls", false, "protect ldap:// and srv:// connections by StartTLS")
	f.StringVar(&o.base, "ldap-base", "", "`DN` below which users are (default: what the directory says)")
	f.StringVar(&o.user, "ldap-bind-user", "", "service account: DN, user@domain or DOMAIN\\user `name`")
	o.password.add(f, "ldap-bind-password", "the service account's password")
	f.StringVar(&o.method, "ldap-bind-method", "", "how the service account binds: `simple|external|gssapi` (default simple)")
	f.StringVar(&o.clientCert, "ldap-client-cert", "", "`file` of the certificate that is shown to the directory (external)")
	f.StringVar(&o.clientKey, "ldap-client-key", "", "`file` of its private key (default: the same file)")
	f.StringVar(&o.keytab, "ldap-keytab", "", "`file` of the service account's Kerberos keys (gssapi)")
	f.StringVar(&o.krb5Conf, "ldap-krb5-conf", "", "`file` of Kerberos's configuration (default: the system's)")
	f.BoolVar(&o.anonymous, "anonymous", false, "search the directory without a service account")
	f.StringVar(&o.preset, "preset", "", "kind of directory: `"+strings.Join(config.Presets(), "|")+"` (default: recognised)")
	f.StringArrayVar(&o.caFiles, "ca-file", nil, "`file` of certificate authorities to trust besides the system's; repeatable")
	f.StringVar(&o.proxy, "proxy", "", "`URL` of the HTTP proxy to the tenant, http://host:port")
	o.proxyCredentials.addFile(f, "proxy-credentials", "the proxy's user:password")
	f.StringVar(&o.server, "server-url", "", "public `URL` of this connector, for sign-in in the browser")
	f.BoolVar(&o.noService, "no-service", false, "provision the home only; another program starts \"connector run\"")
	f.BoolVar(&o.noStart, "no-start", false, "register the service, and start it with the next start of the system")
	f.StringVar(&o.secrets, "secrets", "", "where the service account's password is kept: `file|systemd|dpapi|keyring` (default file)")
	f.StringVar(&o.account, "user", "", "account that the service runs under, by its `name` (default: one of its own)")
	f.BoolVar(&o.dryRun, "dry-run", false, "print the plan and change nothing")
	f.BoolVar(&o.nonInteractive, "non-interactive", false, "never ask, also on a terminal")
	f.StringVar(&o.archive, "import", "", "`file` of \"connector export\": become a node of that connector")
	o.passphrase.addFile(f, "passphrase", "the passphrase of the archive")
	o.gate.add(f)
	f.BoolVar(&o.replace, "replace", false, "point an installed connector at another connection")
}

// check refuses flags that contradict each other.
func (o *installAnswers) check(cmd *cobra.Command) error {
	return errors.Join(oneOf(cmd, "ticket", "ticket-file", "ticket-stdin"),
		oneOf(cmd, "ldap-bind-password-file", "ldap-bind-password-stdin"),
		oneOf(cmd, "ticket-stdin", "ldap-bind-password-stdin"),
		oneOf(cmd, "anonymous", "ldap-bind-user"), oneOf(cmd, "anonymous", "ldap-bind-method"),
		oneOf(cmd, "no-service", "no-start"), oneOf(cmd, "no-service", "user"), o.checkImport(cmd))
}

// settings lays the flags over a configuration, as far as they need nobody to
// be asked. Files are named by their whole paths: the home's would be meant
// otherwise, and a service has another working folder.
func (o *installAnswers) settings(c *config.Config) error {
	var faults []error
	set := func(key, value string) {
		if value == "" {
			return
		}
		if err := c.Set(key, value); err != nil {
			faults = append(faults, err)
		}
	}
	file := func(key, name string) {
		if name == "" {
			return
		}
		abs, err := filepath.Abs(name)
		if err != nil {
			faults = append(faults, err)
		}
		set(key, abs)
	}
	set("LDAP_BIND_METHOD", o.method)
	set("SECRETS", o.secrets)
	file("LDAP_CLIENT_CERT", o.clientCert)
	file("LDAP_CLIENT_KEY", o.clientKey)
	file("LDAP_KEYTAB", o.keytab)
	file("LDAP_KRB5_CONF", o.krb5Conf)
	set("LDAP_URL", o.url)
	set("LDAP_BASE", o.base)
	set("SERVER_URL", strings.TrimSuffix(o.server, "/"))
	if o.startTLS {
		set("LDAP_STARTTLS", "true")
	}
	if len(faults) > 0 {
		return &usageError{errors.Join(faults...)}
	}
	return o.checkSecrets(*c)
}
