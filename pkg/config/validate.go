package config

import (
	"errors"
	"slices"
	"strings"
)

// Validate reports everything that keeps the connector from running with this
// configuration, all at once: the error is a join of *FieldError, in the order
// of the schema.
func (c Config) Validate() error {
	l := c.look()
	faults := map[string][]*FieldError{}
	for _, k := range c.keys() {
		// What was read and did not fit counts until the field gets a value.
		if f := l.faults[k.Name]; f != nil && !c.changed(k) {
			faults[k.Name] = append(faults[k.Name], f)
		} else if f := k.valid(&c); f != nil {
			faults[k.Name] = append(faults[k.Name], f)
		}
	}
	for _, f := range c.together() {
		// A value that was not taken is missing only in appearance.
		if len(faults[f.Key]) == 0 {
			faults[f.Key] = append(faults[f.Key], f)
		}
	}
	var errs []error
	for _, k := range c.keys() {
		for _, f := range faults[k.Name] {
			errs = append(errs, f)
		}
	}
	return errors.Join(errs...)
}

// overTLS reports whether a directory's URL asks for TLS from the start.
func overTLS(url string) bool {
	url = strings.ToLower(url)
	return strings.HasPrefix(url, "ldaps://") || strings.HasPrefix(url, "srvs://")
}

// together returns the faults that no key has alone.
func (c *Config) together() (faults []*FieldError) {
	add := func(bad bool, key, problem, remedy string) {
		if bad {
			faults = append(faults, &FieldError{Key: key, Problem: problem, Remedy: remedy})
		}
	}
	t, d, l := &c.Tenant, &c.Directory, c.look()

	provisioned := t.Hub != "" && t.Connection != "" && t.Realm != ""
	add(t.Ticket == "" && !provisioned, "PROVISIONING_TICKET", "it is missing",
		"copy the ticket URL from the connection's page in the dashboard")
	add(byName[t.Realm] != nil, "REALM", "it is the name of a key",
		"write the tenant's realm, urn:auth0:TENANT; it is learnt at every start")

	add(len(d.URLs) == 0, "LDAP_URL", "it is missing", "write ldap://HOST or ldaps://HOST")
	add(d.BaseDN == "", "LDAP_BASE", "it is missing", "write the base DN of the users, like DC=example,DC=com")

	faults = append(faults, d.together()...)
	byPassword := d.BindMethod == bySimple
	password := d.BindPassword != "" || d.BindCredentials != "" || c.Stored() ||
		l.faults["LDAP_BIND_PASSWORD"] != nil || l.faults["LDAP_BIND_CREDENTIALS"] != nil
	add(byPassword && d.BindUser == "" && !d.Anonymous, "LDAP_BIND_USER", "it is missing",
		"write the service account, or set ANONYMOUS_SEARCH_ENABLED when the directory may be searched without one")
	add(byPassword && d.BindUser != "" && !password && !d.Anonymous, "LDAP_BIND_PASSWORD", "it is missing, and LDAP_BIND_USER is set",
		"write the password of the service account: it is sealed at the next start")

	tls := true
	for _, u := range d.URLs {
		secure := overTLS(u)
		tls = tls && secure
		add(secure && d.StartTLS, "LDAP_STARTTLS", quote(u)+" has TLS from the start",
			"write ldap:// or srv:// for StartTLS, or unset LDAP_STARTTLS")
	}
	add(d.RequireTLS && !tls && !d.StartTLS, "LDAP_REQUIRE_TLS", "an ldap:// connection without StartTLS is not protected",
		"set LDAP_STARTTLS, or write ldaps:// in LDAP_URL")

	add(c.Keys.Certificate != "" && c.Keys.Key == "", "AUTH_CERT_KEY", "it is missing, and AUTH_CERT is set",
		"set both, or neither to use the files in certs/")
	add(c.Keys.Certificate == "" && c.Keys.Key != "", "AUTH_CERT", "it is missing, and AUTH_CERT_KEY is set",
		"set both, or neither to use the files in certs/")

	a := &c.Agent
	add(a.ConsoleCert != "" && a.ConsoleKey == "", "CONSOLE_TLS_KEY", "it is missing, and CONSOLE_TLS_CERT is set", "set both, or neither")
	add(a.ConsoleCert == "" && a.ConsoleKey != "", "CONSOLE_TLS_CERT", "it is missing, and CONSOLE_TLS_KEY is set", "set both, or neither")
	add(a.consoleAbroad() && (a.ConsoleCert == "" || a.ConsoleKey == ""), "CONSOLE_ADDR", quote(a.ConsoleAddr)+" can be reached from other machines, which takes TLS",
		"write 127.0.0.1:8357, and reach the console from elsewhere through a tunnel, or set CONSOLE_TLS_CERT and CONSOLE_TLS_KEY")
	return faults
}

// The methods of LDAP_BIND_METHOD.
const (
	bySimple   = "simple"
	byExternal = "external"
	byGSSAPI   = "gssapi"
)

// together returns the faults of how the service account binds without a
// password.
func (d *Directory) together() (faults []*FieldError) {
	add := func(bad bool, key, problem, remedy string) {
		if bad {
			faults = append(faults, &FieldError{Key: key, Problem: problem, Remedy: remedy})
		}
	}
	plain := !d.StartTLS && slices.ContainsFunc(d.URLs, func(u string) bool { return !overTLS(u) })
	external := d.BindMethod == byExternal
	add(external && plain, "LDAP_BIND_METHOD", "external needs TLS, and an ldap:// connection without StartTLS has none",
		"set LDAP_STARTTLS, or write ldaps:// in LDAP_URL")
	add(external && d.ClientCert == "", "LDAP_CLIENT_CERT", "it is missing, and LDAP_BIND_METHOD is external",
		"write the path of the certificate's PEM file")
	add(d.ClientCert == "" && d.ClientKey != "", "LDAP_CLIENT_CERT", "it is missing, and LDAP_CLIENT_KEY is set",
		"set both, or neither")
	add(d.BindMethod == byGSSAPI && d.Keytab != "" && d.BindUser == "", "LDAP_BIND_USER", "it is missing, and LDAP_KEYTAB is set",
		"write the service account's principal as klist -k LDAP_KEYTAB shows it, name@REALM")
	return faults
}
